"""Logging of our commands: levels, and the file of each process."""

from __future__ import annotations

import errno
import io
import json
import logging
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest
import structlog
from command import environment, run_command

from streamverify import logs
from streamverify.core.errors import SettingsError
from streamverify.core.log.log_storms import FIRST, INTERVAL
from streamverify.logs import LogFile, configure

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("level", "shown"), [("info", False), ("debug", False), ("trace", True)])
def test_the_kafka_client_logs_only_where_that_is_asked_for(
    level: str,
    shown: bool,  # noqa: FBT001
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A client of an earlier test in this process may have told its library's loggers what to say.
    for name in ("aiokafka", "aiokafka.conn"):
        for attribute, fresh in (("handlers", []), ("filters", []), ("propagate", True), ("level", 0), ("_cache", {})):
            monkeypatch.setattr(logging.getLogger(name), attribute, fresh)
    configure(level, "text")
    for number in range(100):
        logging.getLogger("aiokafka.conn").debug("Request %s", number)
    structlog.get_logger("streamverify.x").debug("our_event")
    logging.getLogger("asyncio").debug("Using selector")
    said = capsys.readouterr().err
    assert ("Request" in said) is shown
    assert ("our_event" in said) is (level != "info")


def test_events_are_in_the_file_too_in_the_same_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json", log_dir=str(tmp_path / "deep" / "logs"), name="worker-a/b")
    structlog.get_logger("streamverify.x").warning("an_event", hint="ü", secret="x" * 1000)
    [line] = (tmp_path / "deep" / "logs" / "worker-a-b.log").read_text("utf-8").splitlines()
    assert line == capsys.readouterr().err.strip()
    event = json.loads(line)
    assert (event["event"], event["hint"], event["level"]) == ("an_event", "ü", "warning")
    assert len(event["secret"]) < 300
    configure("info", "text", log_dir=str(tmp_path), name="worker")
    structlog.get_logger("streamverify.x").info("another")
    assert "\x1b" not in (tmp_path / "worker.log").read_text("utf-8")


def test_two_processes_do_not_write_one_file_and_a_successor_goes_on_in_it(tmp_path: Path) -> None:
    one, two = LogFile(str(tmp_path), "worker"), LogFile(str(tmp_path), "worker")
    three = LogFile(str(tmp_path), "worker")
    names = [handler.baseFilename.rpartition("/")[2] for handler in (one, two, three)]
    assert names == ["worker.log", "worker-2.log", "worker-3.log"]
    two.close()
    successor = LogFile(str(tmp_path), "worker")
    assert successor.baseFilename == two.baseFilename
    for handler in (one, three, successor):
        handler.close()


def test_a_file_is_set_aside_when_it_is_full_and_only_some_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES", 1_000)
    handler = LogFile(str(tmp_path), "worker")
    for number in range(200):
        handler.handle(logging.LogRecord("x", logging.INFO, "", 1, f"{number:060d}", (), None))
    handler.close()
    files = sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("."))
    assert files == ["worker.log", *(f"worker.log.{number}" for number in range(1, logs.OLD_FILES + 1))]
    assert all(path.stat().st_size <= 1_000 for path in tmp_path.iterdir())


class FullDisk(io.StringIO):
    """A file on a disk without room."""

    def write(self, _text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_is_full_is_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handler = LogFile(str(tmp_path), "worker")
    before, handler.stream = handler.stream, FullDisk()  # type: ignore[assignment]
    for _ in range(3):
        handler.handle(logging.LogRecord("x", logging.INFO, "", 1, "y" * 100, (), None))
    handler.stream = before
    handler.close()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "No space left" in said


def test_a_folder_that_cannot_be_written_is_one_line_and_2(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"^STREAMVERIFY_LOG_DIR \(--log-dir\): no log can be written to [^\n]+$"):
        LogFile(str(tmp_path / "file"), "worker")
    done = run_command(environment(), "worker", "--log-dir", "/proc/none")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "--log-dir: no log can be written to /proc/none" in done.stderr


def test_of_a_storm_the_first_lines_are_logged_and_then_how_many_there_were(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(logs.Sampling.__init__, "__defaults__", (lambda: now[0],))
    configure("info", "json", log_dir=str(tmp_path), name="worker")
    log = structlog.get_logger("streamverify.x")
    for number in range(5_000):
        log.warning("dead_letter", offset=number, hint="h")
        logging.getLogger("a.library").warning("failed %s times", number)
        log.debug("not_asked_for")
    log.warning("another", hint="h")
    now[0] += INTERVAL
    log.info("worked")
    for number in range(2):
        log.warning("dead_letter", offset=number, hint="h")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    # Both have the same lines, though each writes its own time on those of libraries.
    filed = [json.loads(line) for line in (tmp_path / "worker.log").read_text("utf-8").splitlines()]
    assert [line["event"] for line in filed] == [line["event"] for line in lines]
    configure("info", "text")
    events = Counter(line["event"] for line in lines)
    assert events["dead_letter"] == FIRST + 2
    assert sum(event.startswith("failed") for event in events) == FIRST
    assert (events["another"], events["worked"], events["not_asked_for"], events["suppressed"]) == (1, 1, 0, 2)
    told = {line["of"]: line["events"] for line in lines if line["event"] == "suppressed"}
    assert told == {"dead_letter": 5_000 - FIRST, "failed %s times": 5_000 - FIRST}
    assert all(line["hint"] for line in lines if line["event"] == "suppressed")


def test_what_was_suppressed_is_said_when_the_process_ends(tmp_path: Path) -> None:
    script = (
        "import structlog\nfrom streamverify.logs import configure\n"
        "configure('info', 'text')\nconfigure('info', 'json')\n"
        "for _ in range(250):\n    structlog.get_logger('x').error('storm', hint='h')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
    *lines, last = [json.loads(line) for line in done.stderr.splitlines()]
    assert len(lines) == FIRST
    assert (last["event"], last["of"], last["events"]) == ("suppressed", "storm", 250 - FIRST)


def test_who_asks_for_everything_gets_everything(capsys: pytest.CaptureFixture[str]) -> None:
    for level, event, shown in (("trace", "warning", 500), ("debug", "debug", 500), ("debug", "warning", FIRST)):
        configure(level, "json")
        log = structlog.get_logger("streamverify.x")
        for _ in range(500):
            getattr(log, event)("an_event", hint="h")
        assert capsys.readouterr().err.count("an_event") == shown
    configure("info", "text")
