"""Write deploy/grafana/dashboards/*.json from the tables of panels in boards/.

    python deploy/grafana/make.py          (`make dashboards`)

The files are kept in the repository, so that nobody needs this to use them; a test says when they are not up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path

from boards import BOARDS
from boards.grafana import as_json

FOLDER = Path(__file__).parent / "dashboards"


def main() -> None:
    """Bring every file up to date, remove those that no board makes, and say what changed."""
    made = {FOLDER / board.file: as_json(board) for board in BOARDS}
    FOLDER.mkdir(exist_ok=True)
    for file, text in made.items():
        if not file.exists() or file.read_text("utf-8") != text:
            file.write_text(text, "utf-8")
            sys.stdout.write(f"written: {file.name}\n")
    for file in sorted(set(FOLDER.glob("*.json")) - set(made)):
        file.unlink()
        sys.stdout.write(f"removed: {file.name}\n")


if __name__ == "__main__":
    main()
