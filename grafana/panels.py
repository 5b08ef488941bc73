"""The kinds of panels, with the same style on all dashboards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import TypeAlias, TypeVar

from grafana_foundation_sdk.builders import common, stat, table, timeseries
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

from grafana.queries import PROMETHEUS, PromQuery

DashboardPanel: TypeAlias = timeseries.Panel | stat.Panel | table.Panel
AnyPanel = TypeVar("AnyPanel", timeseries.Panel, stat.Panel, table.Panel)
Steps: TypeAlias = Sequence[tuple[str, float | None]]

# Grafana adapts these named colours to its dark and light themes.
CHAMPION, CHALLENGER = "blue", "orange"
GOOD, WATCH, BAD, PLAIN = "green", "yellow", "red", "text"
NO_LIMIT: Steps = ((PLAIN, None),)


@dataclass(frozen=True)
class About:
    """The texts, the unit, the size and the limits of a panel.

    Attributes:
        title: the quantity in a few words.
        unit: Grafana's name of the unit, or `suffix:` and a word.
        description: the text behind the panel's *i*: the quantity, good values, and what to do about bad ones.
        width: the number of columns, of the 24 of a dashboard.
        height: the number of Grafana's grid lines.
        limits: pairs of a colour and the value from which on the colour applies.
        empty: the text of a panel without data.
        decimals: the number of decimals; Grafana's choice if None.
    """

    title: str
    unit: str
    description: str
    width: int = 8
    height: int = 8
    limits: Steps = NO_LIMIT
    empty: str = "no data yet"
    decimals: int | None = None


def at_most(limit: float) -> Steps:
    """Return limits for a quantity that is good below `limit`."""
    return ((GOOD, None), (BAD, limit))


def at_least(limit: float) -> Steps:
    """Return limits for a quantity that is good from `limit` on."""
    return ((BAD, None), (GOOD, limit))


def lines(about: About, *queries: PromQuery) -> timeseries.Panel:
    """Return lines over time, with the limits as dashed lines."""
    panel = _described(timeseries.Panel(), about, queries).legend(_legend()).tooltip(_tooltip())
    panel = panel.color_scheme(FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC_BY_NAME)).line_width(2)
    panel = panel.fill_opacity(5).show_points(VisibilityMode.NEVER).axis_soft_min(0)
    style = GraphThresholdsStyleMode.OFF if about.limits == NO_LIMIT else GraphThresholdsStyleMode.DASHED
    return panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(style))


def steps(about: About, *queries: PromQuery) -> timeseries.Panel:
    """Return lines with steps, for quantities that seldom change."""
    return lines(about, *queries).line_interpolation(LineInterpolation.STEP_AFTER)


def stacked(about: About, *queries: PromQuery) -> timeseries.Panel:
    """Return stacked areas over time."""
    panel = lines(about, *queries).fill_opacity(40).line_width(1)
    return panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))


def number(about: About, *queries: PromQuery) -> stat.Panel:
    """Return the newest value of each query as a large number, in the colour of its limit."""
    panel = _described(stat.Panel(), about, queries).graph_mode(BigValueGraphMode.NONE)
    panel = panel.color_mode(BigValueColorMode.VALUE)
    panel = panel.color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS)).text_mode(BigValueTextMode.AUTO)
    return panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False))


def rows(about: About, *queries: PromQuery) -> table.Panel:
    """Return a table of the queries' present values."""
    panel = _described(table.Panel(), about, queries, PromQueryFormat.TABLE).cell_height(TableCellHeight.SM)
    panel = panel.align(FieldTextAlignment.AUTO).inspect(inspect=False)
    return panel.color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS)).show_header(show_header=True)


def role_names(panel: AnyPanel) -> AnyPanel:
    """Show the role `shadow` as *challenger* in the names of series."""
    renamed = {"regex": "/^shadow/", "renamePattern": "challenger"}
    return panel.with_transformation(DataTransformerConfig("renameByRegex", options=renamed))


def by_role(panel: AnyPanel) -> AnyPanel:
    """Give champion and challenger their names and colours."""
    panel = role_names(panel)
    for regexp, color in (("/^champion/", CHAMPION), ("/^challenger/", CHALLENGER)):
        panel = panel.override_by_regexp(regexp, [fixed(color)])
    return panel


def fixed(color: str) -> DynamicConfigValue:
    """Return the property that gives a series this colour."""
    return DynamicConfigValue("color", {"mode": FieldColorModeId.FIXED, "fixedColor": color})


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


def newest_first(panel: table.Panel) -> table.Panel:
    """Sort the rows by the column `version`, whose labels are converted to numbers; the newest is first."""
    conversions = [{"targetField": "version", "destinationType": "number"}]
    panel = panel.with_transformation(DataTransformerConfig("convertFieldType", options={"conversions": conversions}))
    panel = panel.override_by_name("version", [*WHOLE, DynamicConfigValue("custom.align", FieldTextAlignment.LEFT)])
    return panel.sort_by([common.TableSortByFieldState().display_name("version").desc(desc=True)])


def columns(panel: table.Panel, shown: Sequence[TableColumn]) -> table.Panel:
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


def _described(
    panel: AnyPanel, about: About, queries: Sequence[PromQuery], shape: PromQueryFormat = PromQueryFormat.TIME_SERIES
) -> AnyPanel:
    panel = panel.title(about.title).description(about.description).unit(about.unit).no_value(about.empty)
    panel = panel.datasource(PROMETHEUS).span(about.width).height(about.height).thresholds(_thresholds(about.limits))
    if about.decimals is not None:
        panel = panel.decimals(about.decimals)
    return panel.targets([query.target(letter, shape) for letter, query in zip(ascii_uppercase, queries, strict=False)])


def _thresholds(limits: Steps) -> ThresholdsConfig:
    found = [Threshold(value=value, color=color) for color, value in limits]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(found)


def _legend() -> common.VizLegendOptions:
    legend = common.VizLegendOptions().show_legend(show_legend=True).placement(LegendPlacement.BOTTOM)
    return legend.display_mode(LegendDisplayMode.TABLE).calcs(["lastNotNull", "max"])


def _tooltip() -> common.VizTooltipOptions:
    return common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
