"""Cores and memory: limits of both cgroup versions, wherever on the way to the root they stand, and what fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streamverify.lean.repl.command import ReplCommand
from streamverify.lean.repl.resources import (
    GIB,
    LEAN_BYTES,
    LEAN_LIBRARIES,
    MATHLIB_BYTES,
    MATHLIB_LIBRARIES,
    STAND_IN_BYTES,
    WORKERS_OWN,
    SlotPlan,
    available_cores,
    cgroup_cores,
    memory_bytes,
    memory_needed,
    plan_for,
    plan_slots,
    shared_bytes,
    with_threads,
)
from streamverify.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def cores(folder: Path, membership: str, **files: str) -> float | None:
    write(folder, **{"proc/self/cgroup": membership}, **{f"cg/{name}": text for name, text in files.items()})
    return cgroup_cores(folder / "proc", folder / "cg")


def memory(folder: Path, membership: str, meminfo: str, **files: str) -> int | None:
    write(folder, **{"proc/self/cgroup": membership, "proc/meminfo": meminfo})
    write(folder, **{f"cg/{name}": text for name, text in files.items()})
    return memory_bytes(folder / "proc", folder / "cg")


def test_no_cgroup_means_no_quota(tmp_path: Path) -> None:
    assert cgroup_cores(tmp_path, tmp_path) is None


def test_cores_v2_takes_the_smallest_quota_on_the_way_to_the_root(tmp_path: Path) -> None:
    files = {"pod/cpu.max": "150000 100000\n", "pod/box/cpu.max": "max 100000\n"}
    assert cores(tmp_path, "0::/pod/box\n", **files) == 1.5


def test_cores_v2_seen_from_inside_a_container(tmp_path: Path) -> None:
    assert cores(tmp_path, "0::/../../host/path\n", **{"cpu.max": "200000 100000\n"}) == 2


def test_cores_v1(tmp_path: Path) -> None:
    files = {
        "cpu/docker/x/cpu.cfs_quota_us": "50000\n",
        "cpu/docker/x/cpu.cfs_period_us": "100000\n",
        "cpu/cpu.cfs_quota_us": "-1\n",
        "cpu/cpu.cfs_period_us": "100000\n",
    }
    assert cores(tmp_path, "3:cpu,cpuacct:/docker/x\n2:memory:/docker/x\n", **files) == 0.5


def test_memory_v2(tmp_path: Path) -> None:
    files = {"a/b/memory.max": "max\n", "a/memory.max": "2147483648\n"}
    assert memory(tmp_path, "0::/a/b\n", "MemTotal:  8388608 kB\nMemFree: 1 kB\n", **files) == 2 * GIB


def test_memory_v1(tmp_path: Path) -> None:
    files = {"memory/memory.limit_in_bytes": "1073741824\n"}
    assert memory(tmp_path, "3:cpu:/x\n2:memory:/host/path\n", "MemTotal: 8388608 kB\n", **files) == GIB


def test_memory_without_limits(tmp_path: Path) -> None:
    files = {"memory/memory.limit_in_bytes": "9223372036854771712\n"}
    assert memory(tmp_path, "2:memory:/\n", "MemTotal: 8388608 kB\n", **files) == 8 * GIB
    assert memory_bytes(tmp_path / "none", tmp_path / "none") is None


@pytest.mark.parametrize(
    ("asked", "per_repl", "memory_here", "expected"),
    [
        (None, 4 * GIB, 64 * GIB, (8, 4, 0)),
        (None, 4 * GIB, 33 * GIB, (8, 0, 0)),
        (None, GIB, 64 * GIB, (8, 8, 0)),
        (None, 4 * GIB, 16 * GIB, (4, 0, 1)),
        (None, 4 * GIB, GIB, (1, 0, 2)),
        (None, 4 * GIB, None, (8, 0, 0)),
        (2, 4 * GIB, 16 * GIB, (2, 1, 0)),
        (6, 4 * GIB, 16 * GIB, (6, 0, 1)),
        (16, GIB, 64 * GIB, (16, 16, 1)),
    ],
)
def test_slots_are_what_cores_and_memory_allow(
    asked: int | None, per_repl: int, memory_here: int | None, expected: tuple[int, int, int]
) -> None:
    """Expected: slots, spares, warnings."""
    plan = plan_slots(asked, per_repl, 8, memory_here)
    assert (plan.slots, plan.spares, len(plan.warnings)) == expected, plan.warnings


def test_what_all_share_is_no_slots() -> None:
    """Libraries are mapped once, however many REPLs there are."""
    plan = plan_slots(None, 4 * GIB, 8, 18 * GIB, shared=3 * GIB)
    assert (plan.slots, plan.shared) == (3, 3 * GIB)
    assert plan_slots(None, 4 * GIB, 8, 2 * GIB, shared=3 * GIB).slots == 1
    assert "memory is for 3 slots" in plan_slots(4, 4 * GIB, 8, 18 * GIB, shared=3 * GIB).warnings[0]


@pytest.mark.parametrize(("slots", "threads"), [(1, 8), (3, 2), (8, 1), (16, 1)])
def test_each_lean_gets_its_share_of_the_cores(slots: int, threads: int) -> None:
    assert SlotPlan(slots, 0, 8, None, GIB).threads == threads


def test_settings_decide_where_they_say_something() -> None:
    plan = plan_for(load_settings(slots=3, memory_per_repl="512MiB"), None)
    assert (plan.slots, plan.memory_per_repl) == (3, GIB // 2)
    assert plan_for(load_settings(), None).memory_per_repl == STAND_IN_BYTES


def test_mathlib_needs_more_than_lean(tmp_path: Path) -> None:
    command = ReplCommand(("repl",), {"LEAN_PATH": "lib"}, tmp_path, "lean", wrapped=False)
    assert memory_needed(command) == LEAN_BYTES
    assert shared_bytes(command) == WORKERS_OWN + LEAN_LIBRARIES
    write(tmp_path, **{"lib/Mathlib.olean": ""})
    assert memory_needed(command) == MATHLIB_BYTES
    assert shared_bytes(command) == WORKERS_OWN + MATHLIB_LIBRARIES
    assert plan_for(load_settings(), command).shared == shared_bytes(command)
    assert memory_needed(ReplCommand(("repl",), {}, None, "replay", wrapped=False)) == STAND_IN_BYTES


def test_the_number_of_threads_is_in_the_environment_unless_somebody_chose_one() -> None:
    command = ReplCommand(("repl",), {"A": "b"}, None, "lean", wrapped=False)
    assert with_threads(command, 2).env == {"A": "b", "LEAN_NUM_THREADS": "2"}
    assert with_threads(with_threads(command, 2), 3).env == {"A": "b", "LEAN_NUM_THREADS": "2"}


def test_here_there_is_something() -> None:
    assert available_cores() >= 1
    size = memory_bytes()
    assert size is not None
    assert size > 1 << 20
