"""The next steps of a person, as a short list: the most pressing first, each with a link or with a command to copy."""

from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlencode

from pydantic import BaseModel

from monitor.page.commands import START, TRAFFIC, TRAIN, curl
from monitor.page.situation import Situation
from monitor.statistics.breaches import ACCURACY, DRIFT, FEATURE_MEAN, OUTLIERS, RECALL, RUN_FAILED
from monitor.statistics.digits import count_text
from monitor.statistics.enough import LABELS

MOST_STEPS = 6
MOST_NAMED = 3  # features that have changed


class NextStep(BaseModel):
    """One thing to do: a sentence, and a page of the monitor, or a command, or neither."""

    words: str
    url: str = ""
    command: str = ""


def next_steps(found: Situation) -> list[NextStep]:
    """Return at most `MOST_STEPS` things to do; none if nothing needs anybody."""
    steps = [step for rule in RULES for step in rule(found)]
    return steps[:MOST_STEPS]


def _begin(found: Situation) -> Iterator[NextStep]:
    if found.has_history:
        return
    if found.champion is None:
        yield NextStep(words="No version serves yet. Train one:", command=TRAIN)
    yield NextStep(words="No traffic yet. Send rows and their ground truth for a minute:", command=TRAFFIC)


def _worse(found: Situation) -> Iterator[NextStep]:
    if any(each.kind in {ACCURACY, RECALL} for each in found.alerts):
        yield NextStep(words="See which classes are answered wrongly", url=_tab(found, "classes"))


def _decide(found: Situation) -> Iterator[NextStep]:
    if found.wanted:
        which = "this prediction" if found.wanted == 1 else f"these {count_text(found.wanted)} predictions"
        words = f"Label {which}: the ground truth decides whether version {found.wanted_version} is better"
        yield NextStep(words=words, url=_tab(found, "corrections", "wanted"))


def _review(found: Situation) -> Iterator[NextStep]:
    if found.quarantined:
        words = (
            f"Review {_number(found.quarantined, 'correction')} in quarantine: nothing learns from them until you do"
        )
        words = words.replace("them", "it") if found.quarantined == 1 else words
        yield NextStep(words=words, url=_tab(found, "corrections", "quarantined"))


def _versions(found: Situation) -> Iterator[NextStep]:
    for each in found.unserved:
        if each.is_refused:
            yield NextStep(words=f"Version {each.version} does not serve. It is {each.reason}")
        elif not found.api:
            yield NextStep(words=f"{each.reason[:1].upper()}{each.reason[1:]}")
        else:
            words = f"Version {each.version} is newer than the champion. To let it answer:"
            yield NextStep(words=words, command=curl(f"{found.api}/models/{each.version}/promote", key=found.needs_key))


def _changed(found: Situation) -> Iterator[NextStep]:
    moved = {each.subject for each in found.alerts if each.kind in {DRIFT, FEATURE_MEAN}}
    if moved:
        more = len(moved) - MOST_NAMED
        names = ", ".join(sorted(moved)[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
        yield NextStep(words=f"Look at what has changed: {names}", url=_tab(found, "drift"))
    if any(each.kind == OUTLIERS for each in found.alerts):
        yield NextStep(
            words="Look at the rows that are unlike the training rows", url=_tab(found, "predictions", only="outlier")
        )


def _repair(found: Situation) -> Iterator[NextStep]:
    if found.unsent:
        words = f"Prefect did not take {_number(found.unsent, 'correction')}. Start Prefect and its worker:"
        yield NextStep(words=words, command=START)
    for each in found.alerts:
        if each.kind == RUN_FAILED:
            yield NextStep(words=f"Read why the monitor's {each.subject} failed:", command="tail .lab/logs/monitor.log")


def _send(found: Situation) -> Iterator[NextStep]:
    if not found.has_history:
        return
    if not found.predictions:
        yield NextStep(
            words="No row was answered in the chosen time. Choose a longer time, or send rows:", command=TRAFFIC
        )
    elif found.labels < LABELS:
        more = _number(LABELS - found.labels, "more ground truth")
        words = f"Send {more}: then you know how often the answers are right."
        if found.api and found.unlabelled:
            row = found.unlabelled.row
            body = {"prediction_id": row["id"], "class_name": row["class_name"]}
            words = f"{words} If the newest answer, {row['class_name']}, is right:"
            yield NextStep(words=words, command=curl(f"{found.api}/feedback", body, key=found.needs_key))
        else:
            yield NextStep(words=words, url=_tab(found, "predictions", only="unlabelled"))


# The most pressing rule first.
RULES: Sequence[Callable[[Situation], Iterator[NextStep]]] = (
    _begin,
    _worse,
    _decide,
    _review,
    _versions,
    _changed,
    _repair,
    _send,
)


def _tab(found: Situation, tab: str, place: str = "", **query: str) -> str:
    return f"/tab/{tab}?{urlencode({'problem': found.problem, **query})}{'#' if place else ''}{place}"


def _number(number: int, one: str) -> str:
    return f"{count_text(number)} {one}{'' if number == 1 else 's'}"
