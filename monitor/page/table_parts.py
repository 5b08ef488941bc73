"""Parts of a table: buttons in its rows, rows that are folded, and pages."""

from pydantic import BaseModel


class Choices(BaseModel):
    """Buttons in each row of a table: with one click a person says the class of the row's prediction.

    Attributes:
        classes: the classes to choose from.
        rows: the prediction id of each row.
    """

    classes: list[str]
    rows: list[str]


class Folded(BaseModel):
    """The rows of a table that are folded: all after the first `after`, under a summary."""

    after: int
    summary: str


class Pages(BaseModel):
    """The place of a table's page: what it shows, in words, and the beginning of the next one in the URL."""

    words: str
    is_first: bool
    after: str = ""
