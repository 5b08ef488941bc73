"""Tabs and their panels. A panel is a table and the way to draw it; its chart, JSON and CSV are made from the table."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, Field

from monitor.page.findings import Findings, Headline, Level
from monitor.page.replay_form import ReplayForm
from monitor.page.table_parts import Choices, Folded, Pages
from monitor.page.view import View
from monitor.page.withdrawable import Withdrawable

Kind = Literal["text", "number", "value", "integer", "ratio", "moment", "day", "link", "id", "p"]
Chart = Literal["line", "bars", "stacked", "pie"]
Drawing = Literal[Chart, "figures", "matrix", "table", "cards", "findings", "shares", "gauges", "steps"]


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


# JSON has no NaN and no infinity, and a chart cannot draw them: such a cell is empty.
Cell = Annotated[str | float | int | None, BeforeValidator(_finite)]

Rows = Iterable[Sequence[Cell | date]]
Record = TypeVar("Record")

NUMERIC: frozenset[Kind] = frozenset({"number", "value", "integer", "ratio", "p"})


class Column(BaseModel):
    """A column of a panel.

    Attributes:
        kind: the format of its cells: a `ratio` is shown in percent, a `moment` is ISO 8601 in UTC, a `day` is
            YYYY-MM-DD, a `link` is "text|url", `p` is a p-value, a `value` is a number as a client sent it, and an `id`
            is shown short.
        only_csv: whether the page leaves the column out, so that the table fits; CSV and JSON have it.
        low: the name of the column with the lower ends of its intervals.
        high: the name of the column with the upper ends.
        link: of an `id`: the name of the column with the link to its page.
    """

    name: str
    label: str
    kind: Kind = "text"
    low: str | None = None
    high: str | None = None
    only_csv: bool = False
    link: str | None = None


class NearRow(BaseModel):
    """A known row near a correction, with its class and its distance in the units of the vetting."""

    class_name: str
    distance: Cell
    features: dict[str, Cell]


class StateStep(BaseModel):
    """A change of a correction's state; `at` is ISO 8601."""

    at: str
    state: str
    actor: str
    reason: str | None


class ScatterMap(BaseModel):
    """Training rows in two dimensions: each point is (x, y, index of its class); both axes have a name."""

    axes: tuple[str, str]
    points: list[tuple[float, float, int]]
    classes: list[str]


class Card(BaseModel):
    """A correction to review, in more words than its row of the table has.

    Attributes:
        words: its claim, and the anchor's answer.
        map: the key of its map in `Cards.maps`.
        place: where it lies on the map; None if that is unknown.
    """

    id: str
    words: list[str]
    features: dict[str, Cell]
    nearest: list[NearRow]
    map: str
    place: tuple[float, float] | None
    history: list[StateStep]


class Cards(BaseModel):
    """One page of the corrections to review; the card of each row, and the form.

    Attributes:
        maps: the backgrounds of the pictures, by key.
        rules: how many corrections each rule has put into the queue.
        rule: the only rule whose corrections are shown; "" for all.
        takes_reviews: whether the page sends reviews on to the api.
    """

    cards: list[Card]
    maps: dict[str, ScatterMap]
    rules: dict[str, int]
    rule: str
    page: int
    pages: int
    takes_reviews: bool


