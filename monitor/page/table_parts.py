"""Parts of a long table: rows that are folded, and pages."""

from pydantic import BaseModel


class Folded(BaseModel):
    """The rows of a table that are folded: all after the first `after`, under a summary."""

    after: int
    summary: str


class Pages(BaseModel):
    """The place of a table's page: what it shows, in words, and the beginning of the next one in the URL."""

    words: str
    is_first: bool
    after: str = ""
