"""Draws an overview of a group as lines for a terminal of a given size. Prints nothing.

Whatever stands in it may come from a stranger: names, headers and ids are made harmless and cut, so that no line is
wider than the terminal and there are no more lines than it has.
"""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from streamverify.cli.grid import Cell, GridColumn, fit, grid, plain
from streamverify.cli.output import MEMBER_STYLES, STATUS_STYLES, plural
from streamverify.cli.units import duration, rate, size
from streamverify.core.overview.build import memory_of
from streamverify.core.overview.versions import verifier_words, worded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from streamverify.core.overview.model import Overview, WorkerView
    from streamverify.core.overview.status import SlotStatus

LEAST_WIDTH = 40
"""Cells below which the view is cut off at the right."""
_MAX_PROBLEMS = 4
_SLOT_STYLES = {"running": "green", "importing": "cyan", "idle": "", "empty": "dim"}

_WORKERS = (
    GridColumn("WORKER", least=12),
    GridColumn("STATE"),
    GridColumn("PARTITIONS", right=True, drop=2),
    GridColumn("SLOTS", right=True),
    GridColumn("QUEUED", right=True),
    GridColumn("PROOFS/S", right=True),
    GridColumn("OLDEST", right=True, drop=1, room=7),
    GridColumn("MEMORY", right=True, room=8),
    GridColumn("UPTIME", right=True, drop=4),
    GridColumn("LEAN", drop=3),
    GridColumn("ADDRESS", drop=5),
)
_SLOTS = (
    GridColumn("WORKER", least=8),
    GridColumn("SLOT", right=True),
    GridColumn("STATE", room=9),
    GridColumn("AGE", right=True, room=6),
    GridColumn("MEMORY", right=True, room=8),
    GridColumn("USES", right=True, drop=1),
    GridColumn("PROOF", least=10),
    GridColumn("HEADER", least=10),
)


