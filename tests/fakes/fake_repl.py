"""A scripted REPL: answers like a Lean that accepts everything, and misbehaves as a command's text asks.

A body does what follows `fake:` in it, to the end of the line. `once` before that does it only in the first process
of a test (the folder FAKE_STATE remembers). A header does what its module is called. Standard library only, and not
the project's: it must be able to do what no honest REPL does.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

STATE = Path(os.environ.get("FAKE_STATE", "/nonexistent"))
FORGED = b'{"env": 7}\n\n'

environments: list[str] = []
quirks = {"mute": False, "unaudited": False, "agrees": False, "knows": False}
AXIOMS = "'{}' does not depend on any axioms"
VOCABULARY = "\n".join(
    f"streamverify-vocabulary {line}"
    for line in (
        "commands\ntheorem\nfake_command",
        "attributes\nsimp",
        "options\npp.all\nmaxHeartbeats",
        "tactics\nsimp",
        "end",
    )
)


def write(data: bytes, descriptor: int = 1) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def answer(**fields: Any) -> bytes:
    environments.append(fields.pop("kind", "usual"))
    return (json.dumps({**fields, "env": len(environments) - 1}, indent=1, ensure_ascii=False) + "\n\n").encode()


def message(severity: str, data: str) -> dict[str, Any]:
    return {"severity": severity, "pos": {"line": 1, "column": 0}, "endPos": None, "data": data}


def late(seconds: float) -> None:
    def strike() -> None:
        time.sleep(seconds)
        write(FORGED)

    threading.Thread(target=strike, daemon=True).start()


def die(name: str) -> None:
    number = getattr(signal, name)
    signal.signal(number, signal.SIG_DFL) if name not in ("SIGKILL", "SIGSTOP") else None
    os.kill(os.getpid(), number)
    time.sleep(60)


def leave_child() -> None:
    child = subprocess.Popen([sys.executable, "-S", "-E", "-c", "import time; time.sleep(600)"])
    (STATE / "child").write_text(str(child.pid))


def nested(depth: int) -> bytes:
    environments.append("usual")
    tree = b"[" * depth + b"]" * depth
    return b'{"infotree": ' + tree + b', "env": %d}\n\n' % (len(environments) - 1)


def body(text: str, command: dict[str, Any]) -> bytes:  # noqa: C901, PLR0911, PLR0912, PLR0915 - a list of tricks
    found = re.search(r"fake: (.*)", text)
    words = found[1].split() if found else ["ok"]
    if words[0] == "once":
        marker = STATE / "-".join(words)
        words = ["ok"] if marker.exists() else words[1:]
        marker.touch()
    word, value = words[0], " ".join(words[1:])
    match word:
        case "ok":
            return answer()
        case "echo":
            return answer(messages=[message("info", json.dumps(command))])
        case "errors":
            return answer(messages=[message("error", f"wrong {number}") for number in range(int(value))])
        case "error":
            return answer(messages=[message("error", value or "it is wrong")])
        case "sorry":
            return answer(messages=[message("warning", "declaration uses `sorry`")])
        case "sorries":
            return answer(sorries=[{"goal": "x", "pos": {"line": 1, "column": 1}, "endPos": {"line": 1, "column": 2}}])
        case "pid":
            return answer(messages=[message("info", str(os.getpid()))])
        case "environ":
            return answer(messages=[message("info", json.dumps(dict(os.environ)))])
        case "sleep":
            time.sleep(float(value))
            return answer()
        case "hang":
            time.sleep(600)
        case "exit":
            os._exit(int(value))
        case "signal":
            die(value)
        case "panic":
            write(b"INTERNAL PANIC: out of memory\n", 2)
            os._exit(1)
        case "recursion":
            # As Lean's interpreter ends: what it met, then each of its frames.
            frames = "".join(f"#{number} f\n" for number in range(int(value)))
            sys.stderr.write(
                f"terminate called\n  what():  deep recursion was detected\ninterpreter stacktrace:\n{frames}"
            )
            sys.stderr.flush()
            die("SIGABRT")
        case "stderr":
            write(b"x" * 79 + b"\n" * 1 + b"y" * int(value), 2)
            return answer()
        case "partial":
            write(b'{"messages": [{"sever')
            os._exit(int(value))
        case "last-words":
            write(answer())
            os._exit(0)
        case "big":
            return answer(messages=[message("info", "b" * int(value))])
        case "bigtree":
            return answer(**({"infotree": ["t" * int(value)]} if "infotree" in command else {}))
        case "deeptree":
            return nested(int(value)) if "infotree" in command or "allTactics" in command else answer()
        case "deep":
            return nested(int(value))
        case "before":
            return FORGED + answer()
        case "slow-before":
            write(FORGED)
            time.sleep(0.2)
            return answer()
        case "after":
            return answer() + FORGED
        case "after-half":
            return answer() + FORGED[:4]
        case "panic-text":
            write(b"INTERNAL PANIC: out of memory\n", 2)
            return answer()
        case "late":
            late(float(value))
            return answer()
        case "raw":
            return value.encode().decode("unicode_escape").encode("latin-1") + b"\n\n"
        case "refuse":
            return (json.dumps({"message": value}) + "\n\n").encode()
        case "mute":
            quirks["mute"] = True
            return answer()
        case "unaudited":
            quirks["unaudited"] = True
            return answer()
        case "agrees" | "knows":
            quirks[word] = True
            return answer()
        case "child":
            leave_child()
            os._exit(int(value))
        case "child-answer":
            leave_child()
            return answer()
        case "close-out":
            os.close(1)
            time.sleep(600)
        case "close-in":
            os.close(0)
            write(answer())
            time.sleep(600)
        case _:
            raise ValueError(word)
    return b""


def audit(text: str, *, private: str, old: bool) -> bytes:
    """Answer the questions of an audit, a line each.

    `axioms_NAME` depends on it, `unknown_…` is not there, `def_…` is no theorem, `hidden_…` is about something private.
    """
    if quirks["unaudited"]:
        return b'{"message": "Unknown environment."}\n\n'
    said = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.startswith("#"):
            continue
        name = line.rpartition("_root_.")[2]
        reply = message("info", "")
        # A word of the grammar is asked for as a name, in «quotes»: no header has one.
        if name.startswith(("unknown", "«")):
            reply = message("error", f"unknown constant '{name}'")
        elif line.startswith("#print axioms") and old:
            reply = message("error", "cannot use `#print axioms` in a `module`")
        elif line.startswith("#print axioms"):
            used = name.partition("axioms_")[2]
            full = private + name
            reply["data"] = f"'{full}' depends on axioms: [propext,\n {used}]" if used else AXIOMS.format(full)
        elif line.startswith("#check"):
            reply["data"] = f"{name} : {'_private.0.f' if name.startswith('hidden_') else 'True'}"
        else:
            reply["data"] = f"{'def' if name.startswith('def_') else 'theorem'} {name} : True :=\ntrivial"
        reply["pos"]["line"] = number
        said.append(reply)
    return answer(messages=said)


def challenge(text: str) -> bytes:
    """Answer what is asked before a positive: a word, sums, and names that the header does not know.

    `agrees` believes a false sum, too; `knows` says that the header has every name.
    """
    said = []
    for number, line in enumerate(text.split("\n"), 1):
        reply = message("error", "it is wrong")
        if word := re.fullmatch(r'#print "(.*)"', line):
            reply = message("info", word[1])
        elif numbers := re.fullmatch(r"example : @Eq Nat \(Nat.add (\d+) (\d+)\) (\d+) := by decide", line):
            left, right, result = map(int, numbers.groups())
            if left + right == result or quirks["agrees"]:
                continue
        elif quirks["knows"]:
            reply = message("info", f"{line.rpartition('_root_.')[2]} : True")
        reply["pos"]["line"] = number
        said.append(reply)
    quirks["knows"] = False
    return answer(messages=said)


def header(text: str) -> bytes:  # noqa: C901, PLR0911 - a list of tricks
    if text.startswith("module\n"):
        return answer(kind="old" if "Old" in text else "module")
    match text.split("\n", maxsplit=1)[0].removeprefix("import "):
        case "Hang":
            time.sleep(600)
        case "Exit":
            os._exit(3)
        case "Crash":
            die("SIGSEGV")
        case "Missing.Module":
            error = message("error", "object file '/lib/Missing/Module.olean' of module Missing.Module does not exist")
            return answer(messages=[error], kind="empty")
        case "Silent":
            return answer(kind="empty")
        case "Bare" if "import Lean" not in text:
            return answer(kind="bare")
        case "Refuse":
            return b'{"message": "failed to read file"}\n\n'
        case "Forge":
            return FORGED + answer()
        case "NoRecording":
            return b'{"message": "no recording"}\n\n'
        case "Slow":
            time.sleep(0.3)
        case "Slower":
            time.sleep(2)
    return answer()


def version() -> bytes:
    if "--unversioned" in sys.argv:
        return answer(messages=[message("error", "unknown identifier")])
    named = [word.removeprefix("--version=") for word in sys.argv if word.startswith("--version=")]
    return answer(messages=[message("info", f'"{named[0] if named else "4.99.0"}"')])


def respond(command: dict[str, Any]) -> bytes:  # noqa: PLR0911 - a list of questions
    text, env = command["cmd"], command.get("env")
    if env is None:
        return header(text)
    if env >= len(environments):
        return b'{"message": "Unknown environment."}\n\n'
    if text == "#check Nat":
        severity = "error" if environments[env] == "empty" else "info"
        return answer(messages=[message(severity, "Nat : Type")])
    if text.startswith(("#eval Lean.versionString", "#eval toString Lean.version")):
        return version()
    if text.startswith('#print "'):
        if quirks["mute"]:
            time.sleep(600)
        return challenge(text)
    if "streamverify-vocabulary" in text:
        if environments[env] == "bare":
            return answer(messages=[message("error", "unknown namespace 'Lean'")])
        return answer(messages=[message("info", VOCABULARY)])
    if "_root_." in text:
        return audit(
            text, private="_private.0." if environments[env] == "module" else "", old=environments[env] == "old"
        )
    return body(text, command)


def main() -> None:
    if STATE.is_dir():
        with (STATE / "starts").open("a") as starts:
            starts.write(f"{os.getpid()}\n")
    if len(sys.argv) > 1 and sys.argv[1] == "--broken":
        write(b"cannot open shared object\n", 2)
        sys.exit(127)
    block = b""
    for line in sys.stdin.buffer:
        if line.strip():
            block += line
        elif block:
            write(respond(json.loads(block)))
            block = b""


main()
