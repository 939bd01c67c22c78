"""Where each command of the documentation is run: by a test, from the page itself, or not here, and then why not.

A new command on a page needs one of the three: a stage of its page in `STAGES` (tests/e2e/test_docs_kafka.py types all
of the page's commands that are not in the two tables below), a row in `BY_TEST`, or a row in `NOT_RUN`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from handbook.record import DAY
from handbook.typed import Typed, all_typed

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Stage:
    """What has to be there for the commands of a page, and how they end. Whatever is not named ends with 0."""

    files: Mapping[str, str] = field(default_factory=dict)
    """Files in the folder, by name."""
    before: tuple[str, ...] = ()
    """Commands that are typed before those of the page."""
    until: Mapping[str, str] = field(default_factory=dict)
    """Commands that run on, and what they print when the next can be typed; "": at once. They end with the page."""
    codes: Mapping[str, int] = field(default_factory=dict)
    """Exit codes other than 0, as the page says."""
    replaced: Mapping[str, str] = field(default_factory=dict)
    """What a reader would replace by names of his own. `{servers}`, `{worker}` and `{gateway}`
    become addresses."""
    whole: bool = False
    """Whether the page is one way from its beginning: it starts its own worker, and nothing of it is left out because
    another test runs it too."""


HTTP = {"localhost:8000": "{gateway}", "localhost:9464": "{worker}"}

STAGES: dict[str, Stage] = {
    "docs/operations.md": Stage(replaced={"0:17": "0:0"}),
    "docs/runbook.md": Stage(replaced={"0:17": "0:0", **HTTP}),
    "docs/tutorial.md": Stage(
        codes={"streamverify verify first.lean second.lean": 1},
        replaced=HTTP,
        whole=True,
    ),
}
"""The pages whose commands are typed by tests/e2e/test_docs_kafka.py, in the order of the page, in an empty folder."""


class Row(NamedTuple):
    """Commands of a page that are not typed from it; `begins` are their beginnings, `why` a test or a reason."""

    page: str
    begins: tuple[str, ...]
    why: str


_TEN_LINES = "tests/e2e/test_readme.py::test_the_ten_lines_lead_to_a_verdict"
_CACHE = "tests/e2e/test_cache.py::test_what_a_killed_worker_had_verified_the_next_one_answers_from_the_file"
_SERVE = "tests/e2e/test_serve.py::test_it_says_what_it_is_and_serves_the_page"
_THE_DAY = "tests/e2e/test_transcripts.py::test_the_page_shows_what_the_commands_print"
_REVERIFY = "tests/e2e/test_reverify_kafka.py::test_a_topic_is_verified_again_by_what_the_page_says"
_LANGUAGES = "tests/languages/test_examples.py::test_each_sends_proofs_with_their_keys_and_reads_all_verdicts"
BY_TEST = [
    Row(
        "README.md",
        (
            "python3 -m venv",
            "pip install",
            "deploy/kafka/kafka.py",
            "until streamverify topics create",
            "export STREAMVERIFY_REPL=",
            "streamverify worker",
            "streamverify topics create",
            "echo 'theorem first",
            "streamverify verify first.lean",
        ),
        _TEN_LINES,
    ),
    Row("docs/tutorial.md", ("python3 -m venv", "pip install", "deploy/kafka/kafka.py"), _TEN_LINES),
    # How it ends depends on the machine.
    Row("README.md", ("streamverify doctor",), _THE_DAY),
    Row("docs/tutorial.md", ("streamverify doctor", "streamverify demo"), _THE_DAY),
    Row("docs/cache.md", ("export STREAMVERIFY_CACHE_KEY=", "streamverify worker --cache sqlite:"), _CACHE),
    Row("docs/page.md", ("streamverify serve",), _SERVE),
    Row("docs/runbook.md", ("streamverify doctor",), _THE_DAY),
    Row("docs/re-verify.md", ("streamverify ",), _REVERIFY),
    Row("docs/other-languages.md", ("cd ", "go run", "./produce.sh", "./consume.sh"), _LANGUAGES),
    Row(
        "docs/operations.md",
        ("nohup deploy/kafka/kafka.py",),
        "tests/e2e/test_kafka_script.py::test_it_stays_when_the_script_that_started_it_ends",
    ),
]
"""What a test that is no test of a page runs, in the same form. `why` is the id of that test."""

_LEAN = "needs a Lean, which is downloaded from hosts that no test may ask"
_TOOLS = "Kafka's own tools: deploy/kafka has the jars of a broker, not those"
_FIGURES = "a measurement, of minutes"
_NOT_YET = "no test types this page yet: it is read by the real command line only"
NOT_RUN = [
    Row(
        "README.md",
        ("make release", "streamverify top$", "export STREAMVERIFY_BOOTSTRAP_SERVERS", "streamverify produce"),
        _NOT_YET,
    ),
    Row("README.md", ("streamverify replay", "streamverify results --follow"), _NOT_YET),
    Row("docs/cancel.md", ("streamverify ",), _NOT_YET),
    Row("docs/deletion.md", ("streamverify ",), _NOT_YET),
    Row("docs/gateway.md", ("streamverify ", "curl "), _NOT_YET),
    Row("docs/metrics.md", ("curl ",), _NOT_YET),
    Row("docs/replay.md", ("streamverify ",), _NOT_YET),
    Row("docs/reports.md", ("streamverify ",), _NOT_YET),
    Row("docs/table.md", ("curl ",), _NOT_YET),
    Row("docs/topics.md", ("streamverify ",), _NOT_YET),
    Row("schemas/README.md", ("streamverify ",), _NOT_YET),
    Row("README.md", ("./setup_lean.sh",), _LEAN),
    Row("README.md", ("make simulator", "make bench", "make fuzz"), "minutes of processor time: for people"),
    Row("README.md", ("make test-languages", "make test-trl"), "minutes, and gigabytes of toolchains and packages"),
    Row("README.md", ("make soak",), "ten minutes or an hour: the target is a test"),
    Row("benchmarks/README.md", (".venv/bin/python -m benchmarks.", "STREAMVERIFY_TEST_REPL=", "make "), _FIGURES),
    Row(
        "docs/cache.md", ("streamverify worker --cache redis:",), "needs a Redis of that name: tests/e2e/test_cache.py"
    ),
    Row(
        "docs/compose.md", ("docker ",), "needs a Docker engine: tests/integration/test_deploy_files.py reads the files"
    ),
    Row("docs/deletion.md", ("kafka-",), _TOOLS),
    Row("docs/exploits.md", ("STREAMVERIFY_TEST_REPL=",), _LEAN),
    Row("docs/gateway.md", ("pip install",), "an installation: that of the README is run"),
    Row("docs/kubernetes.md", ("kubectl ", "helm "), "needs a cluster: `make check-helm` renders the chart"),
    Row(
        "docs/kubernetes.md",
        ("useradd ", "python3 -m venv", "/opt/", "install ", "cp ", "systemctl "),
        "needs systemd, and root's own folders",
    ),
    Row("docs/monitoring.md", ("sed ",), "needs alerts in a Prometheus: the name of the host is an example"),
    Row("docs/monitoring.md", ("python deploy/grafana/draw.py",), "needs a Prometheus that has scraped these workers"),
    Row("docs/operations.md", ("streamverify top$",), "a view that goes on: `streamverify top --once` is in the day"),
    Row("docs/operations.md", ("kafka-",), _TOOLS),
    Row("docs/operations.md", ("make chaos", "make soak"), "minutes of faults and load: CI runs `make chaos-short`"),
    Row("docs/policy.md", ("printf ",), _LEAN),
    Row("docs/re-verify.md", ("kafka-",), _TOOLS),
    Row("docs/runbook.md", ("streamverify top", "streamverify status", "streamverify workers"), _NOT_YET),
    Row("docs/release.md", ("make release",), "builds, and installs into an empty environment: the target is the test"),
    Row("docs/security.md", ("kafka-",), _TOOLS),
    Row("docs/tiers.md", ("streamverify ",), f"{_LEAN}, and kernels: tests/oracle/test_tiers.py has these tiers"),
    Row("docs/top.md", ("streamverify top",), "a view that goes on: `streamverify top --once` is in the day"),
    Row("docs/upgrades.md", ("git worktree", "cd tests"), "needs an older commit: tests/e2e/test_upgrades_kafka.py"),
    Row("docs/tracing.md", ("pip install",), "an installation: that of the README is run"),
    Row("docs/tracing.md", ("OTEL_EXPORTER_OTLP_ENDPOINT=",), "needs a collector of that name: tests/unit/telemetry"),
    Row("docs/tutorial.md", ("./setup_lean.sh",), _LEAN),
]
"""What is not run here: `why` is the reason."""

CI_TARGETS = frozenset(
    [
        "demo",
        "test",
        "check",
        "check-asyncapi",
        "check-deploy",
        "site",
        "test-kafka",
        "chaos-short",
        "test-oracle",
        "test-exports",
        "test-vectors",
    ]
)
"""Targets of make that .ci/run calls: `make demo` on any page is run by it."""


def row_of(rows: list[Row], typed: Typed) -> Row | None:
    """The row of a table that a command falls under."""
    return next(
        (row for row in rows if row.page == typed.page and any(meant(each, typed) for each in row.begins)), None
    )


def meant(begins: str, typed: Typed) -> bool:
    """Whether a command has this beginning, or is just that where a `$` ends it."""
    return typed.command == begins[:-1] if begins.endswith("$") else typed.command.startswith(begins)


def of_the_day(typed: Typed) -> bool:
    """Whether a command is typed when docs/commands.md is recorded, there perhaps with a pipe behind it."""
    return any(typed.command in {step.line, step.line.partition(" | ")[0]} for step in DAY)


def by_ci(typed: Typed) -> bool:
    """Whether a command is a target of make that CI runs."""
    words = typed.command.split()
    return words[0] == "make" and len(words) == 2 and words[1] in CI_TARGETS


def staged(page: str) -> list[Typed]:
    """The commands that tests/e2e/test_docs_kafka.py types from a page: those that no other test runs."""
    stage = STAGES.get(page, Stage())
    return [
        each
        for each in all_typed()
        if each.page == page
        and not by_ci(each)
        and row_of(BY_TEST, each) is None
        and row_of(NOT_RUN, each) is None
        and (stage.whole or each.command in stage.until or not of_the_day(each))
    ]


def left_over() -> list[Typed]:
    """The commands that nothing runs and nothing marks."""
    return [
        each for page in dict.fromkeys(each.page for each in all_typed()) if page not in STAGES for each in staged(page)
    ]
