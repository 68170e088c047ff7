"""Make the few kinds of panels that all dashboards consist of."""

from __future__ import annotations

from string import ascii_uppercase
from typing import NamedTuple, TypeVar

from grafana_foundation_sdk.builders import common as part
from grafana_foundation_sdk.builders import dashboard as built
from grafana_foundation_sdk.builders import heatmap, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models import heatmap as heatmap_model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")
JOB = 'job=~"$job"'
DOMAIN = f'{JOB}, domain=~"$domain"'
RATE = "$__rate_interval"

SECONDS, SHARE, BYTES, PER_SECOND, COUNT, PLAIN = "s", "percentunit", "bytes", "ops", "short", "none"
"""Units, by Grafana's names; PLAIN is for an error or a rating."""

Builder = timeseries.Panel | stat.Panel | heatmap.Panel | statetimeline.Panel | table.Panel
P = TypeVar("P", timeseries.Panel, stat.Panel, heatmap.Panel, statetimeline.Panel, table.Panel)


class Query(NamedTuple):
    """PromQL, and the name of a series: its labels in double braces."""

    expr: str
    legend: str = ""


def thresholds(*steps: tuple[float | None, str]) -> built.ThresholdsConfig:
    """Return thresholds: a colour from each value on. None stands for the least value."""
    found = [dashboard.Threshold(value, color) for value, color in steps]
    return built.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(found)


def names(by_value: dict[str, tuple[str, str]]) -> list[dashboard.ValueMapping]:
    """Return mappings from values to text and colour."""
    found = {
        value: dashboard.ValueMappingResult(text, color, index=index)
        for index, (value, (text, color)) in enumerate(by_value.items())
    }
    return [dashboard.ValueMap(found)]


def lines(
    title: str, unit: str, text: str, *queries: Query, width: int = 8, height: int = 8
) -> timeseries.Panel:
    """Return lines over time. text: what the panel shows, and what to do."""
    panel = timeseries.Panel().line_width(2).fill_opacity(8).show_points(common.VisibilityMode.NEVER)
    legend = part.VizLegendOptions().display_mode(common.LegendDisplayMode.LIST).show_legend(True)
    panel = panel.legend(legend.placement(common.LegendPlacement.BOTTOM))
    tooltip = part.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI)
    return _filled(panel.tooltip(tooltip), (title, unit, text), queries, (width, height))


def bars(
    title: str, unit: str, text: str, *queries: Query, width: int = 8, height: int = 8
) -> timeseries.Panel:
    """Return counts over time, stacked."""
    panel = lines(title, unit, text, *queries, width=width, height=height).min(0)
    panel = panel.draw_style(common.GraphDrawStyle.BARS).fill_opacity(80)
    return panel.stacking(part.StackingConfig().mode(common.StackingMode.NORMAL))


def number(title: str, unit: str, text: str, query: Query, width: int = 4, height: int = 4) -> stat.Panel:
    """Return one number, as it is now, over a sparkline. The caller sets `thresholds`."""
    panel = (
        stat.Panel().color_mode(common.BigValueColorMode.BACKGROUND).graph_mode(common.BigValueGraphMode.AREA)
    )
    panel = panel.reduce_options(part.ReduceDataOptions().calcs(["lastNotNull"]))
    return _filled(panel, (title, unit, text), (query,), (width, height))


def states(title: str, text: str, *queries: Query, width: int = 24, height: int = 9) -> statetimeline.Panel:
    """Return a band for each series whose colour is its value. The caller sets `names`."""
    panel = statetimeline.Panel().merge_values(True).show_value(common.VisibilityMode.NEVER)
    return _filled(panel, (title, PLAIN, text), queries, (width, height))


def heat(title: str, unit: str, text: str, query: Query, width: int = 12, height: int = 8) -> heatmap.Panel:
    """Return a histogram over time. query: its buckets, by `le`."""
    color = (
        heatmap.HeatmapColorOptions().mode(heatmap_model.HeatmapColorMode.SCHEME).scheme("Oranges").steps(64)
    )
    panel = heatmap.Panel().calculate(False).color(color).y_axis(heatmap.YAxisConfig().unit(unit))
    panel = panel.cell_gap(1).show_color_scale(True).hide_y_histogram()
    return _filled(panel, (title, unit, text), (query,), (width, height), PromQueryFormat.HEATMAP)


def rows(title: str, unit: str, text: str, query: Query, width: int = 12, height: int = 8) -> table.Panel:
    """Return a table of the series as they are now."""
    panel = table.Panel().with_transformation(
        dashboard.DataTransformerConfig(id_val="organize", options={"excludeByName": {"Time": True}})
    )
    return _filled(panel, (title, unit, text), (query,), (width, height), PromQueryFormat.TABLE)


def _filled(
    panel: P,
    labels: tuple[str, str, str],
    queries: tuple[Query, ...],
    size: tuple[int, int],
    form: PromQueryFormat = PromQueryFormat.TIME_SERIES,
) -> P:
    """Return the panel with its queries. labels: title, unit, text; size: width and height."""
    (title, unit, text), (width, height) = labels, size
    panel = panel.title(title).description(text).unit(unit).datasource(SOURCE).span(width).height(height)
    for letter, (expr, legend) in zip(ascii_uppercase, queries, strict=False):
        target = prometheus.Dataquery().ref_id(letter).expr(expr).legend_format(legend).datasource(SOURCE)
        target = target.format(form)
        panel = panel.with_target(target.instant() if form is PromQueryFormat.TABLE else target.range())
    return panel
