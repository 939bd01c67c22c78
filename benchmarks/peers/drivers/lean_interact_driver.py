"""LeanInteract with a file of proofs: a `LeanServerPool` of as many servers as there are slots.

- `whole`: each file is one command. What is right is then Lean's alone, but each proof imports its header anew: this
  REPL does not have the incrementality by which LeanInteract's own saves that.
- `env`: as its documentation advises, the header is run once, kept in the session cache, and the body runs in its
  environment. LeanInteract does not say what is the header, so its user has to: here only lines that are nothing but an
  import count, and any other file is sent whole.
"""

from __future__ import annotations

import json
import re
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lean_interact import Command, LeanREPLConfig, LeanServerPool
from lean_interact.interface import CommandResponse
from lean_interact.project import LocalProject

if TYPE_CHECKING:
    from collections.abc import Sequence

_HEADER = re.compile(r"(?:[ \t]*import[ \t]+[\w.']+[ \t]*\n|[ \t]*\n)+")


class Driver:
    """Runs proofs in a pool of servers."""

    def __init__(self, config: dict[str, Any]) -> None:
        """Start the servers."""
        project = config.get("project")
        self._timeout = config["timeout"]
        self._by_environment = config["mode"] == "env"
        self._environments: dict[str, int] = {}
        self._lock = threading.Lock()
        repl = LeanREPLConfig(
            project=LocalProject(directory=project, auto_build=False) if project else None,
            local_repl_path=config["repl_folder"],
            build_repl=False,
            lake_path=config["lake"],
            memory_hard_limit_mb=config["memory"],
        )
        self.pool = LeanServerPool(repl, num_workers=config["slots"])

    def run(self, case: dict[str, str]) -> dict[str, Any]:
        """Return what is said of one proof, and when."""
        begun = time.perf_counter()
        try:
            answer, detail = self._verdict(case["proof"])
        except Exception as error:  # noqa: BLE001 - it raises many kinds: each means that there is no verdict
            answer, detail = "none", f"{type(error).__name__}: {str(error)[:80]}"
        return {"id": case["id"], "answer": answer, "seconds": time.perf_counter() - begun, "detail": detail}

    def _verdict(self, proof: str) -> tuple[str, str]:
        header = _HEADER.match(proof) if self._by_environment else None
        if header is None or not header[0].strip():
            return self._judged(self.pool.run(Command(cmd=proof), timeout=self._timeout))
        with self._lock:
            environment = self._environments.get(header[0])
        if environment is None:
            response = self.pool.run(Command(cmd=header[0]), timeout=self._timeout)
            answer, detail = self._judged(response)
            if answer != "valid" or not isinstance(response, CommandResponse):
                return answer, detail
            environment = response.env
            with self._lock:
                self._environments[header[0]] = environment
        body = proof[header.end() :]
        return self._judged(self.pool.run(Command(cmd=body, env=environment), timeout=self._timeout))

    @staticmethod
    def _judged(response: object) -> tuple[str, str]:
        if not isinstance(response, CommandResponse):
            return "none", str(response)[:80]
        valid = response.lean_code_is_valid(allow_sorry=False)
        errors = [message.data for message in response.messages if message.severity == "error"]
        return ("valid", "") if valid else ("invalid", (errors or ["sorry"])[0][:80])


def run_all(driver: Driver, cases: Sequence[dict[str, str]], in_flight: int) -> tuple[float, list[dict[str, Any]]]:
    """Return the seconds that all took with so many on their way, and what was said."""
    begun = time.perf_counter()
    with ThreadPoolExecutor(in_flight) as threads:
        said = list(threads.map(driver.run, cases))
    return time.perf_counter() - begun, said


def main() -> None:
    """Warm up, run the timed proofs, then the traps."""
    config = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    cases = [json.loads(line) for line in Path(config["cases"]).read_text("utf-8").splitlines()]
    driver = Driver(config)
    try:
        run_all(driver, config["warm_up"], config["in_flight"])
        elapsed, said = run_all(driver, [case for case in cases if not case["trap"]], config["in_flight"])
        said += run_all(driver, [case for case in cases if case["trap"]], config["in_flight"])[1]
    finally:
        driver.pool.close()
    Path(config["output"]).write_text(json.dumps({"elapsed": elapsed, "said": said}), "utf-8")


if __name__ == "__main__":
    main()
