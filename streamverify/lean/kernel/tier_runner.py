"""Takes one proof through the steps that `core.tiers.tier_steps` decides on: runs programs, and reports their ends."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamverify.core.export import ExportLimits
from streamverify.core.messages.models import Assurance, Checker, Reason
from streamverify.core.tiers.ends import ProcessEnd, StepVerdict, judge, last_line, stopped
from streamverify.core.tiers.tier_steps import OWN_READING, Conclusion, Step, TierSteps
from streamverify.lean.kernel.command_lines import (
    MODULE,
    askable,
    compile_command,
    export_command,
    first_error,
    nanoda_config,
    unknown_constant,
    unpack,
)
from streamverify.lean.kernel.step_process import run_step
from streamverify.lean.kernel.tools import digest
from streamverify.lean.repl.sandbox import of_executable
from streamverify.version import __version__

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from streamverify.core.tiers.proof import AuditedProof
    from streamverify.lean.kernel.acceptances import Acceptances
    from streamverify.lean.kernel.step_sandbox import StepSandbox
    from streamverify.lean.kernel.tools import Tool, Tools

MAX_EXPORT = ExportLimits().bytes
"""Bytes of an export: what our own reading takes at most."""
_MAX_OLEANS = 1 << 28
"""Bytes that a compilation sends back at most: they are in the worker's own memory, once and a bit."""
_MAX_WORDS = 1 << 20
_PREFIX = "streamverify-tiers-"
_PACKAGE = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class TierRunner:
    """The programs of a worker, and how they are run."""

    tools: Tools
    sandbox: StepSandbox
    timeout: float
    acceptances: Acceptances

    async def run(self, proof: AuditedProof, target: Assurance) -> Conclusion:
        """Take the proof as far as `target`.

        Raises:
            OSError: The steps' files cannot be written.
            ReplUnavailable: The sandbox is gone.
        """
        async with temporary_folder() as folder:
            return await _StepRunner(self, proof, folder).run_all(TierSteps(target, stated=proof.stated))


