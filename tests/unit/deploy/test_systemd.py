"""The systemd units: systemd understands them, and they agree with what streamverify does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from commands import all_commands
from support import ROOT

from streamverify.core.errors import SettingsError, WorkerFenced
from streamverify.settings import PREFIX, Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path


FOLDER = ROOT / "deploy" / "systemd"
UNITS = sorted(FOLDER.glob("*.service"))
BREAKS_BUBBLEWRAP = {
    *("ProtectKernelTunables", "ProtectKernelLogs", "ProtectProc", "ProcSubset", "PrivatePIDs", "ProtectHostname"),
    *("RestrictNamespaces", "SystemCallFilter", "PrivateUsers", "MemoryDenyWriteExecute", "NoExecPaths"),
}
"""Options with which no sandbox comes up: they cover a part of /proc, or forbid namespaces, mounts or a host name."""


def options(unit: Path) -> dict[str, str]:
    """The options of a unit; none of ours is there twice but `Environment`."""
    pairs = re.findall(r"^(\w+)=(.*)$", unit.read_text("utf-8"), re.MULTILINE)
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)


def command(unit: Path) -> list[str]:
    program, *arguments = options(unit)["ExecStart"].split()
    assert program == "/opt/streamverify/bin/streamverify"
    return arguments


def test_there_is_a_unit_for_each_process() -> None:
    assert [unit.name for unit in UNITS] == [
        *("streamverify-gateway.service", "streamverify-router.service", "streamverify-table.service"),
        "streamverify-worker@.service",
    ]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_has_no_complaint(unit: Path, tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        if os.environ.get("CI"):
            pytest.fail("no systemd-analyze: apt-get install systemd", pytrace=False)
        pytest.skip("no systemd-analyze: apt-get install systemd")
    copy = tmp_path / unit.name
    # Whatever is there to be run: systemd looks whether it is.
    copy.write_text(unit.read_text("utf-8").replace("/opt/streamverify/bin/streamverify", sys.executable), "utf-8")
    started = str(copy).replace("@.", "@1.")
    done = subprocess.run(
        [verify, "verify", "--man=no", started], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr == ""
    assert done.returncode == 0
    # The same question about a unit that is wrong: the answer is no formality.
    copy.write_text(copy.read_text("utf-8").replace("TimeoutStopSec", "TimeoutStopSecs"), "utf-8")
    done = subprocess.run(
        [verify, "verify", "--man=no", started], capture_output=True, text=True, check=False, timeout=60
    )
    assert "Unknown key" in done.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_what_is_started_is_a_command_with_options_of_its_own(unit: Path) -> None:
    name, *flags = command(unit)
    assert name in unit.name
    known = {option for parameter in all_commands()[name].params for option in parameter.opts}
    assert {flag for flag in flags if flag.startswith("--")} <= known


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_waits_for_longer_than_a_drain(unit: Path) -> None:
    # As a flag, which no file of settings can overrule.
    flags = command(unit)
    drain = load_settings(drain_timeout=flags[flags.index("--drain-timeout") + 1]).drain_timeout
    assert int(options(unit)["TimeoutStopSec"]) >= drain + 10
    # SIGTERM to the REPLs would end the proofs that the drain waits for.
    assert options(unit)["KillMode"] == "mixed"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_it_is_not_started_again_where_that_does_harm(unit: Path) -> None:
    found = options(unit)
    assert found["Restart"] == "always"
    kept_off = {int(code) for code in found["RestartPreventExitStatus"].split()}
    named = "--group-instance-id" in command(unit)
    assert kept_off == {SettingsError.exit_code, *([WorkerFenced.exit_code] if named else [])}
    assert (SettingsError.exit_code, WorkerFenced.exit_code) == (2, 6)


def test_each_worker_has_a_name_of_its_own() -> None:
    flags = command(FOLDER / "streamverify-worker@.service")
    assert flags[flags.index("--group-instance-id") + 1] == "%H-%i"
    load_settings(group_instance_id="machine-7.example.org-12")


def test_a_workers_hardening_leaves_bubblewrap_alone() -> None:
    found = options(FOLDER / "streamverify-worker@.service")
    assert not BREAKS_BUBBLEWRAP & found.keys()
    assert "AF_NETLINK" in found["RestrictAddressFamilies"]
    assert found["OOMPolicy"] == "continue"
    for each in UNITS:
        assert options(each)["NoNewPrivileges"] == "yes"
        assert options(each)["CapabilityBoundingSet"] == ""


def test_the_example_of_settings_has_settings() -> None:
    text = (FOLDER / "streamverify.env").read_text("utf-8")
    given = dict(re.findall(rf"^{PREFIX}(\w+)=(.*)$", text, re.MULTILINE))
    assert {name.lower() for name in given} <= Settings.model_fields.keys()
    load_settings(**{name.lower(): value for name, value in given.items()})
    fixed = {flag.removeprefix("--").replace("-", "_") for unit in UNITS for flag in command(unit) if flag[:2] == "--"}
    assert not fixed & {name.lower() for name in given}
