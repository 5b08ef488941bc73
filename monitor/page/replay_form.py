"""The form that starts a replay, and says how far one is."""

from pydantic import BaseModel


class ReplayForm(BaseModel):
    """The form that starts a replay.

    Attributes:
        version: a proposal; None without one.
        is_open: whether a replay runs, so that no other one can be started.
        done: how many rows it has done.
        most: how many rows a replay has at most.
        csv: the address of the changed answers, or "".
        listed: the number of changed answers there.
    """

    version: int | None
    is_open: bool
    done: int
    most: int
    csv: str
    listed: int
