"""Ids of predictions: UUIDs of version 7 (RFC 9562).

Those of rows that are answered together differ in their last six digits, which number the rows: the dedicated counter
of the RFC's section 6.2. So the ids of a batch cost next to nothing; the rest of them is time, and fifty random bits.
"""

from functools import cache

import uuid_utils

from api.schemas.requests import MAX_ROWS

DIGITS = 6
FEW = 256  # as many as one run of the model has; only who sends batches needs the megabyte of all


def new_start() -> str:
    """Return how the ids of rows begin that are answered together: all but the last six digits."""
    return str(uuid_utils.uuid7())[:-DIGITS]


def ends(rows: int) -> list[str]:
    """Return how the ids of so many rows end, `MAX_ROWS` at most."""
    return _ends(FEW if rows <= FEW else MAX_ROWS)[:rows]


@cache
def _ends(rows: int) -> list[str]:
    return [f"{row:0{DIGITS}}" for row in range(rows)]
