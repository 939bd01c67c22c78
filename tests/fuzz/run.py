"""`python tests/fuzz/run.py [SECONDS]`: atheris on every target, the time divided among them; 1 where one breaks.

What breaks a target is kept in `.fuzz/`, with the corpus that was found, and is shown. atheris is in the extra `fuzz`.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parent.parent
FOLDER = TESTS.parent / ".fuzz"
MAX_INPUT = 4096


def run_one(name: str, seconds: int) -> None:
    """Fuzz one target in this process, which libFuzzer ends."""
    atheris: Any = importlib.import_module("atheris")  # there are wheels of it for some Pythons only
    with atheris.instrument_imports(include=["streamverify"]):
        from fuzz.targets import TARGETS, seeds  # noqa: PLC0415 - it instruments what is imported here

    corpus = FOLDER / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(name)):
        (corpus / f"seed-{number}").write_bytes(seed)
    flags = (f"-max_total_time={seconds}", f"-max_len={MAX_INPUT}", "-timeout=10", "-print_final_stats=1")
    atheris.Setup([sys.argv[0], *flags, f"-artifact_prefix={FOLDER}/{name}-", str(corpus)], TARGETS[name])
    atheris.Fuzz()


def run_all(seconds: int) -> int:
    """Fuzz each target in a process of its own; how many broke."""
    from fuzz.targets import TARGETS  # noqa: PLC0415 - see run_one

    broken = 0
    for name in TARGETS:
        share = max(1, seconds // len(TARGETS))
        words = (sys.executable, __file__, str(share), "--target", name)
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
        lines = done.stderr.splitlines()
        runs = next((line.split()[-1] for line in lines if "number_of_executed_units" in line), "?")
        print(f"{name}: {'broken' if done.returncode else 'held'}, {runs} inputs in {share} s", flush=True)
        if done.returncode:
            broken += 1
            print("\n".join((done.stdout.splitlines() + lines)[-40:]), flush=True)
    return broken


def main() -> None:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seconds", type=int, nargs="?", default=60)
    parser.add_argument("--target", help="only this one, in this process")
    args = parser.parse_args()
    sys.path.insert(0, str(TESTS))
    if args.target:
        run_one(args.target, args.seconds)
    else:
        sys.exit(min(1, run_all(args.seconds)))


if __name__ == "__main__":
    main()