class _StepRunner:
    """Runs the steps of one proof in its folder, and keeps what is known of its export meanwhile."""

    def __init__(self, tier_runner: TierRunner, proof: AuditedProof, folder: Path) -> None:
        self._tools, self._sandbox, self._timeout = tier_runner.tools, tier_runner.sandbox, tier_runner.timeout
        self._acceptances = tier_runner.acceptances
        self._proof = proof
        self._folder = folder
        self._sha256 = ""
        self._needs: list[str] = []
        self._has_trusted = False

    async def run_all(self, steps: TierSteps) -> Conclusion:
        """Take one step after the other until there is a conclusion."""
        while not isinstance(step := steps.next, Conclusion):
            match step:
                case Step.COMPILE:
                    await self._compile(steps, step, "proof", self._proof.text)
                case Step.COMPILE_TRUSTED:
                    await self._compile(steps, step, "trusted", self._proof.trusted)
                case Step.EXPORT:
                    await self._export(steps)
                case Step.EXPORT_TRUSTED:
                    await self._export_trusted(steps)
                case Step.NEEDS:
                    await self._ask_needs(steps)
                case Step.READ:
                    await self._read(steps)
                case Step.REPLAY | Step.CROSS_CHECK:
                    await self._check(steps, step)
        return step

    async def _compile(self, steps: TierSteps, step: Step, name: str, text: str) -> None:
        source, compiled = self._folder / f"{name}-source", self._folder / name
        _make(source)
        _make(compiled)
        write_readable(source / f"{MODULE}.lean", text.encode())
        sent = bytearray()
        # Without a compiler there is no tier runner: `find_reachable_tiers` sees to that.
        lean = self._tools.lean.argv[0] if self._tools.lean else ""
        argv = compile_command(lean, source, confined=self._sandbox.is_confined)
        # The command of the sandbox is a shell: it does not know that Lean is what this step runs.
        end = await self._run(argv, [source, *of_executable(Path(lean))], max_output=_MAX_OLEANS, take=sent.extend)
        if not end.is_success:
            words = first_error(end.err, f"{source}/")
            steps.failed(step, stopped(end) or StepVerdict("declined", f"Lean did not accept it: {words}".rstrip(": ")))
            return
        try:
            files = unpack(sent)
        except ValueError as error:
            steps.failed(step, StepVerdict("declined", str(error)))
            return
        for suffix, data in files.items():
            write_readable(compiled / f"{MODULE}.{suffix}", data)
        steps.done(step)

    async def _export(self, steps: TierSteps) -> None:
        """Export the theorems of the proof, and take the digest of what was written: nobody else writes that file."""
        kind = _name(self._tools.exporter)
        names = [askable(kind, theorem) for theorem in self._proof.theorems]
        if not names or None in names:
            odd = next((".".join(each) for each in self._proof.theorems if askable(kind, each) is None), "")
            steps.failed(Step.EXPORT, StepVerdict("declined", f"{kind} cannot be asked for the name {odd}"))
            return
        end, digest = await self._export_to("proof", [name for name in names if name])
        if not end.is_success:
            steps.failed(Step.EXPORT, _failure(end, f"{kind} did not export it"))
            return
        self._sha256 = digest
        steps.exported(digest)

    async def _export_trusted(self, steps: TierSteps) -> None:
        kind = _name(self._tools.exporter)
        theorems = [askable(kind, each) or "" for each in self._proof.theorems] if self._proof.stated else []
        end, _ = await self._export_to("trusted", [*theorems, *self._needs])
        unknown = unknown_constant(end.err)
        if end.is_success:
            self._has_trusted = True
            steps.done(Step.EXPORT_TRUSTED)
        elif unknown in self._needs:
            steps.lacks(str(unknown), Checker(name=OWN_READING, version=__version__, outcome="refused"))
        else:
            steps.failed(Step.EXPORT_TRUSTED, _failure(end, f"{kind} did not export it"))

    async def _export_to(self, name: str, constants: Sequence[str]) -> tuple[ProcessEnd, str]:
        exporter = self._tools.exporter
        argv = export_command(_name(exporter), exporter.argv if exporter else (), constants)
        digest = hashlib.sha256()
        write_readable(self._file(name), b"")
        with self._file(name).open("wb") as file:

            def take(chunk: bytes) -> None:
                file.write(chunk)
                digest.update(chunk)

            compiled = self._folder / name
            end = await self._run(argv, [compiled], [compiled], max_output=MAX_EXPORT, take=take)
        return end, digest.hexdigest()

    async def _ask_needs(self, steps: TierSteps) -> None:
        end, answer = await self._ask_reader(theorems=None)
        needs = answer.get("needs")
        if isinstance(needs, list):
            self._needs = [str(name) for name in needs]
            steps.needs(self._needs)
        else:
            steps.failed(Step.NEEDS, _failure(end, "the reading did not answer"))

    async def _read(self, steps: TierSteps) -> None:
        end, answer = await self._ask_reader(theorems=self._proof.theorems)
        outcome, words = answer.get("outcome"), str(answer.get("message", ""))
        reason = Reason.KERNEL
        if outcome in {"accepted", "refused"} and answer.get("sha256") != self._sha256:
            step_verdict = StepVerdict("declined", "the reading has read other bytes than were written")
        elif outcome == "accepted":
            step_verdict = StepVerdict("accepted", "")
        elif outcome == "refused":
            step_verdict, reason = StepVerdict("refused", words), Reason(answer["reason"])
        elif outcome == "declined":
            step_verdict = StepVerdict("declined", words)
        else:
            step_verdict = _failure(end, "it did not answer")
        by = Checker(name=OWN_READING, version=__version__, outcome=step_verdict.outcome, seconds=round(end.seconds, 6))
        steps.read(by, step_verdict, reason)

    async def _ask_reader(self, *, theorems: Sequence[tuple[str, ...]] | None) -> tuple[ProcessEnd, dict[str, Any]]:
        """Run our own reading in a process of its own: it reads what a hostile process may have written."""
        files = {name: self._file(name) for name in ("proof", *(("trusted",) if self._has_trusted else ()))}
        job = self._folder / "read.json"
        trusted = str(files["trusted"]) if self._has_trusted else None
        asked = {
            "proof": str(files["proof"]),
            "trusted": trusted,
            "stated": self._proof.stated,
            "is_module": self._proof.is_module,
            "theorems": theorems,
        }
        write_readable(job, json.dumps(asked).encode())
        python = [Path(sys.prefix), Path(sys.base_prefix), _PACKAGE]
        argv = [sys.executable, "-P", "-m", "streamverify.lean.kernel.reader", str(job)]
        end = await self._run(argv, [*files.values(), job, *python], max_output=_MAX_WORDS)
        try:
            answer = json.loads(end.out) if end.is_success else {}
        except ValueError:
            answer = {}
        return end, answer if isinstance(answer, dict) else {}

    async def _check(self, steps: TierSteps, step: Step) -> None:
        """Have a kernel judge the export, unless this very program has accepted these very bytes before."""
        tool = self._tools.replayer if step is Step.REPLAY else self._tools.kernel
        name = _name(tool)
        # What `leanchecker MODULE` judges is the compiled file with its imports, of which no digest is known here.
        kept = tool is not None and name != "leanchecker.olean"
        if tool is not None and kept and await self._acceptances.knows(self._sha256, tool):
            steps.judged(
                step, Checker(name=name, version=tool.version, outcome="accepted"), StepVerdict("accepted", "")
            )
            return
        end = await ask_kernel(self._sandbox, tool, self._folder, self._timeout)
        step_verdict = judge(name, end)
        version = None if tool is None else tool.version
        by = Checker(name=name, version=version, outcome=step_verdict.outcome, seconds=round(end.seconds, 6))
        is_kept = tool is not None and kept and step_verdict.outcome == "accepted"
        # Not where it was replaced meanwhile: this may be the word of the new program, or of the old one.
        if tool is not None and is_kept and await asyncio.to_thread(digest, tool.argv) == tool.digest:
            await self._acceptances.remember(self._sha256, tool)
        steps.judged(step, by, step_verdict)

    async def _run(
        self, argv: Sequence[str], read: Sequence[Path], lean_path: Sequence[Path] = (), **how: Any
    ) -> ProcessEnd:
        command = self._sandbox.command(argv, read=read, lean_path=lean_path, folder=self._folder)
        return await run_step(command, timeout=self._timeout, **how)

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.ndjson"


