"""From a board to Grafana's JSON, by Grafana's own builders, which are made from the schema of its dashboards.

The builders' types are the first check (mypy), and tests/unit/deploy reads what was written back through their models.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, TypeAlias

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from boards.panels import Shape

if TYPE_CHECKING:
    from collections.abc import Iterable

    from boards.panels import Board, Panel, Query

_Builder: TypeAlias = timeseries.Panel | stat.Panel | bargauge.Panel | table.Panel

SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
TAG = "streamverify"


def as_json(board: Board) -> str:
    """Make the file of a dashboard: the same for the same board, with a line for each field."""
    return JSONEncoder(sort_keys=True, indent=1).encode(_dashboard(board).build()) + "\n"


def _dashboard(board: Board) -> dashboard.Dashboard:
    made = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags([TAG])
        .editable()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .time("now-1h", "now")
        .timezone("browser")
        .refresh("30s")
        .link(
            # From one dashboard to the others, with the time and the workers that are being looked at.
            dashboard.DashboardLink("streamverify")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(as_dropdown=False)
            .include_vars(include_vars=True)
            .keep_time(keep_time=True)
        )
    )
    for variable in _variables(board):
        made = made.with_variable(variable)
    numbers = itertools.count(1)
    for row in board.rows:
        made = made.with_row(dashboard.Row(row.title).id(next(numbers)))
        for panel in row.panels:
            made = made.with_panel(_panel(panel).id(next(numbers)))
    return made


def _variables(board: Board) -> Iterable[dashboard.DatasourceVariable | dashboard.QueryVariable]:
    yield (
        dashboard.DatasourceVariable("datasource")
        .label("Prometheus")
        .type("prometheus")
        .current(models.VariableOption(text="prometheus", value="prometheus"))
    )
    # Only jobs and instances that have what the dashboard shows are offered.
    jobs = f"label_values({board.member}, job)"
    instances = f'label_values({board.member}{{job=~"$job"}}, instance)'
    yield _choice("job", "Job", jobs, several=True)
    yield _choice("instance", "Instance", instances, several=not board.one_instance)


def _choice(name: str, label: str, query: str, *, several: bool) -> dashboard.QueryVariable:
    choice = (
        dashboard.QueryVariable(name)
        .label(label)
        .query(query)
        .datasource(SOURCE)
        # Workers come and go while a dashboard is open.
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
    )
    if not several:
        return choice
    everything = models.VariableOption(selected=True, text="All", value="$__all")
    return choice.multi(multi=True).include_all(include_all=True).all_value(".*").current(everything)


def _panel(panel: Panel) -> _Builder:
    made = _shapes(panel)
    made = (
        made.title(panel.title)
        .description(panel.description)
        .datasource(SOURCE)
        .unit(panel.unit)
        .span(panel.width)
        .height(panel.height)
        .thresholds(_thresholds(panel))
    )
    if panel.shape is not Shape.TABLE:
        if panel.lowest is not None:
            made = made.min(panel.lowest)
        if panel.highest is not None:
            made = made.max(panel.highest)
    for name, colour in (panel.colours or {}).items():
        fixed = models.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": colour})
        made = made.override_by_name(name, [fixed])
    for letter, query in zip("ABCDEFGH", panel.queries, strict=False):
        made = made.with_target(_target(panel, query, letter))
    return made


def _shapes(panel: Panel) -> _Builder:
    """Make the builder of the panel's kind, with what only that kind has."""
    last = common.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False)
    match panel.shape:
        case Shape.LINES:
            legend = (
                common.VizLegendOptions()
                .show_legend(show_legend=True)
                .display_mode(common_models.LegendDisplayMode.LIST)
                .placement(common_models.LegendPlacement.BOTTOM)
            )
            tooltip = common.VizTooltipOptions().mode(common_models.TooltipDisplayMode.MULTI)
            lines = timeseries.Panel().legend(legend).tooltip(tooltip.sort(common_models.SortOrder.DESCENDING))
            lines = lines.show_points(common_models.VisibilityMode.NEVER).line_width(2)
            if panel.thresholds:
                dashed = common_models.GraphThresholdsStyleMode.DASHED
                lines = lines.thresholds_style(common.GraphThresholdsStyleConfig().mode(dashed))
            if panel.stacked:
                lines = lines.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL))
            return lines.fill_opacity(40 if panel.stacked else 8)
        case Shape.NUMBER:
            # With a threshold the number has its colour; without one there is nothing to warn of.
            colour = common_models.BigValueColorMode.VALUE if panel.thresholds else common_models.BigValueColorMode.NONE
            return stat.Panel().reduce_options(last).color_mode(colour).graph_mode(common_models.BigValueGraphMode.AREA)
        case Shape.BARS:
            bars = bargauge.Panel().reduce_options(last).orientation(common_models.VizOrientation.HORIZONTAL)
            # increase() reckons from scrape to scrape, and 2.03 deaths are two.
            return bars.decimals(0).display_mode(common_models.BarGaugeDisplayMode.BASIC)
        case Shape.TABLE:
            shown = {"include": {"names": list(panel.columns)}}
            order = {"indexByName": {name: index for index, name in enumerate(panel.columns)}}
            kept = models.DataTransformerConfig(id_val="filterFieldsByName", options=shown)
            ordered = models.DataTransformerConfig(id_val="organize", options=order)
            plain = table.Panel().align(common_models.FieldTextAlignment.AUTO).inspect(inspect=False)
            return plain.with_transformation(kept).with_transformation(ordered)


def _thresholds(panel: Panel) -> dashboard.ThresholdsConfig:
    steps = [models.Threshold(color=panel.below)]
    steps += [models.Threshold(value=value, color=colour) for value, colour in panel.thresholds]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)


def _target(panel: Panel, query: Query, letter: str) -> prometheus.Dataquery:
    made = prometheus.Dataquery().ref_id(letter).expr(query.promql).datasource(SOURCE)
    if query.legend:
        made = made.legend_format(query.legend)
    match panel.shape:
        case Shape.TABLE:
            return made.instant().format(PromQueryFormat.TABLE)
        case Shape.BARS:
            return made.instant()
        case _:
            return made.range()
