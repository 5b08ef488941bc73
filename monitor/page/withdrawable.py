"""The part of a panel that takes corrections back."""

from pydantic import BaseModel


class Withdrawable(BaseModel):
    """The corrections that a form of a panel can take back.

    Attributes:
        correction: the one that the panel is about; "" if it is taken back already, or if the rows can be selected.
        source: the client who sent it, and all of whose corrections the form can take back; "" if that is unknown.
        rows: the correction of each row of a table that can be selected; "" for one that is taken back already.
    """

    correction: str = ""
    source: str = ""
    rows: list[str] = []
