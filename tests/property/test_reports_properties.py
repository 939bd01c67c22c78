"""The statistics of reports, against plain ways to compute the same, and a page against hostile texts."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamverify.core.reports.bounded import BoundedTable, Largest
from streamverify.core.reports.error_texts import MAX_FORM, normal_form
from streamverify.core.reports.histogram import RELATIVE_ERROR, SHORTEST, LogHistogram
from streamverify.core.reports.intervals import Sample, mcnemar_exact, wilson
from streamverify.core.reports.pass_at_k import Problems, chance, estimate
from streamverify.core.reports.report_model import Machine, Report, Run, Verdicts
from streamverify.core.reports.summary import Facts, ProblemGroups, summarize
from streamverify.core.reports.tally import Named, Tally
from streamverify.core.reports.verdict import READ, verdict_of
from streamverify.reports.page.page import MAX_PAGE_BYTES, page_of

if TYPE_CHECKING:
    from collections.abc import Iterable

DURATIONS = st.floats(0, 1e6) | st.sampled_from([0.0, SHORTEST, 1e-9, 60.0])
TEXTS = st.text(max_size=30) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        "]]>",
        "&amp;",
        '" onload="x',
        "'",
        "</style><b>",
        "\x00\x1b[2J",
        "\u202e",
        "\ud800",
        "",
    ]
)
ROWS = st.fixed_dictionaries(
    {},
    optional={
        "custom_id": TEXTS,
        "status": st.sampled_from(["verified", "rejected", "inconclusive", None, "odd", 5]),
        "reason": TEXTS | st.sampled_from(["ok", "lean_error", "timeout", "superseded"]),
        "assurance": TEXTS,
        "error": TEXTS,
        "summary": TEXTS,
        "messages": st.lists(
            st.fixed_dictionaries({"severity": st.sampled_from(["error", "info"]), "text": TEXTS}), max_size=2
        )
        | st.none()
        | st.just("odd"),
        "run_seconds": DURATIONS | st.sampled_from([None, "1", math.nan, math.inf, -1.0, True, 10**400]),
        "import_seconds": DURATIONS | st.none(),
        "audit_seconds": DURATIONS,
        "queued_seconds": DURATIONS,
        "total_seconds": DURATIONS,
        "latency_seconds": DURATIONS | st.none(),
        "cached": st.booleans() | st.none(),
        "cached_age_seconds": DURATIONS,
        "run": TEXTS,
        "group": TEXTS,
        "header": TEXTS | st.none(),
        "worker": TEXTS,
        "verifier_kind": TEXTS,
        "lean_version": TEXTS,
        "source_timestamp": st.integers(0, 10**13) | st.none(),
    },
)
FACTS = Facts(title="t", made_at="2026-11-26T00:00:00Z", version="1", verdicts=Verdicts(file=None, rows=None))


def tally_of(rows: list[dict[str, Any]]) -> Tally:
    tally = Tally()
    for row in rows:
        tally.add(verdict_of(row))
    return tally


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998),
        # table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0),
    ],
)
def test_wilson_s_interval_is_that_of_the_literature(successes: int, trials: int, low: float, high: float) -> None:
    interval = wilson(successes, trials)
    assert interval is not None
    assert interval.low == pytest.approx(low, abs=5e-5)
    assert interval.high == pytest.approx(high, abs=5e-5)


@given(st.integers(1, 10**7).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_s_interval_has_the_proportion_in_it(pair: tuple[int, int]) -> None:
    successes, trials = pair
    interval = wilson(successes, trials)
    assert interval is not None
    assert 0 <= interval.low <= successes / trials <= interval.high <= 1
    mirrored = wilson(trials - successes, trials)
    assert mirrored is not None
    assert mirrored.low == pytest.approx(1 - interval.high, abs=1e-9)


@given(st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_the_share_of_subsets_with_a_success(case: tuple[int, int, int]) -> None:
    attempts, successes, k = case
    outcomes = [True] * successes + [False] * (attempts - successes)
    subsets = list(itertools.combinations(outcomes, k))
    assert chance(attempts, successes, k) == pytest.approx(sum(map(any, subsets)) / len(subsets))


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_that_of_the_binomial_coefficients(case: tuple[int, int, int]) -> None:
    attempts, successes, k = case
    exact = 1 - math.comb(attempts - successes, k) / math.comb(attempts, k)
    assert chance(attempts, successes, k) == pytest.approx(exact, abs=1e-9)


@given(
    st.lists(st.integers(1, 20).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), min_size=1, max_size=40)
)
def test_pass_at_k_goes_up_to_the_fewest_attempts_and_never_falls(problems: list[tuple[int, int]]) -> None:
    estimates = estimate(Counter(Problems(*each) for each in problems))
    assert estimates[0].k == 1
    assert estimates[-1].k == min(attempts for attempts, _ in problems)
    assert estimates[0].estimate == pytest.approx(sum(c / n for n, c in problems) / len(problems))
    for before, after in itertools.pairwise(estimates):
        assert before.k < after.k
        assert before.estimate <= after.estimate + 1e-12
    for one in estimates:
        if one.interval is not None:
            assert one.interval.low - 1e-9 <= one.estimate <= one.interval.high + 1e-9


@given(st.lists(st.floats(-10, 10), min_size=10, max_size=60))
@settings(max_examples=10)
def test_an_interval_of_a_mean_does_not_depend_on_the_order(values: list[float]) -> None:
    assert sample_of(values).interval() == sample_of(reversed(values)).interval()
    assert sample_of(values).mean == pytest.approx(sum(values) / len(values), abs=1e-9)


def sample_of(values: Iterable[float]) -> Sample:
    sample = Sample()
    for value in values:
        sample.add(value)
    return sample


def test_the_two_ways_to_an_interval_agree_where_one_ends_and_the_other_begins() -> None:
    resampled = sample_of([0.0] * 1200 + [1.0] * 800).interval()
    normal = sample_of([0.0] * 1201 + [1.0] * 800).interval()
    assert resampled is not None
    assert normal is not None
    assert (resampled.method, normal.method) == ("bootstrap", "normal")
    assert resampled.low == pytest.approx(normal.low, abs=0.004)
    assert resampled.high == pytest.approx(normal.high, abs=0.004)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_test(gained: int, lost: int) -> None:
    changes = gained + lost
    tail = sum(math.comb(changes, number) for number in range(min(gained, lost) + 1)) / 2**changes
    assert mcnemar_exact(gained, lost) == pytest.approx(min(1.0, 2 * tail))


def test_mcnemar_takes_millions_of_changes() -> None:
    assert mcnemar_exact(10**6, 10**6) == 1.0
    assert mcnemar_exact(10**6 + 5000, 10**6) == pytest.approx(0.0004, abs=1e-4)
    assert mcnemar_exact(10**6, 0) == 0.0


@given(st.lists(DURATIONS, min_size=1, max_size=200), st.sampled_from([1, 25, 50, 90, 99, 100]))
def test_a_percentile_is_within_the_stated_error(values: list[float], percent: float) -> None:
    histogram = LogHistogram()
    for value in values:
        histogram.add(value)
    exact = sorted(values)[max(1, math.ceil(len(values) * percent / 100)) - 1]
    found = histogram.percentile(percent)
    assert found == pytest.approx(exact, rel=RELATIVE_ERROR * 1.0001, abs=SHORTEST)
    assert histogram.mean == pytest.approx(sum(values) / len(values))
    assert histogram.longest == max(values)


@given(st.lists(DURATIONS, max_size=200))
def test_the_bars_of_a_plot_have_all_durations_and_no_gap(values: list[float]) -> None:
    histogram = LogHistogram()
    for value in values:
        histogram.add(value)
    bars = histogram.bars()
    assert sum(bar.number for bar in bars) == len(values)
    assert len(bars) <= 120
    for left, right in itertools.pairwise(bars):
        assert left.high == pytest.approx(right.low)


@given(st.lists(ROWS, max_size=25), st.integers(0, 25))
@settings(max_examples=50)
def test_two_tallies_together_are_one_of_everything(rows: list[dict[str, Any]], at: int) -> None:
    together = tally_of(rows[:at])
    together.merge(tally_of(rows[at:]))
    apart, whole = (summarize(tally, ProblemGroups({}), FACTS).model_dump() for tally in (together, tally_of(rows)))
    assert close(apart, whole)


def close(left: Any, right: Any) -> bool:
    """Whether two values are the same but for the rounding of sums."""
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(close(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(close, left, right))
    return left == right or (isinstance(left, float) and math.isclose(left, right, rel_tol=1e-9))


@given(st.lists(st.text("abc", max_size=2), max_size=200), st.integers(2, 8))
def test_a_bounded_table_stays_bounded_and_loses_no_row(names: list[str], most: int) -> None:
    table: BoundedTable[Named] = BoundedTable(most, Named)
    for name in names:
        table.entry(name).rows += 1
    listed = table.most_frequent(most)
    assert len(table) <= most
    assert sum(counted.rows for _, counted in listed) + table.others == len(names)
    counts = Counter(names)
    for name, counted in listed:
        assert counted.rows <= counts[name]
        if table.exact:
            assert counted.rows == counts[name]


@given(st.lists(st.integers(0, 50)), st.integers(1, 5))
def test_the_largest_are_kept(numbers: list[int], most: int) -> None:
    largest: Largest[int] = Largest(most, lambda number: (float(number), ""))
    largest.extend(numbers)
    assert largest.in_order() == sorted(numbers, reverse=True)[:most]


@given(TEXTS)
def test_a_form_is_one_short_line_and_its_own_form(text: str) -> None:
    form = normal_form(text)
    assert len(form) <= MAX_FORM
    assert "\n" not in form
    assert not re.search(r"\d", form)


class Seen(HTMLParser):
    """What a browser makes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


