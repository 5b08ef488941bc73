"""Text for panels: formatted values, cells of tables, and descriptions of charts for screen readers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.page.panels import Cell, Column, Kind, Panel

NOTHING = "–"
DRAWN = {"line": "Line chart", "bars": "Bar chart", "stacked": "Stacked bar chart", "pie": "Pie chart"}
MOST_LISTED = 12  # values of a series that a description lists one by one
HEATS = 10  # shades of a matrix
SMALL, LARGE = 0.001, 0.999  # beyond these, a percentage with one digit would be rounded to 0 or to 100
LONG = 40  # characters of a text that gets a wider column
MANY = 1000  # from here on no decimals are shown
HUGE = 1e9  # from here on a number has an exponent


@dataclass(frozen=True)
class TableCell:
    """A cell of a table in HTML: its text and its CSS classes; a link has a `url`, a point in time a `moment`."""

    text: str
    css: str
    url: str = ""
    moment: str = ""


def formatted(value: Cell, kind: Kind) -> str:
    """Return the text of a value."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, str):
        return _moment(value) if kind == "moment" else value
    return {"ratio": _percentage, "integer": _integer, "p": _p_value}.get(kind, _number)(value)


def formatted_interval(low: Cell, high: Cell, kind: Kind) -> str:
    """Return the text of an interval without its unit; "" without ends."""
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return ""
    text = _percent if kind == "ratio" else _number
    return f"{text(low)}–{text(high)}"


def table_rows(panel: Panel) -> list[list[TableCell]]:
    """Return the rows of a panel's table."""
    if panel.drawing == "matrix":
        return [_matrix_row(panel, row, place) for place, row in enumerate(panel.rows, 1)]
    cells = [_cell(panel, column) for column in panel.without_ends()]
    return [[cell(row) for cell in cells] for row in panel.rows]


def named_rows(panel: Panel) -> list[dict[str, TableCell]]:
    """Return the rows of a panel's table, each by the names of its columns."""
    names = [column.name for column in panel.without_ends()]
    return [dict(zip(names, row, strict=True)) for row in table_rows(panel)]


def link_of(value: Cell) -> tuple[str, str] | None:
    """Return the text and the address of a link; None without a valid address."""
    text, _, url = str(value or "").rpartition("|")
    return (text, url) if url.startswith(("https://", "http://", "/")) else None


def chart_description(panel: Panel) -> str:
    """Describe a chart in a few sentences."""
    labels = [formatted(row[0], panel.columns[0].kind) for row in panel.rows]
    series = [_described(panel, column, labels) for column in panel.series()]
    return " ".join([f"{DRAWN.get(panel.drawing, 'Chart')}: {panel.title}, {labels[0]} to {labels[-1]}.", *series])


def _described(panel: Panel, column: Column, labels: Sequence[str]) -> str:
    index = panel.columns.index(column)
    found = [(label, row[index]) for label, row in zip(labels, panel.rows, strict=True)]
    values = [(label, value) for label, value in found if isinstance(value, int | float)]
    if not values:
        return f"{column.label}: no values."
    if panel.drawing != "line" and len(values) <= MOST_LISTED:
        return f"{column.label}: {', '.join(f'{label} {formatted(value, column.kind)}' for label, value in values)}."
    numbers = [value for _, value in values]
    lowest, highest, latest = (formatted(value, column.kind) for value in (min(numbers), max(numbers), numbers[-1]))
    return f"{column.label}: between {lowest} and {highest}, at the end {latest}."


def _cell(panel: Panel, column: Column) -> Callable[[list[Cell]], TableCell]:
    places = {each.name: place for place, each in enumerate(panel.columns)}
    at, low, high = (places.get(name or "") for name in (column.name, column.low, column.high))

    def cell(row: list[Cell]) -> TableCell:
        value = row[at] if at is not None else None
        if column.kind == "link" and (link := link_of(value)):
            return TableCell(link[0], "link", url=link[1])
        text = formatted(value, column.kind)
        interval = formatted_interval(row[low], row[high], column.kind) if low is not None and high is not None else ""
        moment = str(value) if column.kind == "moment" and value else ""
        css = f"{column.kind} long" if len(text) > LONG else column.kind
        return TableCell(f"{text} ({interval})" if interval else text, css, moment=moment)

    return cell


def _matrix_row(panel: Panel, row: list[Cell], diagonal: int) -> list[TableCell]:
    counts = [value if isinstance(value, int | float) else 0 for value in row[1:]]
    total = sum(counts) or 1
    css = [
        f"{column.kind} {'right' if place == diagonal else 'wrong'} heat-{round(HEATS * count / total)}"
        for place, (count, column) in enumerate(zip(counts, panel.columns[1:], strict=True), 1)
    ]
    cells = zip(row, panel.columns, [panel.columns[0].kind, *css], strict=True)
    return [TableCell(formatted(value, column.kind), each) for value, column, each in cells]


def _percentage(value: float) -> str:
    return f"{_percent(value)} %"


def _percent(value: float) -> str:
    if 0 < value < SMALL:
        return "<0.1"
    return ">99.9" if LARGE < value < 1 else f"{100 * value:.1f}"


def _p_value(value: float) -> str:
    return f"<{SMALL}" if value < SMALL else f"{value:.2g}"


def _integer(value: float) -> str:
    return f"{value:,.0f}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if MANY <= abs(value) < HUGE else f"{value:.4g}"


def _moment(value: str) -> str:
    try:
        return f"{datetime.fromisoformat(value):%Y-%m-%d %H:%M:%S}"
    except ValueError:
        return value
