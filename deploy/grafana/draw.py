"""Draw a dashboard as a picture, without Grafana: its panels, with what a Prometheus has.

    python deploy/grafana/draw.py overview --prometheus http://localhost:9090 --last 30m --output overview.png

It reads the same file as Grafana does and draws the same panels at the same places; --row draws some of them only. It
needs matplotlib (`pip install 'streamverify[bench]'`).
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from pathlib import Path

from asking import Prometheus, PrometheusError

FOLDER = Path(__file__).parent / "dashboards"


def main() -> int:
    """Draw what the command line names.

    Returns:
        The exit code: 2 for a wrong name or an output that cannot be written, 4 where no Prometheus answers.
    """
    parser = _parser()
    given = parser.parse_args()
    file = Path(given.dashboard) if given.dashboard.endswith(".json") else FOLDER / f"{given.dashboard}.json"
    if not file.is_file():
        known = ", ".join(sorted(each.stem for each in FOLDER.glob("*.json")))
        parser.error(f"there is no dashboard {given.dashboard}; there are: {known}")
    panels = json.loads(file.read_text("utf-8"))["panels"]
    titles = [panel["title"] for panel in panels if panel["type"] == "row"]
    if unknown := [row for row in given.row if row not in titles]:
        known = ", ".join(titles)
        parser.error(f"no row of {given.dashboard} is called {' or '.join(unknown)}; there are: {known}")
    if not Path(given.output).absolute().parent.is_dir():
        parser.error(f"cannot write {given.output}: its folder is not there")
    end = time.time()
    prometheus = Prometheus(given.prometheus)
    variables = {"job": given.job, "instance": given.instance}
    try:
        prometheus.now("1")
        # It takes a second to be there: what is wrong with the command line is said at once.
        from picture import Picture, chosen  # noqa: PLC0415

        picture = Picture(prometheus, end - given.last, end, variables)
        picture.draw(chosen(panels, given.row), given.output)
    except ImportError as error:
        sys.stderr.write(f"drawing needs matplotlib: pip install 'streamverify[bench]' ({error})\n")
        return 2
    except PrometheusError as error:
        sys.stderr.write(f"{error}\n")
        return 4
    except (OSError, ValueError) as error:
        # matplotlib says of an unknown ending what it knows.
        sys.stderr.write(f"cannot write {given.output}: {error}\n")
        return 2
    sys.stderr.write(f"written: {given.output}\n")
    return 0


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+)([smhd])", text)
    if not found:
        raise argparse.ArgumentTypeError("a number with s, m, h or d, such as 30m")
    return int(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dashboard", help="overview, worker, lean, kafka, or a file of Grafana's JSON")
    parser.add_argument("--prometheus", default="http://localhost:9090", metavar="URL")
    parser.add_argument("--last", type=_seconds, default=3600.0, metavar="TIME", help="how far back (default: 1h)")
    parser.add_argument("--job", default=".*", metavar="PATTERN", help="jobs to draw (default: all)")
    parser.add_argument("--instance", default=".*", metavar="PATTERN", help="instances to draw (default: all)")
    parser.add_argument(
        "--row", action="append", default=[], metavar="TITLE", help="draw this row only; may be repeated"
    )
    parser.add_argument("--output", default="dashboard.png", metavar="FILE")
    return parser


if __name__ == "__main__":
    sys.exit(main())
