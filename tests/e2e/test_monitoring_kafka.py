"""Every panel of every dashboard, on a real Prometheus that scrapes real processes: it gives data."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from boards import BOARDS
from monitored import installation
from prometheus_server import RULES
from repl_fakes import FAKE
from support import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from monitored import Installation

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(390)]

PATIENCE = 240.0
THEOREM = "theorem t : True := trivial"
WORKERS = (
    # One answers without Lean; the other has a scripted Lean, which answers audits.
    {"CACHE": "memory"},
    {"REPL": f"{sys.executable} -S -E {FAKE}", "REQUIRE": "audited", "SANDBOX": "none"},
)


@pytest.fixture(scope="module")
def installed(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installation(kafka, tmp_path_factory.mktemp("monitored"), WORKERS) as made:
        keep_busy(made)
        yield made


def keep_busy(made: Installation) -> None:
    """Something of everything: verified, rejected, crashed, undecodable, over HTTP and over the router."""
    bodies = [f"{THEOREM} -- synthetic: service=0.0{number % 5} {number}" for number in range(60)]
    bodies += [f"{THEOREM} -- synthetic: error", f"{THEOREM} -- synthetic: sorry", f"{THEOREM} -- synthetic: crash"]
    made.send(bodies, raw=[b"no JSON"])
    made.ask_gateway([THEOREM] * 3)


def concrete(promql: str) -> str:
    """The query as Grafana would send it: everything chosen, and a window of some scrapes."""
    return promql.replace("$job", ".*").replace("$instance", ".*").replace("$__rate_interval", "30s")


def test_every_query_of_every_panel_gives_data(installed: Installation) -> None:
    queries = {
        f"{board.uid}, {panel.title}: {query.promql}": concrete(query.promql)
        for board in BOARDS
        for row in board.rows
        for panel in row.panels
        for query in panel.queries
    }
    assert len(queries) > 100
    give_up = time.monotonic() + PATIENCE
    while empty := [name for name, query in queries.items() if not installed.prometheus.now(query)]:
        assert time.monotonic() < give_up, "\n".join(["without data:", *empty])
        # A rate needs growth between two scrapes.
        keep_busy(installed)


def test_the_alerts_run_there_and_none_that_is_at_once_fires(installed: Installation) -> None:
    def rules() -> list[dict[str, Any]]:
        groups = installed.prometheus.get("/api/v1/rules")["groups"]
        return [rule for group in groups for rule in group["rules"]]

    give_up = time.monotonic() + PATIENCE
    while any(rule["health"] == "unknown" for rule in rules()):
        assert time.monotonic() < give_up, rules()
        time.sleep(0.2)
    names = [rule["alert"] for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"] for rule in group["rules"]]
    assert sorted(rule["name"] for rule in rules()) == sorted(names)
    assert [(rule["name"], rule["lastError"]) for rule in rules() if rule["health"] != "ok"] == []
    # The dead letter that was sent: seen although the counter was there with its first value already or not.
    firing = {rule["name"] for rule in rules() if rule["state"] == "firing"}
    assert firing <= {"StreamverifyDeadLetters"}


def test_a_dashboard_is_drawn_without_grafana(installed: Installation, tmp_path: Path) -> None:
    if importlib.util.find_spec("matplotlib") is None:
        if os.environ.get("CI"):
            pytest.fail("no matplotlib: make venv", pytrace=False)
        pytest.skip("no matplotlib: make venv")
    output, url = tmp_path / "kafka.png", installed.prometheus.url
    drawn = draw("kafka", "--prometheus", url, "--last", "2m", "--row", "Now", "--output", str(output))
    assert drawn.returncode == 0, drawn.stderr
    assert output.read_bytes().startswith(b"\x89PNG")
    wrong = {
        ("kafak",): (2, "there is no dashboard kafak; there are: kafka, lean, overview, worker"),
        ("kafka", "--row", "Nowhere"): (2, "no row of kafka is called Nowhere; there are: Now, Reading, Committing"),
        ("kafka", "--prometheus", "http://127.0.0.1:1"): (4, "no Prometheus answers at http://127.0.0.1:1"),
        ("kafka", "--output", str(tmp_path / "none" / "x.png")): (2, "cannot write"),
    }
    for arguments, (code, said) in wrong.items():
        ended = draw("--prometheus", url, *arguments)
        assert (ended.returncode, said in ended.stderr) == (code, True), ended.stderr
        assert "Traceback" not in ended.stderr


def draw(*arguments: str) -> subprocess.CompletedProcess[str]:
    script = ROOT / "deploy" / "grafana" / "draw.py"
    return subprocess.run(
        [sys.executable, str(script), *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def test_a_query_that_gives_nothing_is_found(installed: Installation) -> None:
    assert installed.prometheus.now('streamverify_slots{job="streamverify-gateway"}') == []
    assert installed.prometheus.now("histogram_quantile(0.5, sum by (le) (0 * streamverify_run_seconds_bucket))") == []
