"""Verdicts that a panel shows: a headline, and a level for each row."""

import math
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel

Level = Literal["good", "watch", "bad", "unknown"]
# The worst first, each with the word for those who do not see its colour and icon.
LEVELS: dict[Level, str] = {"bad": "bad", "watch": "look at this", "unknown": "not known", "good": "good"}
# Rows of these levels are folded, under this name.
FOLDED: dict[Level, str] = {"unknown": "without a verdict", "good": "without drift"}


class Headline(BaseModel):
    """The verdict of a panel: how bad it is, and one sentence."""

    level: Level
    text: str


class Findings(BaseModel):
    """The verdict on each row of a panel.

    Attributes:
        levels: how bad each row is; the rows stand in their order, the worst first.
        ids: a name of each row that stays when the order changes; `shares-{id}` is the panel that it shows.
    """

    levels: list[Level]
    ids: list[str]


def by_level(found: Findings) -> list[tuple[Level, str, list[int]]]:
    """Return the places of the rows of each level that has some, the worst level first.

    The text beside the level is the name under which the page folds these rows; "" if it shows them.
    """
    places = {level: [place for place, each in enumerate(found.levels) if each == level] for level in LEVELS}
    return [(level, FOLDED.get(level, ""), rows) for level, rows in places.items() if rows]


def bar_widths(rows: Sequence[Sequence[Any]]) -> list[list[float]]:
    """Return the length of each share's bar in percent of the longest one; the first cell of a row is its label."""
    shares = [[cell or 0.0 for cell in row[1:]] for row in rows]
    longest = max((share for row in shares for share in row), default=0.0) or 1.0
    return [[round(100 * share / longest, 1) for share in row] for row in shares]


def gauge_share(value: float, threshold: float) -> float:
    """Return how far an e-value is on the logarithmic way from 1, no evidence, to its threshold; at most 1.25."""
    return min(max(math.log(value) / math.log(threshold), 0.0), 1.25) if value > 0 else 0.0
