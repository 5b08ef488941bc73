"""Text for panels: formatted values, cells of tables, and descriptions of charts for screen readers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.page.panels import Cell, Column, Kind, Panel
from monitor.statistics.digits import count_text, measured_text, number_text, percent_text, percentage_text

NOTHING = "–"
DRAWN = {"line": "Line chart", "bars": "Bar chart", "stacked": "Stacked bar chart", "pie": "Pie chart"}
MOST_LISTED = 12  # values of a series that a description lists one by one
HEATS = 10  # shades of a matrix
LONG = 40  # characters of a text that gets a wider column
WHOLE_ID, HEAD, TAIL = 20, 13, 4  # a longer id is shown by its moment and its end
TEXTS: dict[Kind, Callable[[float], str]] = {"ratio": percentage_text, "integer": count_text, "value": measured_text}
LEAST_P = 0.001  # a smaller p-value is not written out


@dataclass(frozen=True)
class TableCell:
    """A cell of a table in HTML: its text and its CSS classes.

    A link has a `url`, a point in time a `moment`, and an id is `whole` where the text has its ends only.
    """

    text: str
    css: str
    url: str = ""
    moment: str = ""
    whole: str = ""


def formatted(value: Cell, kind: Kind) -> str:
    """Return the text of a value."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, str):
        return _moment(value) if kind == "moment" else value
    return _p_value(value) if kind == "p" else TEXTS.get(kind, number_text)(value)


def formatted_interval(low: Cell, high: Cell, kind: Kind) -> str:
    """Return the text of an interval without its unit; "" without ends."""
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return ""
    text = percent_text if kind == "ratio" else TEXTS.get(kind, number_text)
    # Beside a minus sign a dash would be read as a second one.
    return f"{text(low)} to {text(high)}" if low < 0 else f"{text(low)}–{text(high)}"


def table_rows(panel: Panel) -> list[list[TableCell]]:
    """Return the rows of a panel's table."""
    if panel.drawing == "matrix":
        return [_matrix_row(panel, row, place) for place, row in enumerate(panel.rows, 1)]
    cells = [_cell(panel, column) for column in panel.shown()]
    return [[cell(row) for cell in cells] for row in panel.rows]


def named_rows(panel: Panel) -> list[dict[str, TableCell]]:
    """Return the rows of a panel's table, each by the names of its columns."""
    names = [column.name for column in panel.shown()]
    return [dict(zip(names, row, strict=True)) for row in table_rows(panel)]


def parts_of(text: str) -> list[tuple[str, bool]]:
    """Return a text in parts, and of each whether it is a command to copy, which stands between backticks."""
    return [(part, bool(place % 2)) for place, part in enumerate(text.split("`")) if part]


def short_id(whole: str) -> str:
    """Return the two ends of a long id: the millisecond of its row, and the place of the row in its batch."""
    return f"{whole[:HEAD]}…{whole[-TAIL:]}" if len(whole) > WHOLE_ID else whole or NOTHING


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
    at, low, high, page = (places.get(name or "") for name in (column.name, column.low, column.high, column.link))

    def cell(row: list[Cell]) -> TableCell:
        value = row[at] if at is not None else None
        if column.kind == "link" and (link := link_of(value)):
            return TableCell(link[0], "link", url=link[1])
        if column.kind == "id":
            link = link_of(row[page]) if page is not None else None
            return TableCell(short_id(str(value or "")), "id", link[1] if link else "", whole=str(value or ""))
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


def _p_value(value: float) -> str:
    return f"<{LEAST_P}" if value < LEAST_P else f"{value:.2g}"


def _moment(value: str) -> str:
    try:
        return f"{datetime.fromisoformat(value):%Y-%m-%d %H:%M:%S}"
    except ValueError:
        return value
