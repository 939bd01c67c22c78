"""The Python example of the README runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

from command import make_environment, started
from support import ROOT

if TYPE_CHECKING:
    import pytest


def test_the_example_of_the_readme_runs(broker: str, request: pytest.FixtureRequest) -> None:
    [example] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), flags=re.DOTALL)
    env = make_environment(broker, real=request.config.getoption("--kafka"))
    # The default assurance is for a worker with a Lean; the example asks for what a stand-in can give.
    with started(env, "worker"):
        ran = subprocess.run(
            [sys.executable, "-c", example], env=env, capture_output=True, text=True, timeout=60, check=False
        )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == ["true verified ok", "sum verified ok"]