TAGS = (
    "html head meta title style body header h1 h2 h3 p main section div table caption thead tbody tr th td ul li span "
    "code details summary dl dt dd footer svg g rect circle line text polygon polyline"
)


@given(st.lists(ROWS, max_size=8), TEXTS, st.dictionaries(TEXTS, TEXTS, max_size=3))
@settings(max_examples=50)
def test_no_text_from_outside_becomes_markup(rows: list[dict[str, Any]], title: str, options: dict[str, str]) -> None:
    clean = {clean_text(name): clean_text(value) for name, value in options.items()}
    run = Run(source=clean_text(title), settings=clean)
    machine = Machine(system="<b>", processor="<i>", cores=1, memory_bytes=1, python="&")
    facts = Facts("<u>", "now", "1", Verdicts(file=None, rows=None), run=run, machine=machine, slots=2)
    page = page_of(summarize(tally_of(rows), ProblemGroups({Problems(3, 1): 2}), facts))
    seen = Seen()
    seen.feed(page)
    assert set(seen.tags) <= set(TAGS.split())
    assert not {name for name in seen.attributes if name.startswith("on") or name in {"style", "href", "src"}}
    assert seen.tags["title"] >= 1
    assert "<i>" in seen.text
    for control in "\x00\x1b\u202e":
        assert control not in page
    page.encode()