def draw(overview: Overview, width: int, height: int | None = None, footer: str = "") -> list[Text]:
    """Draw the view.

    Args:
        overview: What is shown.
        width: Cells of a line.
        height: Lines that there is room for; None: as many as it takes.
        footer: The last line of a view that goes on.
    """
    width = max(1, width)
    head = [*_head(overview, width), *_warnings(overview, width), Text(), *_summary(overview, width)]
    last = [Text(fit(footer, width), style="dim")] if footer else []
    workers, slots = _workers(overview, width), _slots(overview, width)
    others = _processes(overview, width)
    if height is None:
        parts = [head, workers, others, slots, last]
    else:
        room = height - len(head) - len(last) - 1
        # Two thirds for the workers at most, where the slots need the rest.
        of_workers = max(2, room - len(slots) - len(others) - 1, room * 2 // 3)
        workers = _cut(workers, min(of_workers, room), width, "line")
        others = _cut(others, max(0, room - len(workers) - 1), width, "line")
        used = len(workers) + (len(others) + 1 if others else 0)
        slots = _cut(slots, max(0, room - used - 1), width, "slot")
        parts = [head, workers, others, slots]
    lines: list[Text] = []
    # A blank line between the parts, but not before the footer, which belongs to the edge of the terminal.
    for part in parts:
        if part:
            lines += [*([Text()] if lines and part is not last else []), *part]
    if height is None:
        return lines
    # The footer stays at the bottom, so that the view does not jump when a worker comes or goes.
    body = lines[: max(0, height - len(last))]
    filler = [Text()] * (height - len(last) - len(body))
    return [*body, *filler, *last][:height]


def _cut(lines: list[Text], most: int, width: int, noun: str) -> list[Text]:
    """Show as many lines as there is room for, the last of which says how many there are more."""
    if len(lines) <= most:
        return lines
    if most < 2:  # noqa: PLR2004 - a head alone says nothing
        return []
    left = len(lines) - most + 1
    return [*lines[: most - 1], Text(fit(f"… {plural(left, f'more {noun}')}", width), style="dim")]


def _head(overview: Overview, width: int) -> Iterator[Text]:
    """Draw the first line: the group to the left, the time to the right."""
    state = overview.group_state or "not described"
    style = "green" if overview.group_state == "Stable" else "yellow"
    clock = overview.at[11:]
    said = f"  topic {plain(overview.topic)}  "
    left = fit(f"group {plain(overview.group)}{said}", max(1, width - cell_len(state) - len(clock) - 2))
    line = Text(left, style="bold", no_wrap=True).append(
        fit(state, max(0, width - cell_len(left))), f"not bold {style}"
    )
    padding = width - cell_len(line.plain) - len(clock)
    yield line.append(" " * padding + clock, "not bold dim") if padding > 0 else line


def _warnings(overview: Overview, width: int) -> list[Text]:
    """Draw what is missing or wrong with the group as a whole."""
    said = [*overview.problems, *(worded(mixed) for mixed in overview.mixed_versions)]
    more = len(said) - _MAX_PROBLEMS
    lines = [
        Text(fit(line, width), style="yellow", no_wrap=True)
        for each in said[:_MAX_PROBLEMS]
        for line in wrap(
            plain(each), max(width, 8), initial_indent="! ", subsequent_indent="  ", max_lines=2, placeholder=" …"
        )
    ]
    return [*lines, Text(fit(f"! {more} more", width), style="yellow")] if more > 0 else lines


def _summary(overview: Overview, width: int) -> list[Text]:
    """Draw the sums of the group, and under them what was answered."""
    totals, lag = overview.totals, overview.lag
    facts = [
        ("workers", f"{totals.ready} of {totals.workers} ready", "" if totals.ready == totals.workers > 0 else "yellow")
    ]
    if lag is None:
        facts.append(("to do", "not known", "yellow"))
    else:
        about = "" if lag.seconds is None or not lag.to_do else f", about {duration(lag.seconds)}"
        facts.append(("to do", f"{lag.to_do:,}{about}", ""))
        facts.append(("lag", f"{lag.records:,}", ""))
    oldest = overview.oldest
    facts.append(("oldest proof", "-" if oldest is None else duration(oldest.age_seconds), ""))
    letters = overview.dead_letters
    facts.append(("dead letters", "-" if letters is None else f"{letters:,}", "yellow" if letters else ""))
    facts.append(("slots", f"{totals.running:,} of {totals.slots:,} busy", ""))
    facts.append(("queued", f"{totals.queued:,}", ""))
    facts.append(("memory", size(totals.memory_bytes), ""))
    return [*_flow(facts, width), Text(), *_answered(overview, width)]


def _flow(facts: Sequence[tuple[str, str, str]], width: int) -> list[Text]:
    """Set facts beside each other in columns, as many in a line as fit."""
    # From as many in a line as there are down to one, which may be cut: the first that fits.
    for in_a_line in range(len(facts), 0, -1):
        lines = [facts[at : at + in_a_line] for at in range(0, len(facts), in_a_line)]
        widths = [max(cell_len(f"{fact[0]} {fact[1]}") for fact in facts[at::in_a_line]) for at in range(in_a_line)]
        if sum(widths) + 3 * (in_a_line - 1) <= width:
            break
    drawn = []
    for line in lines:
        text = Text(no_wrap=True)
        for (name, said, style), wanted in zip(line, widths, strict=False):
            text.append(f"{name} ", "dim").append(said, style or "bold")
            text.append(" " * (wanted - cell_len(f"{name} {said}") + 3))
        text.rstrip()
        text.truncate(width, overflow="ellipsis")
        drawn.append(text)
    return drawn


def _answered(overview: Overview, width: int) -> list[Text]:
    """Draw the results by status: in a second, and since the workers' start."""
    totals, rates = overview.totals, overview.rates
    names = ("verified", "rejected", "inconclusive")
    total = totals.verified + totals.rejected + totals.inconclusive
    over = "" if rates is None else f" over {duration(rates.seconds)}"
    columns = [
        GridColumn("RESULTS"),
        GridColumn("ALL", right=True),
        *(GridColumn(name.upper(), right=True) for name in names),
        GridColumn("CACHED", right=True, drop=1),
        GridColumn("DEAD LETTERS", right=True, drop=2),
    ]
    in_a_second: list[Cell | str] = [f"a second{over}", rate(None if rates is None else rates.total)]
    so_far: list[Cell | str] = ["since the start", f"{total:,}"]
    for name in names:
        often = None if rates is None else getattr(rates, name)
        in_a_second.append(Cell(rate(often), STATUS_STYLES[name] if often else ""))
        count = getattr(totals, name)
        so_far.append(Cell(f"{count:,}", STATUS_STYLES[name] if count else ""))
    in_a_second += [rate(None if rates is None else rates.cached), ""]
    so_far += [f"{totals.cached:,}", f"{totals.dead_letters:,}"]
    return grid(columns, [in_a_second, so_far], width)


def _workers(overview: Overview, width: int) -> list[Text]:
    """Draw a line for each member; under it what is wrong with it."""
    if not overview.workers:
        return [Text(fit("no worker is in the group", width), style="yellow")]
    lines = grid(_WORKERS, [_worker(view) for view in overview.workers], width)
    shown = [lines[0]]
    for view, line in zip(overview.workers, lines[1:], strict=True):
        shown.append(line)
        if view.problem:
            shown.append(Text(fit(f"  {plain(view.problem)}", width), style="yellow", no_wrap=True))
    return shown


def _worker(view: WorkerView) -> list[Cell | str]:
    status = view.status
    state = Cell(view.state.replace("_", " "), MEMBER_STYLES.get(view.state, "yellow"))
    partitions = str(len(view.partitions))
    lean = verifier_words(view.versions)
    address = view.url or view.host
    if status is None:
        return [view.name, state, partitions, "-", "-", "-", "-", "-", "-", lean or "-", address]
    oldest = None if status.oldest is None else status.oldest.age_seconds
    return [
        view.name,
        state,
        partitions,
        f"{status.running}/{status.slot_count}",
        f"{status.queued:,}",
        rate(view.per_second),
        duration(oldest),
        size(memory_of(status)),
        duration(status.uptime_seconds),
        lean or "-",
        address,
    ]


def _processes(overview: Overview, width: int) -> list[Text]:
    """Draw a line for each other process that was asked for."""
    if not overview.processes:
        return []
    words = {True: Cell("ready", "green"), False: Cell("not ready", "yellow"), None: Cell("no answer", "yellow")}
    columns = (
        GridColumn("PROCESS"),
        GridColumn("STATE"),
        GridColumn("ADDRESS", least=16),
        GridColumn("PROBLEM", least=10),
    )
    rows: list[list[Cell | str]] = [
        [each.process if each.ready is not None else "-", words[each.ready], each.url, each.problem or ""]
        for each in overview.processes
    ]
    return grid(columns, rows, width)


def _slots(overview: Overview, width: int) -> list[Text]:
    """Draw a line for each slot of each worker that answered: those that work first, the longest first."""
    found = [(view.name, slot) for view in overview.workers if view.status is not None for slot in view.status.slots]
    # What hangs is found at the top.
    order = {"running": 0, "importing": 0, "idle": 1}
    found.sort(key=lambda pair: (order.get(pair[1].state, 2), -(pair[1].age_seconds or 0.0)))
    left = sum(view.status.slots_left_out for view in overview.workers if view.status is not None)
    if not found:
        return []
    lines = grid(_SLOTS, [_slot(name, slot) for name, slot in found], width)
    more = [Text(fit(f"… {plural(left, 'slot')} that the workers do not list", width), style="dim")] if left else []
    return [*lines, *more]


def _slot(name: str, slot: SlotStatus) -> list[Cell | str]:
    return [
        name,
        str(slot.slot),
        Cell(slot.state, _SLOT_STYLES.get(slot.state, "yellow")),
        duration(slot.age_seconds),
        size(slot.memory_bytes),
        f"{slot.uses:,}",
        slot.custom_id or "-",
        "-" if slot.header is None else slot.header or "(no imports)",
    ]
