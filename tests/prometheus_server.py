"""A real Prometheus for the tests: Debian's, on a free port, with its data in a folder of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import pytest
import yaml
from asking import Prometheus
from support import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

RULES = ROOT / "deploy" / "prometheus" / "alerts.yml"


@contextmanager
def prometheus(folder: Path, jobs: Mapping[str, Sequence[str]], *, interval: str = "1s") -> Iterator[Prometheus]:
    """Start a Prometheus that scrapes these addresses, by job, and evaluates our alerts; it ends with the block."""
    executable = shutil.which("prometheus")
    if executable is None:
        if os.environ.get("CI"):
            pytest.fail("no Prometheus: apt-get install prometheus", pytrace=False)
        pytest.skip("no Prometheus: apt-get install prometheus")
    settings = {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "rule_files": [str(RULES)],
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": list(addresses)}]} for job, addresses in jobs.items()
        ],
    }
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(settings), "utf-8")
    process = subprocess.Popen(
        [
            executable,
            f"--config.file={file}",
            f"--storage.tsdb.path={folder / 'data'}",
            # A free port, which it says in its log.
            "--web.listen-address=127.0.0.1:0",
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    reader = None
    try:
        url = _address(process.stderr)
        # Who does not read its log stops it when the pipe is full.
        reader = threading.Thread(target=process.stderr.read)
        reader.start()
        yield Prometheus(url)
    finally:
        process.terminate()
        process.wait()
        # It has read to the end, if it was there.
        if reader is not None:
            reader.join()
        process.stderr.close()


def _address(log: IO[str]) -> str:
    said = ""
    for line in log:
        said += line
        found = re.search(r'msg="?Listening on"? address=(127\.0\.0\.1:[1-9]\d*)', line)
        if found:
            return f"http://{found[1]}"
    raise AssertionError(f"the Prometheus did not start: {said}")
