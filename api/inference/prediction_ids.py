"""Ids of predictions: UUIDs of version 7 (RFC 9562).

The ids of rows that are answered together differ in their last six digits, which number the rows: the dedicated counter
of the RFC's section 6.2. The rest, time and fifty random bits, is the same for a batch, so that ids cost little.
"""

from functools import cache

import uuid_utils

from api.schemas.requests import MAX_ROWS

DIGITS = 6
FEW = 256  # the most rows in one run of the fast path; the endings of larger batches take a megabyte


def new_start() -> str:
    """Return a new beginning of ids, for rows that are answered together: all but the last six digits."""
    return str(uuid_utils.uuid7())[:-DIGITS]


def ends(rows: int) -> list[str]:
    """Return the endings of the ids of so many rows, `MAX_ROWS` at most."""
    return _ends(FEW if rows <= FEW else MAX_ROWS)[:rows]


@cache
def _ends(rows: int) -> list[str]:
    return [f"{row:0{DIGITS}}" for row in range(rows)]
