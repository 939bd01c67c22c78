"""The filter as the kernel would run it."""

from __future__ import annotations

import errno
import struct

import pytest

from streamverify.lean.repl.seccomp import filter_program

ALLOW, KILL, FAIL = 0x7FFF0000, 0x80000000, 0x00050000
X86, ARM = 0xC000003E, 0xC00000B7
NEW_USER, NEW_NET, THREAD = 0x10000000, 0x40000000, 0x003D0F00

MACHINES = [("x86_64", X86), ("aarch64", ARM)]


def verdict(program: bytes, audit: int, number: int, argument: int = 0) -> int:
    """What the kernel's interpreter of classic BPF makes of one system call."""
    data = struct.pack("=IIQ6Q", number, audit, 0, argument, 0, 0, 0, 0, 0)
    steps = list(struct.iter_unpack("=HBBI", program))
    at, held = 0, 0
    while True:
        code, if_true, if_false, value = steps[at]
        at += 1
        match code:
            case 0x20:
                held = struct.unpack_from("=I", data, value)[0]
            case 0x06:
                return int(value)
            case 0x15:
                at += if_true if held == value else if_false
            case 0x35:
                at += if_true if held >= value else if_false
            case 0x45:
                at += if_true if held & value else if_false
            case _:
                raise AssertionError(code)


def program(machine: str) -> bytes:
    found = filter_program(machine)
    assert found
    return found


@pytest.mark.parametrize(("machine", "audit"), MACHINES)
def test_every_number_has_a_verdict(machine: str, audit: int) -> None:
    code = program(machine)
    verdicts = [verdict(code, audit, number) for number in range(600)]
    assert set(verdicts) == {ALLOW, FAIL | errno.EPERM, FAIL | errno.ENOSYS, FAIL | errno.EAFNOSUPPORT}
    assert verdicts.count(FAIL | errno.EPERM) == 38
    assert verdicts[435] == FAIL | errno.ENOSYS
    assert len(code) % 8 == 0
    assert len(code) // 8 < 4096


@pytest.mark.parametrize(
    ("machine", "audit", "refused", "allowed"),
    [
        # ptrace, mount, unshare, bpf, io_uring_setup; read, write, mmap, fork, execve, exit_group
        ("x86_64", X86, (101, 165, 272, 321, 425), (0, 1, 9, 57, 59, 231)),
        ("aarch64", ARM, (117, 40, 97, 280, 425), (63, 64, 222, 221, 94)),
    ],
)
def test_what_a_proof_may_call(machine: str, audit: int, refused: tuple[int, ...], allowed: tuple[int, ...]) -> None:
    code = program(machine)
    assert {verdict(code, audit, number) for number in refused} == {FAIL | errno.EPERM}
    assert {verdict(code, audit, number) for number in allowed} == {ALLOW}


@pytest.mark.parametrize(("machine", "audit", "clone"), [("x86_64", X86, 56), ("aarch64", ARM, 220)])
def test_threads_are_made_and_namespaces_are_not(machine: str, audit: int, clone: int) -> None:
    code = program(machine)
    assert verdict(code, audit, clone, THREAD) == ALLOW
    assert verdict(code, audit, clone, 17) == ALLOW
    for flag in (NEW_USER, NEW_NET, NEW_USER | THREAD):
        assert verdict(code, audit, clone, flag) == FAIL | errno.EPERM


@pytest.mark.parametrize(("machine", "audit", "number"), [("x86_64", X86, 41), ("aarch64", ARM, 198)])
def test_sockets_are_local_only(machine: str, audit: int, number: int) -> None:
    code = program(machine)
    assert verdict(code, audit, number, 1) == ALLOW
    assert {verdict(code, audit, number, family) for family in (2, 10, 16, 38, 40)} == {FAIL | errno.EAFNOSUPPORT}


def test_another_abi_is_no_way_round() -> None:
    assert verdict(program("x86_64"), 0x40000003, 26) == KILL  # i386
    assert verdict(program("aarch64"), 0x40000028, 26) == KILL  # arm
    assert verdict(program("x86_64"), X86, 0x40000000 | 101) == FAIL | errno.ENOSYS  # x32


def test_a_machine_that_is_not_known_has_no_filter() -> None:
    assert filter_program("riscv64") is None
