"""Cores: cgroup quotas of both versions, wherever on the way to the root they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamverify.lean.resources import available_cores, cgroup_cores

if TYPE_CHECKING:
    from pathlib import Path


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_no_cgroup_means_no_quota(tmp_path: Path) -> None:
    assert cgroup_cores(tmp_path / "cgroup", tmp_path) is None


def test_v2_takes_the_smallest_quota_on_the_way_to_the_root(tmp_path: Path) -> None:
    write(tmp_path / "cgroup", "0::/pod/box\n")
    write(tmp_path / "pod/cpu.max", "150000 100000\n")
    write(tmp_path / "pod/box/cpu.max", "max 100000\n")
    assert cgroup_cores(tmp_path / "cgroup", tmp_path) == 1.5


def test_v2_seen_from_inside_a_container(tmp_path: Path) -> None:
    write(tmp_path / "cgroup", "0::/../../host/path\n")
    write(tmp_path / "cpu.max", "200000 100000\n")
    assert cgroup_cores(tmp_path / "cgroup", tmp_path) == 2


def test_v1(tmp_path: Path) -> None:
    write(tmp_path / "cgroup", "3:cpu,cpuacct:/docker/x\n2:memory:/docker/x\n")
    write(tmp_path / "cpu/docker/x/cpu.cfs_quota_us", "50000\n")
    write(tmp_path / "cpu/docker/x/cpu.cfs_period_us", "100000\n")
    write(tmp_path / "cpu/cpu.cfs_quota_us", "-1\n")
    write(tmp_path / "cpu/cpu.cfs_period_us", "100000\n")
    assert cgroup_cores(tmp_path / "cgroup", tmp_path) == 0.5


def test_here_there_is_at_least_one() -> None:
    assert available_cores() >= 1