class Panel(BaseModel):
    """A table, and the way to draw it.

    The first column is the label (x, slice, row). Each other numeric column is a series, unless it holds the ends of
    another column's intervals. `figures` have the columns label, value, low, high, text; the kind of the second column
    holds for all values, so ratios and counts are two panels. A `matrix` has the true class in the first column and the
    predicted classes in the others, in the order of the rows. A `table` has no chart. `cards` are rows to review.
    `findings` are rows with a sentence each, which open. `shares` are a table with a bar in each cell. `gauges` have
    the columns label, value, threshold, text: a bar for each e-value on the way to its threshold. `steps` are a list of
    things to do, with the columns of `NextStep`.

    Attributes:
        id: a part of the URL of the panel's CSV.
        note: a sentence of explanation, or "".
        warning: what somebody should do now, or "".
        empty: advice that is shown when there are no rows; the page offers to copy what is between backticks.
        headline: the verdict of the panel in one sentence.
        findings: how bad each row of `findings` is.
        levels: how bad each row of a table, or each figure, is; empty for rows without a verdict.
        folded: a table's rows that one has to unfold.
        pages: the pages of a table.
        within: the id of the panel whose rows show this one when they are opened; "" if it stands for itself.
        choices: the buttons of a table that asks for ground truths.
        cards: those of the rows, if the panel has some.
        withdrawal: the corrections that a form of the panel can take back.
        replay: the form that starts a replay, if the panel has it.
    """

    id: str = Field(pattern=r"^[a-z-]+$")
    title: str
    note: str = ""
    warning: str = ""
    drawing: Drawing
    columns: list[Column] = Field(min_length=1)
    rows: list[list[Cell]]
    empty: str
    headline: Headline | None = None
    findings: Findings | None = None
    levels: list[Level] = []
    folded: Folded | None = None
    pages: Pages | None = None
    within: str = ""
    choices: Choices | None = None
    cards: Cards | None = None
    withdrawal: Withdrawable | None = None
    replay: ReplayForm | None = None

    def without_ends(self) -> list[Column]:
        """Return the columns that do not hold the ends of another column's intervals."""
        ends = {end for column in self.columns for end in (column.low, column.high)}
        return [column for column in self.columns if column.name not in ends]

    def shown(self) -> list[Column]:
        """Return the columns of the table on the page."""
        return [column for column in self.without_ends() if not column.only_csv]

    def series(self) -> list[Column]:
        """Return the columns that are drawn against the first."""
        return [column for column in self.without_ends()[1:] if column.kind in NUMERIC]


@dataclass(frozen=True)
class PanelText:
    """The fixed part of a panel; its attributes are those of `Panel`."""

    id: str
    title: str
    empty: str
    note: str = ""
    drawing: Drawing = "table"
    warning: str = ""

    def panel(self, columns: Sequence[Column], rows: Rows, *, has_data: bool = True) -> Panel:
        """Return the panel with these columns and rows, or without rows if `has_data` is false.

        Dates and moments become ISO 8601.
        """
        cells = [[cell.isoformat() if isinstance(cell, date) else cell for cell in row] for row in rows]
        return Panel(**vars(self), columns=list(columns), rows=cells if has_data else [])


class PanelTable(Generic[Record]):
    """The table of a panel: a row for each record. Each column is added with the way from a record to its cell."""

    def __init__(self, text: PanelText, records: Iterable[Record]) -> None:
        """Begin without columns."""
        self._text, self._records = text, records
        self._columns: list[Column] = []
        self._cells: list[Callable[[Record], Iterable[Cell | date]]] = []

    def add(self, kind: Kind, name: str, label: str, cell: Callable[[Record], Cell | date]) -> Self:
        """Add a column."""
        return self.column(Column(name=name, label=label, kind=kind), cell)

    def column(self, column: Column, cell: Callable[[Record], Cell | date]) -> Self:
        """Add a column that several tables share."""
        return self.columns([column], lambda record: (cell(record),))

    def columns(self, columns: Iterable[Column], cells: Callable[[Record], Iterable[Cell | date]]) -> Self:
        """Add several columns."""
        self._columns += columns
        self._cells.append(cells)
        return self

    def panel(self) -> Panel:
        """Return the panel."""
        rows = ([cell for cells in self._cells for cell in cells(record)] for record in self._records)
        return self._text.panel(self._columns, rows)


def columns(kind: Kind, /, **labels: str) -> list[Column]:
    """Return columns of one kind: the keywords are their names, the values their labels."""
    return [Column(name=name, label=label, kind=kind) for name, label in labels.items()]


@dataclass(frozen=True)
class Tab:
    """A tab of the page.

    Attributes:
        name: its part of the URL.
        searchable: whether a request can search for an `id`.
    """

    name: str
    title: str
    build: Callable[[View], list[Panel]]
    searchable: bool = False
