"""`python -m streamverify.lean.kernel.reader JOB`: our own reading of an export, in a process with limits of its own.

JOB is a JSON file: `proof`, the path of the export; `trusted`, that of the statement's or the header's export, or null;
`stated`, whether that has the theorems as they were stated; `is_module`, whether the proof's file begins with
`module`; `theorems`, a list of the parts of each name, or null to be told only which constants of the header `proof`
has to be compared with. One JSON object on stdout is the answer.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamverify.core.export import AcceptedProof, RefusedProof, judge_all, needed

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK = 1 << 20


def main() -> None:
    """Read the job, and answer it."""
    job = json.loads(Path(sys.argv[1]).read_bytes())
    answer = {"needs": needed(_chunks(job["proof"]))} if job["theorems"] is None else answer_to(job)
    sys.stdout.write(json.dumps(answer) + "\n")


def answer_to(job: dict[str, Any]) -> dict[str, Any]:
    """Judge the theorems of the job; the first that is not accepted is the answer."""
    if not job["theorems"]:
        return {"outcome": "declined", "message": "there is no theorem to judge"}
    trusted = None if job["trusted"] is None else _chunks(job["trusted"])
    reading = judge_all(
        _chunks(job["proof"]),
        job["theorems"],
        trusted=trusted,
        stated=job["stated"],
        may_be_private=job["is_module"],
    )
    match reading:
        case AcceptedProof():
            return {"outcome": "accepted", "message": "", "sha256": reading.sha256}
        case RefusedProof():
            return {
                "outcome": "refused",
                "reason": reading.reason,
                "message": reading.message,
                "sha256": reading.sha256,
            }
        case _:
            place = f" (line {reading.line} of the {reading.which} export)" if reading.line else ""
            return {"outcome": "declined", "message": f"{reading.message}{place}"}


def _chunks(path: str) -> Iterator[bytes]:
    with Path(path).open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


if __name__ == "__main__":
    main()