def clean_text(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


@given(st.lists(ROWS, max_size=10))
@settings(max_examples=50)
def test_a_report_is_read_as_it_was_written(rows: list[dict[str, Any]]) -> None:
    report = summarize(tally_of(rows), ProblemGroups({}), FACTS)
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_the_page_of_the_worst_rows_is_small() -> None:
    tally = Tally()
    worst = "<&>\"'" * 2000
    for number in range(2_500):
        name = f"{number}{worst}"
        row = dict.fromkeys(READ, name) | {
            "status": ("rejected", "verified", "inconclusive", None)[number % 4],
            "reason": f"{name}"[:64],
            "messages": [
                {"severity": "error", "text": f"{chr(0x3B1 + number % 900)}{chr(0x4E00 + number // 900)}{name}"}
            ],
            "run_seconds": 10.0 ** (number % 17 - 9),
            "latency_seconds": 10.0 ** (number % 17 - 9),
            "header": f"import A{name}",
        }
        tally.add(verdict_of(row))
    options = {f"{number}{worst}": worst for number in range(1000)}
    groups = ProblemGroups({Problems(1000, number): 1 for number in range(1000)})
    facts = Facts(worst, "now", "1", Verdicts(file=None, rows=None), run=Run(source=worst, settings=options), slots=3)
    page = page_of(summarize(tally, groups, facts)).encode()
    assert len(page) < MAX_PAGE_BYTES
