"""Stand-ins for the programs of the tiers above `audited`: lean, olean-export, leanchecker and nanoda_bin.

The first argument is the name of the one that it plays. The name of the theorem directs them: `hang_at_lean_t` has
`lean` hang, `exit_101_at_nanoda_t` has nanoda end with 101, and so for each word of `misbehave`. What is compiled is
the file itself; what is exported is a proof of `True`, of the name that was asked for. Standard library only.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

VERSION = os.environ.get("FAKE_LEAN_VERSION", "4.99.0")

TRUE = (
    '{"const":{"name":1,"us":[]},"ie":0}',
    '{"in":3,"str":{"pre":1,"str":"rec"}}',
    '{"in":4,"str":{"pre":0,"str":"v"}}',
    '{"il":1,"param":4}',
    '{"in":5,"str":{"pre":0,"str":"motive"}}',
    '{"in":6,"str":{"pre":0,"str":"x"}}',
    '{"ie":1,"sort":1}',
    '{"forallE":{"binderInfo":"default","body":1,"name":6,"type":0},"ie":2}',
    '{"in":7,"str":{"pre":0,"str":"intro"}}',
    '{"bvar":0,"ie":3}',
    '{"const":{"name":2,"us":[]},"ie":4}',
    '{"app":{"arg":4,"fn":3},"ie":5}',
    '{"bvar":2,"ie":6}',
    '{"app":{"arg":3,"fn":6},"ie":7}',
    '{"forallE":{"binderInfo":"default","body":7,"name":6,"type":0},"ie":8}',
    '{"forallE":{"binderInfo":"default","body":8,"name":7,"type":5},"ie":9}',
    '{"forallE":{"binderInfo":"implicit","body":9,"name":5,"type":2},"ie":10}',
    '{"ie":11,"lam":{"binderInfo":"default","body":3,"name":7,"type":5}}',
    '{"ie":12,"lam":{"binderInfo":"default","body":11,"name":5,"type":2}}',
    '{"ie":13,"sort":0}',
    (
        '{"inductive":{"ctors":[{"cidx":0,"induct":1,"isUnsafe":false,"levelParams":[],"name":2,"numFields":0,'
        '"numParams":0,"type":0}],"recs":[{"all":[1],"isUnsafe":false,"k":true,"levelParams":[4],"name":3,"numIndices":0,'
        '"numMinors":1,"numMotives":1,"numParams":0,"rules":[{"ctor":2,"nfields":0,"rhs":12}],"type":10}],'
        '"types":[{"all":[1],"ctors":[2],"isRec":false,"isReflexive":false,"isUnsafe":false,"levelParams":[],"name":1,'
        '"numIndices":0,"numNested":0,"numParams":0,"type":13}]}}'
    ),
)
"""`inductive True : Prop | intro : True`, as olean-export writes it."""


def export(names: list[str]) -> str:
    exporter = '"exporter":{"name":"olean-export","version":"0.4.0"}'
    lines = [
        f'{{"meta":{{{exporter},"format":{{"version":"3.1.0"}},"lean":{{"githash":"x","version":"{VERSION}"}}}}}}',
        '{"in":1,"str":{"pre":0,"str":"True"}}',
        '{"in":2,"str":{"pre":1,"str":"intro"}}',
        *TRUE,
    ]
    index = 8
    for name in names:
        before = 0
        for part in name.split("."):
            lines.append(f'{{"in":{index},"str":{{"pre":{before},"str":{json.dumps(part)}}}}}')
            before, index = index, index + 1
        lines.append(f'{{"thm":{{"all":[{before}],"levelParams":[],"name":{before},"type":0,"value":4}}}}')
    return "\n".join(lines) + "\n"


def misbehave(me: str, text: str) -> None:  # noqa: C901, PLR0912 - a list of tricks
    """Do what a theorem's name in `text` asks of the one that is played."""
    for word, value in re.findall(rf"(?<![a-z])([a-z]+)_(?:([0-9A-Z]+)_)?at_{me}_t", text):
        match word:
            case "exit":
                sys.stderr.write(f"thread 'main' panicked at src/tc.rs:1:1:\n{me} says no\n")
                os._exit(int(value))
            case "signal":
                os.kill(os.getpid(), getattr(signal, value))
                time.sleep(600)
            case "hang":
                time.sleep(600)
            case "stall":
                # Once: the next one that is started does its work.
                if not (marker := Path(os.environ["FAKE_STATE"], "stalled")).exists():
                    marker.touch()
                    time.sleep(600)
            case "eat":
                eaten = []
                while True:
                    eaten.append(bytearray(os.urandom(1 << 20)))
            case "flood":
                while True:
                    os.write(1, b"x" * (1 << 16))
            case "garbage":
                os.write(1, b"\xff\x00{]\n" * 100)
                os._exit(0)
            case "child":
                subprocess.Popen([sys.executable, "-S", "-E", "-c", "import time; time.sleep(600)"])
            case "stdin":
                # The end of stdin is there at once: a program that asks for something does not hang.
                os._exit(0 if sys.stdin.buffer.read() == b"" else 1)


