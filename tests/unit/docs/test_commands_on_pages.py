"""Every command on every page would be taken by streamverify, and is run by a test or marked as not runnable here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from handbook.navigation import ROOT, pages
from handbook.runs import BY_TEST, CI_TARGETS, HTTP, NOT_RUN, STAGES, left_over, meant, row_of, staged
from handbook.typed import Typed, all_typed, calls, complaint, complaints, inline_typed, is_command, typed_on

ALL = all_typed()
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")


def places(found: list[Typed]) -> str:
    return "".join(f"\n  {each.page}:{each.line}: `{each.command}`" for each in found)


def test_every_command_is_run_or_marked() -> None:
    found = left_over()
    assert not found, (
        f"no test runs these commands, and nothing says why:{places(found)}\n"
        "In tests/handbook/runs.py give the page a stage in STAGES (tests/e2e/test_docs_kafka.py then types all of its "
        "commands on a real Kafka), or the command a row in BY_TEST (the test that runs it) or in NOT_RUN (the reason)."
    )


def test_streamverify_takes_every_call() -> None:
    named = [each for page in pages() for each in inline_typed(page, (ROOT / page).read_text("utf-8"))]
    wrong = [
        f"{each.page}:{each.line}: `{each.command}`: {said}"
        for each in [*ALL, *named]
        for said in complaints(each.command)
    ]
    assert not wrong, "streamverify would refuse:\n  " + "\n  ".join(wrong)


@pytest.mark.parametrize("rows", [BY_TEST, NOT_RUN], ids=["BY_TEST", "NOT_RUN"])
def test_no_row_is_left_of_a_command_that_is_gone(rows: list) -> None:  # type: ignore[type-arg]
    gone = [
        f"{row.page}: {begins}"
        for row in rows
        for begins in row.begins
        if not any(each.page == row.page and meant(begins, each) for each in ALL)
    ]
    assert not gone, f"rows of tests/handbook/runs.py whose commands are on no page any more: {gone}"


def test_no_command_is_in_two_tables() -> None:
    both = [each for each in ALL if row_of(BY_TEST, each) and row_of(NOT_RUN, each)]
    assert not both, f"run by a test and marked as not run:{places(both)}"


def test_every_stage_has_commands_and_names_none_that_are_gone() -> None:
    for page, stage in STAGES.items():
        commands = [each.command for each in staged(page)]
        assert commands, f"{page} has no command to type: take its stage out of tests/handbook/runs.py"
        gone = [name for name in [*stage.until, *stage.codes] if name not in commands]
        assert not gone, f"the stage of {page} names commands that are not on it: {gone}"
        text = (ROOT / page).read_text("utf-8")
        assert {name for name in stage.replaced if name not in text} <= HTTP.keys(), page


def test_no_stage_types_what_needs_the_checkout_or_another_machine() -> None:
    # Each page is typed in an empty folder, where there is no Makefile, and with one Kafka and nothing else.
    programs = ("make ", "docker ", "helm ", "kubectl ", "systemctl ", "git ", "pip ")
    found = [each for page in STAGES for each in staged(page) if each.command.startswith(programs)]
    assert not found, f"give these a row in NOT_RUN of tests/handbook/runs.py:{places(found)}"


def test_the_tests_that_are_named_are_there() -> None:
    for row in BY_TEST:
        file, _, test = row.why.partition("::")
        assert re.search(rf"^(?:async )?def {test}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE), row.why


def test_every_reason_is_one() -> None:
    assert [row for row in NOT_RUN if len(row.why) < 20] == []


def test_targets_of_make_are_there_and_ci_calls_those_that_it_is_said_to() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, flags=re.MULTILINE))
    named = {word for each in ALL for word in re.findall(r"\bmake ([a-z-]+)", each.command)}
    assert named <= targets, f"the Makefile has no target {named - targets}"
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert [target for target in CI_TARGETS if not re.search(rf"\b{target}\b", script)] == []


def test_scripts_and_modules_that_are_typed_are_there_with_their_options() -> None:
    for each in ALL:
        module = re.search(r"-m (benchmarks\.\w+)", each.command)
        script = re.match(r"(?:nohup )?(\./setup_lean\.sh|deploy/\S+\.py)", each.command)
        if module:
            source = ROOT / (module[1].replace(".", "/") + ".py")
            folder = source.with_suffix("")
            files = [source] if source.is_file() else sorted(folder.glob("*.py"))
        elif script:
            files = [ROOT / script[1]]
        else:
            continue
        text = "".join(Path(file).read_text("utf-8") for file in files)
        assert files, each
        options = re.findall(r"(?<!\S)(--[a-z-]+)", each.command)
        assert [option for option in options if option.removeprefix("--") not in text.replace("_", "-")] == [], each


def test_commands_are_found_however_a_page_writes_them() -> None:
    page = """\
Words, with `streamverify results --nope` among them.

    streamverify verify a.lean   # what this does
    STREAMVERIFY_SLOTS=2 streamverify worker \\
      --cache memory
    useradd --system x

Then

    producers ──> lean.proofs

- a point
    streamverify is no command here

```sh
anything at all
# a comment
```

```text
$ streamverify offsets
streamverify 0.1.0 says something
```

```json
{"streamverify": 1}
```
"""
    assert [each.command for each in typed_on("p.md", page)] == [
        "streamverify verify a.lean",
        "STREAMVERIFY_SLOTS=2 streamverify worker --cache memory",
        "useradd --system x",
        "anything at all",
        "streamverify offsets",
    ]
    assert [(each.line, each.command) for each in inline_typed("p.md", page)] == [(1, "streamverify results --nope")]


@pytest.mark.parametrize("line", ["./run.sh x", "kafka-topics.sh --list", ".venv/bin/python -m x", "promtool check"])
def test_paths_and_tools_are_commands(line: str) -> None:
    assert is_command(line)


@pytest.mark.parametrize("line", ["any ── revoked ──> LOST", "[info     ] worked", "streamverify-run: x", "A=1"])
def test_other_lines_are_none(line: str) -> None:
    assert not is_command(line)


def test_calls_are_found_in_a_line_of_the_shell() -> None:
    assert calls("until streamverify topics create 2> /dev/null; do sleep 1; done") == [["topics", "create"]]
    assert calls("A=1 streamverify worker & streamverify offsets | grep x > y") == [["worker"], ["offsets"]]
    assert calls("echo streamverify worker") == []
    assert complaints("streamverify offsets    what one's group has done") == [
        "the shell cannot read it: No closing quotation"
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["verify", "a.lean", "--nope"], "nope"),
        (["nope"], "no command 'nope'"),
        (["dlq", "list", "too", "many"], "too many arguments"),
        (["results", "--since"], "--since"),
        (["results", "--since", "TIME", "--json"], ""),
    ],
)
def test_what_streamverify_would_refuse_is_said(arguments: list[str], said: str) -> None:
    assert said in complaint(arguments)
    assert bool(complaint(arguments)) is bool(said)
