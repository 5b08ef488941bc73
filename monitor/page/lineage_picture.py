"""The picture of a lineage: stages from left to right in the order of time, each with rows of linked boxes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, urlencode

from common.store.trust.lineage import SourcedCorrection
from monitor.page.formatting import formatted
from monitor.page.view import ROLE_NAMES
from trust.lineage.documents import (
    AnswersGiven,
    CorrectionLineage,
    PredictionLineage,
    TracedPage,
    VersionLineage,
)

SHOWN = 5  # rows of a stage
Kind = Literal["prediction", "correction", "version"]
PLACES = {"prediction": "predictions", "correction": "corrections", "version": "versions"}


@dataclass(frozen=True)
class Box:
    """A box of the picture. `url` is empty for the page's own subject, which is `here`, and for what has no page."""

    kind: Kind
    text: str
    note: str = ""
    url: str = ""
    here: bool = False


@dataclass(frozen=True)
class Stage:
    """A stage of the picture: rows of one box, or of two, of which the first led to the second."""

    title: str
    rows: Sequence[Sequence[Box]]
    more: str = ""
    more_url: str = ""


def link(kind: Kind, problem: str, name: str | int) -> str:
    """Return the path of the page about a prediction, a correction or a version."""
    return f"/lineage/{PLACES[kind]}/{quote(str(name), safe='')}?{urlencode({'problem': problem})}"


def linked(kind: Kind, problem: str, name: str) -> str:
    """Return a link to this page, for the cell of a table."""
    return f"lineage|{link(kind, problem, name)}"


def picture_of_prediction(problem: str, found: PredictionLineage) -> list[Stage]:
    """Return the stages from the corrections that the answering version has learnt to the prediction."""
    first = found.versions[0]
    versions = [
        Box(
            "version",
            f"Version {each.model_version}",
            ROLE_NAMES[each.role],
            link("version", problem, each.model_version),
        )
        for each in found.answers
    ]
    truth = f"ground truth: {found.truth.class_name}" if found.truth else "no ground truth yet"
    this = Box("prediction", found.answers[0].class_name, truth, here=True)
    stages = [
        _learnt(problem, first.learnt, first.model_version),
        Stage("The versions that answered", [[each] for each in versions]),
        Stage("This prediction", [[this]]),
    ]
    if found.corrections.total:
        stages.append(_taught(problem, found.corrections))
    return stages


def picture_of_version(problem: str, found: VersionLineage) -> list[Stage]:
    """Return the stages from the corrections that a version has learnt to its answers."""
    verdict = found.judgement.verdict if found.judgement else "made by the training"
    if found.judgement is None and (found.registry is None or found.registry.continued_from):
        verdict = "no verdict is known"
    this = Box("version", f"Version {found.model_version}", verdict, here=True)
    return [
        _learnt(problem, found.learnt),
        Stage("This version", [[this]]),
        _answers("Its answers", found.answers),
    ]


def picture_of_correction(problem: str, found: CorrectionLineage) -> list[Stage]:
    """Return the stages from the answer that a correction corrects to the answers of the versions that learnt it."""
    correction = found.correction
    versions = [
        [Box("version", f"Version {each}", url=link("version", problem, each))] for each in found.versions[:SHOWN]
    ]
    more = found.version_count - len(versions)
    return [
        Stage("The answer that it corrects", [[_corrected(problem, correction)]]),
        Stage("This correction", [[_correction(problem, correction, here=True)]]),
        Stage("Versions that have learnt it", versions, f"and {more} older ones" if more else ""),
        _answers("Their answers", found.answers),
    ]


def _learnt(problem: str, page: TracedPage, version: int | None = None) -> Stage:
    """Return the stage of the corrections that a version has learnt; without its number, the rest is on this page."""
    shown = page.corrections[:SHOWN]
    rows = [[_corrected(problem, each), _correction(problem, each)] for each in shown]
    more = page.total - len(shown)
    words = f"and {more} more" if more > 0 else ""
    url = "#learnt" if version is None else link("version", problem, version)
    return Stage("The corrections behind it, and the answers that they correct", rows, words, url if words else "")


def _taught(problem: str, page: TracedPage) -> Stage:
    rows: list[list[Box]] = []
    for each in page.corrections[:SHOWN]:
        learner = each.trained_version
        version = Box("version", f"Version {learner}", "the first to learn it", link("version", problem, learner or 0))
        rows.append([_correction(problem, each), *([version] if learner else [])])
    more = page.total - len(rows)
    return Stage("Its corrections", rows, f"and {more} more, below" if more > 0 else "")


def _corrected(problem: str, correction: SourcedCorrection) -> Box:
    if correction.prediction_id is None:
        return Box("prediction", "no prediction", "the correction names none")
    if correction.answered is None:
        return Box("prediction", "not in the log", "erased, or never logged")
    url = link("prediction", problem, correction.prediction_id)
    return Box("prediction", correction.answered, f"answer of version {correction.answered_by}", url)


def _correction(problem: str, correction: SourcedCorrection, *, here: bool = False) -> Box:
    reviewed = f", reviewed with the {correction.reviewer}" if correction.reviewer else ""
    note = f"{correction.state}; from {correction.source or 'an unknown sender'}{reviewed}"
    url = "" if here else link("correction", problem, correction.suggestion_id)
    return Box("correction", correction.class_name or "erased", note, url, here)


def _answers(title: str, given: AnswersGiven) -> Stage:
    last = f"the last on {max(each.day for each in given.newest)}" if given.newest else ""
    rows = [
        [Box("prediction", formatted(number, "integer"), f"as {ROLE_NAMES[role].lower()}; {last}")]
        for role, number in given.total.items()
    ]
    return Stage(title, rows)
