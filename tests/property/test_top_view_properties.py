"""The view of `top`: whatever is in it and however large the terminal is, it fits, and steers nothing."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from overview_fakes import answer, member, seen, slot, status
from rich.cells import cell_len

from streamverify.cli.grid import GridColumn, fit, grid
from streamverify.cli.top_view import draw
from streamverify.cli.units import duration, rate, size
from streamverify.core.delivery.group_position import GroupPosition
from streamverify.core.overview.build import overview
from streamverify.core.overview.group import GroupMember, ProcessAnswer
from streamverify.core.overview.rates import History
from streamverify.core.overview.status import OldestProof, cut

if TYPE_CHECKING:
    from streamverify.core.overview.model import Overview

HOSTILE = st.text(max_size=60) | st.sampled_from(
    [
        "\x1b[2J\x1b]0;mine\x07",
        "\u202egnp.exe",
        "a\nb\r\tc",
        "\u2067\U0001f469\u200d\U0001f52c" * 30,
        "e\u0301" * 200,
        "[red]x[/]",
        "字" * 90,
    ]
)


@st.composite
def overviews(draw_: st.DrawFn) -> Overview:
    members: list[GroupMember] = []
    answers: list[ProcessAnswer] = []
    for number in range(draw_(st.integers(0, 5))):
        name = f"{number}{draw_(HOSTILE)}"
        found = replace(member(f"w{number}"), process=f"w{number}:1", client_host=draw_(HOSTILE))
        kind = draw_(st.sampled_from(["answers", "silent", "older", "foreign"]))
        if kind in {"older", "foreign"}:
            ours = kind == "older"
            found = replace(found, card=None, process=name if ours else "", client_id="streamverify" if ours else name)
        elif kind == "answers":
            slots = [
                slot(
                    each,
                    draw_(st.sampled_from(["running", "idle", "empty", "importing", cut(name, 9)])),
                    header=cut(draw_(HOSTILE)),
                    custom_id=cut(draw_(HOSTILE), 160),
                    memory_bytes=draw_(st.integers(0, 2**45)),
                )
                for each in range(draw_(st.integers(0, 6)))
            ]
            oldest = OldestProof(custom_id=cut(name), partition=0, offset=0, age_seconds=1e9, here_seconds=0.0)
            said = status(
                f"w{number}", 1, slots=slots, oldest=oldest, problem=draw_(st.none() | HOSTILE), queued=10**12
            )
            answers.append(answer(said))
            assert found.card is not None
            found = replace(found, card=found.card.model_copy(update={"name": cut(name)}))
        members.append(found)
    given_urls = ["http://x:1"] if draw_(st.booleans()) else []
    answers += [ProcessAnswer(url, problem=draw_(HOSTILE)) for url in given_urls]
    positions = (GroupPosition(0, 0, 9, 9, 9, [], "open"),) if draw_(st.booleans()) else None
    told = seen(
        *members, answers=tuple(answers), positions=positions, problems=tuple(draw_(st.lists(HOSTILE, max_size=7)))
    )
    return overview(told, History(), at="2026-01-31T12:00:00Z", given=given_urls)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(overviews(), st.integers(1, 200), st.integers(1, 60) | st.none())
def test_every_line_fits_and_none_steers_the_terminal(made: Overview, width: int, height: int | None) -> None:
    lines = draw(made, width, height, "q quits")
    if height is not None:
        assert len(lines) == height
        assert lines[-1].plain.startswith("q quits"[: width - 1])
    for line in lines:
        assert cell_len(line.plain) <= width
        assert "\n" not in line.plain
        assert not any(unicodedata.category(char) in {"Cc", "Cs"} for char in line.plain)
        assert not any(char in line.plain for char in "\u202e\u202d\u2066\u2067\u2068\u2069\u202a\u202b")


@given(st.text(max_size=80), st.integers(0, 40))
def test_a_cut_text_is_as_wide_as_asked_at_most(text: str, width: int) -> None:
    line = " ".join(text.split())
    assert cell_len(fit(line, width)) <= width
    if cell_len(line) <= width:
        assert fit(line, width) == line


@given(st.lists(st.tuples(HOSTILE, st.integers(0, 10**9)), max_size=6), st.integers(1, 100))
def test_columns_stand_under_their_heads(rows: list[tuple[str, int]], width: int) -> None:
    columns = [GridColumn("NAME", least=6), GridColumn("NUMBER", right=True), GridColumn("MORE", drop=1)]
    lines = grid(columns, [[name, f"{number:,}", "yes"] for name, number in rows], width)
    assert len(lines) == len(rows) + 1
    assert all(cell_len(line.plain) <= width for line in lines)
    if width > 40:
        words = ["NUMBER", *(f"{number:,}" for _, number in rows)]
        ends = {
            cell_len(line.plain[: line.plain.rindex(word) + len(word)]) for line, word in zip(lines, words, strict=True)
        }
        assert len(ends) == 1, "numbers end in one column"


@given(st.floats(0, 10**8), st.floats(0, 10**8))
def test_durations_say_more_the_longer_they_are(one: float, other: float) -> None:
    def read(text: str) -> float:
        units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
        parts = text.replace(",", "").replace(" s", "s").split()
        return sum(float(part[:-1]) * units[part[-1]] for part in parts)

    for seconds in (one, other):
        shown = read(duration(seconds))
        assert abs(shown - seconds) <= max(
            0.05 + 1e-9, 0.5 if seconds >= 9.9 else 0, 60 if seconds >= 3600 else 0, 3600 if seconds >= 86400 else 0
        )
    if one <= other:
        assert read(duration(one)) <= read(duration(other)) + 0.05


@given(st.integers(0, 2**50))
def test_sizes_are_within_a_twentieth_or_half_a_unit(count: int) -> None:
    number, unit = size(count).replace(",", "").split()
    factor = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}[unit]
    assert abs(float(number) * factor - count) <= max(
        0.5 * factor if unit in {"KiB", "MiB"} else 0.05 * factor, 0.01 * count
    )


def test_numbers_as_people_read_them() -> None:
    assert [duration(each) for each in (None, 0, 0.04, 9.94, 9.96, 59.4, 59.6, 3599.6, 86_399.9, 360_000)] == [
        "-", "0.0 s", "0.0 s", "9.9 s", "10 s", "59 s", "1m 00s", "1h 00m", "1d 00h", "4d 04h"
    ]  # fmt: skip
    assert [size(each) for each in (None, 0, 2**20 - 1, 2**20, 1.5 * 2**30, 200 * 2**30, 3 * 2**40)] == [  # type: ignore[arg-type]
        "-", "0 KiB", "1 MiB", "1 MiB", "1.5 GiB", "200 GiB", "3.0 TiB"
    ]  # fmt: skip
    assert [rate(each) for each in (None, 0, 0.004, 0.5, 9.994, 9.996, 99.94, 99.96, 12_345.6)] == [
        "-", "0", "0.00", "0.50", "9.99", "10.0", "99.9", "100", "12,346"
    ]  # fmt: skip