def lean(arguments: list[str]) -> None:
    if arguments == ["--version"]:
        print(f"Lean (version {VERSION}, x86_64, commit 0, Release)")  # noqa: T201
        return
    text = Path(arguments[-1]).read_text()
    misbehave("lean", text)
    Path(arguments[arguments.index("-o") + 1]).write_text(text)


def olean_export(arguments: list[str]) -> None:
    if arguments == ["--version"]:
        print("olean-export 0.4.0")  # noqa: T201
        return
    module = next(word for word in arguments if not word.startswith("-"))
    text = Path(os.environ["LEAN_PATH"].split(os.pathsep)[0], f"{module}.olean").read_text()
    misbehave("export", text)
    names = [word.removeprefix("--const=") for word in arguments if word.startswith("--const=")]
    for name in names:
        if name.rpartition(".")[2] not in text:
            sys.exit(f"error: unknown constant {name}")
    sys.stdout.write(export(names))


def leanchecker_module(module: str) -> None:
    text = Path(os.environ["LEAN_PATH"].split(os.pathsep)[0], f"{module}.olean").read_text()
    if "refused_by_leanchecker" in text:
        sys.exit(f"leanchecker found a problem in {module}\nuncaught exception: (kernel) declaration type mismatch")


def leanchecker(arguments: list[str]) -> None:
    if arguments[0] != "--from-export":
        leanchecker_module(arguments[0])
        return
    text = Path(arguments[-1]).read_text()
    misbehave("leanchecker", text)
    if '"str":"d"' in text or "refused_by_leanchecker" in text:
        print("Lean default kernel rejects the solution: (kernel) declaration type mismatch")  # noqa: T201
        sys.exit(1)
    if "tired_leanchecker" in text:
        print("Lean default kernel rejects the solution: (kernel) deep recursion detected")  # noqa: T201
        sys.exit(1)
    print("Lean default kernel accepts the solution")  # noqa: T201


def nanoda(arguments: list[str]) -> None:
    if arguments == ["--help"]:
        print("nanoda_bin 0.4.10-beta\n\nA type checker")  # noqa: T201
        return
    text = Path(json.loads(Path(arguments[0]).read_text())["export_file_path"]).read_text()
    misbehave("nanoda", text)
    if '"str":"d"' in text:
        sys.stderr.write("thread 'main' panicked at src/tc.rs:1:1:\nassertion failed\n")
        sys.exit(101)


PLAYED = {"lean": lean, "olean-export": olean_export, "leanchecker": leanchecker, "nanoda_bin": nanoda}

if __name__ == "__main__":
    PLAYED[sys.argv[1]](sys.argv[2:])
