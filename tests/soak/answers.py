"""The answers that clients got while each fault lasted."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

PREDICTION, MESSAGE, LOOK = "predictions", "messages", "looks"  # messages are ground truths and corrections
NO_ANSWER, UNAVAILABLE = "no answer", "503"
ANSWERED, REFUSED, FAILED = "answered", "refused", "failed"  # refused: with a 503
WORDS = {REFUSED: "got a 503", FAILED: "failed"}
# The parts whose faults may cost an answer. Without PostgreSQL, the api refuses messages and answers predictions.
MAY_COST = {PREDICTION: {"api"}, MESSAGE: {"api", "postgresql"}}


class Harm(NamedTuple):
    """A fault: when it began and ended, and when the part answered again."""

    part: str
    fault: str
    at: float
    over: float
    well: float


class Request(NamedTuple):
    """A request: when it was sent and when it ended, its kind, and the status of its answer or `NO_ANSWER`."""

    at: float
    over: float
    kind: str
    outcome: str

    @property
    def is_success(self) -> bool:
        """Whether the answer is a success."""
        return self.outcome.startswith("2")

    @property
    def answer(self) -> str:
        """Whether the api did its work: a 404 or a 422 is also an answer."""
        if self.outcome == UNAVAILABLE:
            return REFUSED
        return FAILED if self.outcome == NO_ANSWER or self.outcome.startswith("5") else ANSWERED


def during(harms: Sequence[Harm], requests: Iterable[Request]) -> list[dict[str, dict[str, int]]]:
    """Return for each fault how predictions and messages were answered meanwhile.

    A request belongs to the last fault that began before its end, if it was sent before the part was well again. Faults
    follow each other, so `harms` are in the order of time.
    """
    begins = [each.at for each in harms]
    found: list[dict[str, Counter[str]]] = [{kind: Counter() for kind in MAY_COST} for _ in harms]
    for each in requests:
        place = bisect_right(begins, each.over) - 1
        if place >= 0 and each.at <= harms[place].well and each.kind in MAY_COST:
            found[place][each.kind][each.answer] += 1
    return [{kind: dict(counts) for kind, counts in each.items()} for each in found]


def broken(faults: Iterable[dict[str, Any]]) -> list[str]:
    """Return in words which faults cost answers that they should not cost."""
    return [
        f"{each['part']}, {each['fault']}: {count} of the {kind} {WORDS[answer]}"
        for each in faults
        for kind, parts in MAY_COST.items()
        if each["part"] not in parts
        for answer, count in each[kind].items()
        if answer != ANSWERED
    ]
