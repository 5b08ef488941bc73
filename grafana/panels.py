"""The kinds of panels, each in the one way that all dashboards show it."""

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

from grafana.queries import PROMETHEUS, Query

Panel: TypeAlias = timeseries.Panel | stat.Panel | table.Panel
AnyPanel = TypeVar("AnyPanel", timeseries.Panel, stat.Panel, table.Panel)
Steps: TypeAlias = Sequence[tuple[str, float | None]]

# Named colours, which Grafana adapts to its dark and light themes.
CHAMPION, CHALLENGER = "blue", "orange"
GOOD, WATCH, BAD, PLAIN = "green", "yellow", "red", "text"
NO_LIMIT: Steps = ((PLAIN, None),)


@dataclass(frozen=True)
class About:
    """What a panel says about itself, and its place.

    Attributes:
        title: what it shows, in a few words.
        unit: Grafana's name of the unit, or `suffix:` and a word.
        description: what it shows, what is good, what to do.
        width: of the 24 columns of a dashboard.
        height: in Grafana's lines.
        limits: colours, each from a value on.
        empty: what stands there while there is no data.
        decimals: how many; by default as many as Grafana finds fit.
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
    """Return limits where more is bad."""
    return ((GOOD, None), (BAD, limit))


def at_least(limit: float) -> Steps:
    """Return limits where less is bad."""
    return ((BAD, None), (GOOD, limit))


def lines(about: About, *queries: Query) -> timeseries.Panel:
    """Return lines over time; limits are dashed lines."""
    panel = _described(timeseries.Panel(), about, queries).legend(_legend()).tooltip(_tooltip())
    panel = panel.color_scheme(FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC_BY_NAME)).line_width(2)
    panel = panel.fill_opacity(5).show_points(VisibilityMode.NEVER).axis_soft_min(0)
    style = GraphThresholdsStyleMode.OFF if about.limits == NO_LIMIT else GraphThresholdsStyleMode.DASHED
    return panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(style))


def steps(about: About, *queries: Query) -> timeseries.Panel:
    """Return lines that stay level from one value to the next: for what changes seldom."""
    return lines(about, *queries).line_interpolation(LineInterpolation.STEP_AFTER)


def stacked(about: About, *queries: Query) -> timeseries.Panel:
    """Return areas over time, one upon the other."""
    panel = lines(about, *queries).fill_opacity(40).line_width(1)
    return panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))


def number(about: About, *queries: Query) -> stat.Panel:
    """Return the newest value of each query, large; limits colour it."""
    panel = _described(stat.Panel(), about, queries).graph_mode(BigValueGraphMode.NONE)
    panel = panel.color_mode(BigValueColorMode.VALUE)
    panel = panel.color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS)).text_mode(BigValueTextMode.AUTO)
    return panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False))


def rows(about: About, *queries: Query) -> table.Panel:
    """Return a table of what the queries say now."""
    panel = _described(table.Panel(), about, queries, PromQueryFormat.TABLE).cell_height(TableCellHeight.SM)
    panel = panel.align(FieldTextAlignment.AUTO).inspect(inspect=False)
    return panel.color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS)).show_header(show_header=True)


def role_names(panel: AnyPanel) -> AnyPanel:
    """Say challenger in the names of series that begin with its role, which is `shadow`."""
    renamed = {"regex": "/^shadow/", "renamePattern": "challenger"}
    return panel.with_transformation(DataTransformerConfig("renameByRegex", options=renamed))


def by_role(panel: AnyPanel) -> AnyPanel:
    """Give champion and challenger their names and colours."""
    panel = role_names(panel)
    for regexp, color in (("/^champion/", CHAMPION), ("/^challenger/", CHALLENGER)):
        panel = panel.override_by_regexp(regexp, [fixed(color)])
    return panel


def fixed(color: str) -> DynamicConfigValue:
    """Return the property of a series that has always this colour."""
    return DynamicConfigValue("color", {"mode": FieldColorModeId.FIXED, "fixedColor": color})


def words(texts: Mapping[str, tuple[str, str]]) -> ValueMap:
    """Return words, each with its colour, for values."""
    return ValueMap({value: ValueMappingResult(text=text, color=color) for value, (text, color) in texts.items()})


WHOLE = (DynamicConfigValue("unit", "none"), DynamicConfigValue("decimals", 0))
ROLES = words({"champion": ("champion", CHAMPION), "shadow": ("challenger", CHALLENGER)})


@dataclass(frozen=True)
class Column:
    """A column of a table: what its data are called, its heading, and how its values look."""

    name: str
    heading: str
    properties: Sequence[DynamicConfigValue] = field(default=())


def newest_first(panel: table.Panel) -> table.Panel:
    """Sort the rows by their column `version`, as the numbers that its labels are."""
    conversions = [{"targetField": "version", "destinationType": "number"}]
    panel = panel.with_transformation(DataTransformerConfig("convertFieldType", options={"conversions": conversions}))
    panel = panel.override_by_name("version", [*WHOLE, DynamicConfigValue("custom.align", FieldTextAlignment.LEFT)])
    return panel.sort_by([common.TableSortByFieldState().display_name("version").desc(desc=True)])


def columns(panel: table.Panel, shown: Sequence[Column]) -> table.Panel:
    """Make one row per set of labels, with the columns `shown`, in their order; all others are left out."""
    names = [column.name for column in shown]
    organized = {
        "includeByName": dict.fromkeys(names, True),
        "indexByName": {name: place for place, name in enumerate(names)},
        "renameByName": {column.name: column.heading for column in shown},
    }
    # Rows are merged that agree in all they have in common, so not in a time that may differ by a moment.
    timeless = {"excludeByName": {"Time": True}}
    panel = panel.with_transformation(DataTransformerConfig("organize", options=timeless))
    panel = panel.with_transformation(DataTransformerConfig("merge", options={}))
    panel = panel.with_transformation(DataTransformerConfig("organize", options=organized))
    for column in shown:
        if column.properties:
            panel = panel.override_by_name(column.heading, list(column.properties))
    return panel


def _described(
    panel: AnyPanel, about: About, queries: Sequence[Query], shape: PromQueryFormat = PromQueryFormat.TIME_SERIES
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
