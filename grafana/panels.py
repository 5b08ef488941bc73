"""The kinds of panels, with the same style on all dashboards."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import TypeAlias, TypeVar

from grafana_foundation_sdk.builders import common, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    FieldTextAlignment,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    LineInterpolation,
    SortOrder,
    StackingMode,
    TableCellHeight,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from grafana.queries import PROMETHEUS

DashboardPanel: TypeAlias = timeseries.Panel | stat.Panel | table.Panel
AnyPanel = TypeVar("AnyPanel", timeseries.Panel, stat.Panel, table.Panel)
Steps: TypeAlias = Sequence[tuple[str, float | None]]

# Grafana adapts these named colours to its dark and light themes.
CHAMPION, CHALLENGER = "blue", "orange"
GOOD, WATCH, BAD, PLAIN = "green", "yellow", "red", "text"
NO_LIMIT: Steps = ((PLAIN, None),)
SHARE = "percentunit, 1 decimal"  # in place of Grafana's name of the unit; lines of shares end at 100 %
ROLE_LEGEND = "{{role}}"  # the beginning of the names of series that a role answers for


def at_most(limit: float) -> Steps:
    """Return limits for a quantity that is good below `limit`."""
    return ((GOOD, None), (BAD, limit))


def at_least(limit: float) -> Steps:
    """Return limits for a quantity that is good from `limit` on."""
    return ((BAD, None), (GOOD, limit))


def lines(title: str, unit: str, queries: Mapping[str, str], limits: Steps = NO_LIMIT) -> timeseries.Panel:
    """Return lines over time, with the limits as dashed lines.

    Args:
        title: the quantity in a few words; `descriptions.md` has a text for it.
        unit: Grafana's name of the unit, or `suffix:` and a word, or `SHARE`.
        queries: PromQL by the name of its series, in which `{{label}}` stands for the value of a label. The PromQL must
            select the problem by `$problem`.
        limits: pairs of a colour and the value from which on the colour applies.
    """
    targets = [_target(expr).legend_format(legend).range() for legend, expr in queries.items()]
    panel = _described(timeseries.Panel(), title, unit, targets)
    panel = _by_role(panel, queries).thresholds(_thresholds(limits)).legend(_legend()).tooltip(_tooltip())
    if unit == SHARE:
        panel = panel.max(1)
    panel = panel.color_scheme(FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC_BY_NAME)).line_width(2)
    panel = panel.fill_opacity(5).show_points(VisibilityMode.NEVER).axis_soft_min(0)
    style = GraphThresholdsStyleMode.OFF if limits == NO_LIMIT else GraphThresholdsStyleMode.DASHED
    return panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(style))


def steps(title: str, unit: str, queries: Mapping[str, str], limits: Steps = NO_LIMIT) -> timeseries.Panel:
    """Return lines with steps, for quantities that seldom change."""
    return lines(title, unit, queries, limits).line_interpolation(LineInterpolation.STEP_AFTER)


def stacked(title: str, unit: str, queries: Mapping[str, str]) -> timeseries.Panel:
    """Return stacked areas over time."""
    panel = lines(title, unit, queries).fill_opacity(40).line_width(1)
    return panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))


def number(title: str, unit: str, queries: Mapping[str, str], limits: Steps = NO_LIMIT) -> stat.Panel:
    """Return the present value of each query as a large number, in the colour of its limit; see `lines`."""
    targets = [_target(expr).legend_format(legend).instant() for legend, expr in queries.items()]
    panel = _described(stat.Panel(), title, unit, targets).thresholds(_thresholds(limits))
    panel = _by_role(panel, queries, colors=limits == NO_LIMIT)
    panel = panel.graph_mode(BigValueGraphMode.NONE).color_mode(BigValueColorMode.VALUE)
    panel = panel.color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS)).text_mode(BigValueTextMode.AUTO)
    return panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False))


def rows(title: str, unit: str, *exprs: str) -> table.Panel:
    """Return a table of the present values of PromQL expressions; see `lines`."""
    targets = [_target(expr).legend_format("").format(PromQueryFormat.TABLE).instant() for expr in exprs]
    panel = _described(table.Panel(), title, unit, targets).thresholds(_thresholds(NO_LIMIT))
    panel = panel.cell_height(TableCellHeight.SM).align(FieldTextAlignment.AUTO).inspect(inspect=False)
    return panel.color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS)).show_header(show_header=True)


def colored(panel: AnyPanel, colors: Mapping[str, str]) -> AnyPanel:
    """Give the series with these names their colours."""
    for name, color in colors.items():
        panel = panel.override_by_name(name, [_fixed(color)])
    return panel


def words(texts: Mapping[str, tuple[str, str]]) -> ValueMap:
    """Return a mapping of values to words with colours."""
    return ValueMap({value: ValueMappingResult(text=text, color=color) for value, (text, color) in texts.items()})


WHOLE = (DynamicConfigValue("unit", "none"), DynamicConfigValue("decimals", 0))
ROLES = words({"champion": ("champion", CHAMPION), "shadow": ("challenger", CHALLENGER)})


@dataclass(frozen=True)
class TableColumn:
    """A column of a table: the name of its data, its heading, and the look of its values."""

    name: str
    heading: str
    properties: Sequence[DynamicConfigValue] = field(default=())


ROLE = TableColumn("role", "role", (DynamicConfigValue("mappings", [ROLES]),))


def columns(panel: table.Panel, *shown: TableColumn) -> table.Panel:
    """Make one row for each set of labels, with the columns `shown` in their order and no others."""
    names = [column.name for column in shown]
    organized = {
        "includeByName": dict.fromkeys(names, True),
        "indexByName": {name: place for place, name in enumerate(names)},
        "renameByName": {column.name: column.heading for column in shown},
    }
    # Grafana merges rows with equal common fields. The times of two queries can differ, so they are left out.
    timeless = {"excludeByName": {"Time": True}}
    panel = panel.with_transformation(DataTransformerConfig("organize", options=timeless))
    panel = panel.with_transformation(DataTransformerConfig("merge", options={}))
    panel = panel.with_transformation(DataTransformerConfig("organize", options=organized))
    for column in shown:
        if column.properties:
            panel = panel.override_by_name(column.heading, list(column.properties))
    return panel


def _by_role(panel: AnyPanel, queries: Mapping[str, str], *, colors: bool = True) -> AnyPanel:
    """Give series of champion and challenger their names, and their colours; the stored role `shadow` is renamed."""
    if not any(legend.startswith(ROLE_LEGEND) for legend in queries):
        return panel
    renamed = {"regex": "/^shadow/", "renamePattern": "challenger"}
    panel = panel.with_transformation(DataTransformerConfig("renameByRegex", options=renamed))
    for regexp, color in (("/^champion/", CHAMPION), ("/^challenger/", CHALLENGER)) if colors else ():
        panel = panel.override_by_regexp(regexp, [_fixed(color)])
    return panel


def _target(expr: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().datasource(PROMETHEUS).expr(expr).format(PromQueryFormat.TIME_SERIES)


def _described(panel: AnyPanel, title: str, unit: str, targets: Iterable[prometheus.Dataquery]) -> AnyPanel:
    panel = panel.title(title).no_value("no data yet").datasource(PROMETHEUS)
    panel = panel.unit("percentunit").decimals(1) if unit == SHARE else panel.unit(unit)
    return panel.targets([target.ref_id(letter) for letter, target in zip(ascii_uppercase, targets, strict=False)])


def _fixed(color: str) -> DynamicConfigValue:
    return DynamicConfigValue("color", {"mode": FieldColorModeId.FIXED, "fixedColor": color})


def _thresholds(limits: Steps) -> ThresholdsConfig:
    found = [Threshold(value=value, color=color) for color, value in limits]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(found)


def _legend() -> common.VizLegendOptions:
    legend = common.VizLegendOptions().show_legend(show_legend=True).placement(LegendPlacement.BOTTOM)
    return legend.display_mode(LegendDisplayMode.TABLE).calcs(["lastNotNull", "max"])


def _tooltip() -> common.VizTooltipOptions:
    return common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
