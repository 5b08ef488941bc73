"""What a tab of the page is made of: panels, each a table with a way to draw it, and what a tab is asked for.

From a panel come its chart, its table, its JSON and its CSV.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from monitor.page.source import Source

Kind = Literal["text", "number", "integer", "ratio", "moment", "day", "link"]
Drawing = Literal["figures", "line", "bars", "stacked", "pie", "matrix", "table"]


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


# What is no number and what is infinite, JSON cannot say and nothing can draw.
Cell = Annotated[str | float | int | None, BeforeValidator(_finite)]

NUMERIC: frozenset[Kind] = frozenset({"number", "integer", "ratio"})


class Column(BaseModel):
    """A column of a panel.

    Attributes:
        kind: how its cells are shown; of a `ratio` as percent, a `moment` is ISO 8601 in UTC, a `day` is YYYY-MM-DD,
            and a `link` is "text|url".
        low: the name of the column with the lower ends of its interval.
        high: the name of that with the upper ends.
    """

    name: str
    label: str
    kind: Kind = "text"
    low: str | None = None
    high: str | None = None


class Panel(BaseModel):
    """A table, and how it is drawn.

    The first column is the label (x, slice, row), every other numeric one a series, unless it holds the end of another
    one's interval. Of `figures` the columns are label, value, low, high, text: the kind of the second column holds for
    all its values, so ratios and counts are two panels. Of a `matrix` the first column is the true class, the others
    are the predicted ones, in the order of the rows. A `table` has no chart.

    Attributes:
        id: part of the URL of its CSV.
        note: a sentence of explanation, or nothing.
        empty: what to do, shown when there are no rows.
    """

    id: str = Field(pattern=r"^[a-z-]+$")
    title: str
    note: str = ""
    drawing: Drawing
    columns: list[Column] = Field(min_length=1)
    rows: list[list[Cell]]
    empty: str

    def series(self) -> list[Column]:
        """Return the columns that are drawn against the first."""
        ends = {end for column in self.columns for end in (column.low, column.high)}
        return [column for column in self.columns[1:] if column.kind in NUMERIC and column.name not in ends]


class Query(BaseModel):
    """What a tab is asked for: the days are in UTC, and the last one is included.

    Attributes:
        versions: those of the model that count; none for all of them.
        id: a prediction's, or how it begins; for the tab of the predictions.
    """

    problem: str
    since: date
    until: date
    versions: list[int] = []
    id: str = ""


@dataclass(frozen=True)
class Tab:
    """A tab of the page.

    Attributes:
        name: its place in the URL.
        searchable: whether it can be asked for one `id`.
    """

    name: str
    title: str
    build: Callable[[Source, Query], list[Panel]]
    searchable: bool = False
