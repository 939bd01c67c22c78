"""Record docs/images/dashboard.png: six minutes of two workers on a real Kafka, drawn as Grafana would show them.

`make picture` runs it. It needs Debian's prometheus, and matplotlib of the extra `bench`.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from kafka_broker import real_broker
from monitored import installation
from support import ROOT

if TYPE_CHECKING:
    from monitored import Installation

MINUTES = 6
SYNTHETIC = Path(sys.executable).parent / "streamverify-synthetic-repl"
WORKER = {
    "REPL": f"{SYNTHETIC} --service lognormal:0.15:0.8 --default-import 2",
    "SLOTS": "4",
    "SANDBOX": "none",
}
HEADERS = ("import Mathlib\n", "import Mathlib\nimport Aesop\n", "import Lean\n", "import Std\n")
HOW_OFTEN = (85, 8, 4, 3)
PER_SECOND = 14
BURST = 600
BURST_AT = 120.0


def main() -> None:
    """Run the installation, keep it busy, and draw three rows of the overview."""
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images" / "dashboard.png"
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = folder
        with (
            real_broker() as servers,
            installation(servers, Path(folder), (WORKER, WORKER), interval="2s", partitions=6) as made,
        ):
            ended = threading.Event()
            clients = threading.Thread(target=_ask, args=(made, ended))
            clients.start()
            try:
                _load(made)
            finally:
                ended.set()
                clients.join()
            draw(made.prometheus.url, "overview", output, "Now", "Work", "What goes wrong")
            if more := os.environ.get("MORE_PICTURES"):
                for board in ("overview", "worker", "lean", "kafka"):
                    draw(made.prometheus.url, board, Path(more) / f"{board}.png")


def draw(url: str, board: str, output: Path, *rows: str) -> None:
    """Draw rows of a dashboard, or all of it, from the last minutes."""
    chosen = [word for row in rows for word in ("--row", row)]
    argv = [sys.executable, str(ROOT / "deploy" / "grafana" / "draw.py"), board, "--prometheus", url]
    subprocess.run([*argv, "--last", f"{MINUTES}m", "--output", str(output), *chosen], check=True)


def _load(made: Installation) -> None:
    draws = random.Random(7)  # noqa: S311 - a load, no key
    began = time.monotonic()
    burst = BURST
    while (passed := time.monotonic() - began) < MINUTES * 60:
        many = PER_SECOND
        if burst and passed > BURST_AT:
            many, burst = burst, 0
        made.send([_proof(draws) for _ in range(many)], raw=[b"no JSON"] if draws.random() < 0.03 else [])
        time.sleep(max(0.0, began + passed + 1 - time.monotonic()))


def _proof(draws: random.Random) -> str:
    words = draws.choices(("", "error", "sorry", "crash", "alloc=3000"), (800, 160, 30, 2, 1))[0]
    [header] = draws.choices(HEADERS, HOW_OFTEN)
    return f"{header}theorem t{draws.getrandbits(48)} : True := trivial" + (f" -- synthetic: {words}" if words else "")


def _ask(made: Installation, ended: threading.Event) -> None:
    while not ended.wait(2.0):
        made.ask_gateway([f"import Mathlib\ntheorem t : True := trivial -- {time.time()}"] * 4)


if __name__ == "__main__":
    main()
