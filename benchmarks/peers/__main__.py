"""LeanInteract, kimina's server and us: the same machine, executable and file of proofs, one table.

    python -m benchmarks.peers                                   # the synthetic REPL, LeanInteract and us
    python -m benchmarks.peers --kimina ../kimina-lean-server    # kimina's server, too, from a checkout of it
    STREAMVERIFY_TEST_REPL=/path/to/repl python -m benchmarks.peers --header 'import Lean' --header 'import Lean.Elab'

Each has as many REPLs (`--slots`), as many proofs on their way (`--in-flight`), the same time-out, and is sent small
proofs of every header before the clock starts. What each gets besides is in benchmarks/README.md. The others are
installed by pip into virtual environments of their own (`--venvs`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from benchmarks.end_to_end import a_broker
from benchmarks.peers import cases as made
from benchmarks.peers import environments, systems
from benchmarks.peers.bare import BareRepl, lean_seconds
from benchmarks.peers.figures import markdown, row, table
from streamverify.core.errors import StreamVerifyError
from streamverify.core.messages.models import Assurance
from streamverify.lean.repl.launch import find_repl

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.peers.cases import Case
    from benchmarks.peers.figures import Row, Run
    from streamverify.lean.repl.command import ReplCommand

SYNTHETIC = f"synthetic --default-import 0.5 --import {made.NOT_THERE}=0.1:error"
"""Imports that take as long as those of a Lean of 2021, and one that fails."""
SYSTEMS = ("lean-interact-whole", "lean-interact-env", "kimina-check", "kimina-verify", "ours-checked", "ours-audited")


def chosen(args: argparse.Namespace, command: ReplCommand) -> list[Case]:
    """Return the cases of the file that is named, or those of our own for this executable."""
    synthetic = command.kind == "synthetic"
    args.header = args.header or list(made.HEADERS_OF_SYNTHETIC if synthetic else made.HEADERS_OF_2021)
    if args.file:
        return made.from_lines(args.file.read_text("utf-8"))
    repl = BareRepl(command)
    try:
        reports_sorries = repl.reports_sorries()
    finally:
        repl.close()
    return [
        *made.timed(args.proofs, args.header, synthetic=synthetic),
        *made.traps(args.header, synthetic=synthetic, timeout=args.timeout, reports_sorries=reports_sorries),
    ]


def runs(args: argparse.Namespace, plan: systems.Plan, *, stand_in: bool) -> Iterator[Run]:
    """Run each system, one after the other. A stand-in cannot be asked what an audit asks."""
    left_out = ["kimina"] * (not args.kimina) + ["ours-audited"] * stand_in
    wanted = args.system or [name for name in SYSTEMS if not name.startswith(tuple(left_out))]
    if names := [name for name in wanted if name.startswith("lean-interact")]:
        python, version = environments.lean_interact(args.venvs)
        for name in names:
            yield systems.lean_interact(plan, python, version, name.rpartition("-")[2])
    if names := [name for name in wanted if name.startswith("kimina")]:
        python, extra = environments.kimina(args.venvs, args.kimina)
        for name in names:
            yield systems.kimina(plan, python, extra, args.kimina, name.rpartition("-")[2])
    if names := [name for name in wanted if name.startswith("ours")]:
        with a_broker(args.broker) as servers:
            for name in names:
                yield asyncio.run(systems.ours(plan, servers, args.broker, Assurance(name.rpartition("-")[2])))


def main() -> None:
    """Run what is named, and print the table and what was wrong."""
    args = parse()
    # What a worker would refuse, because a person might mistake it for a Lean of today: here it is meant.
    os.environ.setdefault("STREAMVERIFY_MIN_LEAN_VERSION", "any")
    os.environ.setdefault("STREAMVERIFY_LOG_LEVEL", "error")
    try:
        command = asyncio.run(find_repl(args.repl, args.project))
        cases = chosen(args, command)
    except (StreamVerifyError, OSError, ValueError) as error:
        raise SystemExit(f"error: {error}") from None
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = args.out / "peers-cases.jsonl"
        file.write_text(made.to_lines(cases), "utf-8")
        plan = systems.Plan(
            repl=args.repl,
            script=environments.executable(folder / "repl", command),
            lake=Path("lake") if args.project else environments.lake(folder),
            project=args.project,
            slots=args.slots,
            in_flight=args.in_flight,
            timeout=args.timeout,
            memory=args.memory,
            headers=args.header,
            cases=cases,
            file=file,
            folder=folder,
        )
        before = lean_seconds(command, cases, args.timeout)
        found = []
        for run in runs(args, plan, stand_in=command.kind != "lean"):
            print(f"{run.system}: {run.elapsed:.1f} s, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
            found.append(run)
            # What is known so far, should a later one not come to its end.
            write(args.out, [row(each, cases, before, args.slots) for each in found])
        after = lean_seconds(command, cases, args.timeout)
    seconds = {case_id: (before[case_id] + after[case_id]) / 2 for case_id in before}
    rows = [row(run, cases, seconds, args.slots) for run in found]
    write(args.out, rows)
    title = f"{len(seconds)} timed proofs of {sum(seconds.values()):.1f} s of Lean, {len(cases) - len(seconds)} others"
    Console(width=160).print(table(rows, f"{title}; {args.slots} slots"))
    for each in rows:
        print(f"\n{each.system}: {len(each.wrong)} wrong")
        print("".join(f"    {wrong}\n" for wrong in each.wrong[:40]), end="")


def write(out: Path, rows: Sequence[Row]) -> None:
    """Write the table and the figures."""
    (out / "peers.md").write_text(markdown(rows), "utf-8")
    (out / "peers.json").write_text(json.dumps([asdict(each) for each in rows], indent=2) + "\n", "utf-8")


def parse() -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--repl",
        default=os.environ.get("STREAMVERIFY_TEST_REPL") or SYNTHETIC,
        help="as the setting REPL (default: $STREAMVERIFY_TEST_REPL, else synthetic)",
    )
    parser.add_argument("--project", type=Path, help="a Lean project, whose `lake env` the REPL needs")
    parser.add_argument("--kimina", type=Path, metavar="DIR", help="a checkout of project-numina/kimina-lean-server")
    parser.add_argument("--file", type=Path, help="JSONL: id, proof, expected (valid, invalid, none), trap")
    parser.add_argument("--header", action="append", help="of our own proofs; repeatable, they take turns")
    parser.add_argument("--proofs", type=int, default=600, help="timed proofs of our own")
    parser.add_argument("--slots", type=int, default=2, help="REPLs of each system")
    parser.add_argument(
        "--in-flight", type=int, default=40, help="proofs on their way (kimina's client: 5 batches of 8)"
    )
    parser.add_argument("--timeout", type=int, default=5, metavar="SECONDS", help="of each proof")
    parser.add_argument("--memory", type=int, default=4096, metavar="MIB", help="that a REPL may have")
    parser.add_argument("--broker", default="kafka", help="of ours: embedded, kafka, or host:port")
    parser.add_argument("--system", action="append", choices=SYSTEMS, help="only these; repeatable")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    parser.add_argument(
        "--venvs", type=Path, default=cache / "streamverify-peers", help="where the others are installed"
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "results")
    args = parser.parse_args()
    if args.kimina and not (args.kimina / "server" / "__main__.py").is_file():
        parser.error(f"--kimina: {args.kimina} is no checkout of kimina-lean-server (no server/__main__.py)")
    if not args.kimina and any(name.startswith("kimina") for name in args.system or ()):
        parser.error("kimina's server needs --kimina DIR, a checkout of it")
    for name in ("proofs", "slots", "in_flight", "timeout", "memory"):
        if getattr(args, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1")
    if args.kimina:
        args.kimina = args.kimina.resolve()
    return args


if __name__ == "__main__":
    main()