async def ask_kernel(sandbox: StepSandbox, tool: Tool | None, folder: Path, timeout: float) -> ProcessEnd:
    """Have a kernel judge the export in a proof's folder, or the compiled module if that is all that it can judge."""
    export, compiled = folder / "proof.ndjson", folder / "proof"
    name = _name(tool)
    argv, read, lean_path = list(tool.argv) if tool else [], [export], []
    if name == "leanchecker.olean":
        argv, read, lean_path = [*argv, MODULE], [compiled], [compiled]
    elif name == "leanchecker":
        argv += ["--from-export", str(export)]
    elif name == "nanoda":
        config = folder / "nanoda.json"
        write_readable(config, nanoda_config(export))
        argv, read = [*argv, str(config)], [config, export]
    else:
        argv += [str(export)]
    command = sandbox.command(argv, read=read, lean_path=lean_path, folder=folder)
    return await run_step(command, timeout=timeout, max_output=_MAX_WORDS)


def _make(folder: Path) -> None:
    """Make a folder that another user can read: in the sandbox a step is one."""
    folder.mkdir()
    folder.chmod(0o755)


def write_readable(file: Path, data: bytes | memoryview) -> None:
    """Write a file that another user can read."""
    file.write_bytes(data)
    file.chmod(0o644)


def _name(tool: Tool | None) -> str:
    return "" if tool is None else tool.name


def _failure(end: ProcessEnd, otherwise: str) -> StepVerdict:
    """Word the end of a step that judges nothing and has not done its work."""
    return stopped(end) or StepVerdict("declined", f"{otherwise}: {last_line(end.err)}".rstrip(": "))


@asynccontextmanager
async def temporary_folder() -> AsyncIterator[Path]:
    """Make a folder for the files of one proof, and remove it.

    The outer folder is closed to other users of the machine; the inner one can be read in the sandbox, where the outer
    one is not. Its lock tells the next worker whose folders a killed one has left behind.
    """
    outer = Path(tempfile.mkdtemp(prefix=_PREFIX))
    lock = os.open(outer / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        inner = outer / "files"
        _make(inner)
        yield inner
    finally:
        shutil.rmtree(outer, ignore_errors=True)
        os.close(lock)


def remove_leftovers() -> int:
    """Remove the folders of workers that were killed. Returns how many there were."""
    removed = 0
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            lock = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
                removed += 1
            finally:
                os.close(lock)
    return removed
