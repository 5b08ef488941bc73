"""Settles a verdict that was open: the ground truths of the wanted predictions come, and are counted."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from common.judgement.comparison import ClassChange, PairedComparison, with_limits
from common.judgement.gate import ACCEPTED, ANCHOR, CHAMPION, REFUSED, Verdict, is_worse


@dataclass(frozen=True)
class WantedLabel:
    """A prediction whose ground truth would help to decide, with the classes that the versions answer."""

    prediction_id: str
    candidate: str
    champion: str
    anchor: str


def wanted_labels(details: Mapping[str, Any]) -> list[WantedLabel]:
    """Return the wanted predictions of a judgement, which is given as its details in the store."""
    return [WantedLabel(**each) for each in details.get("wanted", ())]


def settle(details: Mapping[str, Any], truths: Mapping[str, str]) -> Verdict | None:
    """Return "accepted" or "refused" once the ground truths decide an open verdict; None until then.

    Args:
        details: the details of the judgement in the store.
        truths: the ground truths of wanted predictions that are known by now, by prediction id.
    """
    known = [(each, truths[each.prediction_id]) for each in wanted_labels(details) if each.prediction_id in truths]
    if not known:
        return None
    found = []
    for baseline in (CHAMPION, ANCHOR):
        against = _comparison(details["against"][baseline])
        for label, truth in known:
            against = _counted(against, label.candidate, getattr(label, baseline), truth)
        found.append(with_limits(against, tuple(details["alphas"])))
    if any(is_worse(each, details["rules"]["class_loss"]) for each in found):
        return REFUSED
    return ACCEPTED if all(each.low > -details["rules"]["margin"] for each in found) else None


def _comparison(stored: Mapping[str, Any]) -> PairedComparison:
    return PairedComparison(**{**stored, "classes": tuple(ClassChange(**each) for each in stored["classes"])})


def _counted(against: PairedComparison, candidate: str, baseline: str, truth: str) -> PairedComparison:
    """Return a comparison in which one more row has its ground truth."""
    gain, harm = int(candidate == truth != baseline), int(baseline == truth != candidate)
    classes = tuple(
        replace(each, gain=each.gain + gain, harm=each.harm + harm, n=each.n + 1) if each.name == truth else each
        for each in against.classes
    )
    unknown, known = against.unknown - int(candidate != baseline), against.known + 1
    return replace(
        against, gain=against.gain + gain, harm=against.harm + harm, unknown=unknown, known=known, classes=classes
    )
