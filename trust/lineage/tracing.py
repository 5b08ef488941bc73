"""Lineage: from an answer to its version, to the corrections that this learnt, and from a correction to later answers.

The store and the tags of the registry give the answers. Whatever neither of them knows is said in words.
"""

from collections.abc import Mapping, Sequence

from common.registry.client import VERDICT, Version
from common.store import Store
from common.store.judgements import JudgementRecord
from common.store.trust.lineage import SourcedCorrection
from trust.lineage.asking import Logged, Model, Page, Registered
from trust.lineage.documents import (
    MOST_DAYS,
    MOST_VERSIONS,
    AnswersGiven,
    CorrectionLineage,
    PredictionLineage,
    RegistryDetails,
    TracedAnswer,
    TracedPage,
    TracedVerdict,
    VersionLineage,
)

# Tags of a version: its run in MLflow, its judgement (the id of the same run), the version where it started.
RUN, JUDGEMENT, STARTED_FROM = "run_id", "judgement", "continued_from"
DATA = {"train": "train_md5", "later": "later_md5", "corrections": "corrections_md5"}

NO_REGISTRY = "the registry did not answer: its tags of this version are missing here, so ask again later"
NOT_THERE = "the registry does not have this version any more"
BY_HAND = "nobody knows which data this version has learnt: no training and no fine-tuning of the lab registered it"
NO_RUN = "this version was registered before the lab kept the run of a training: its page in MLflow leads there"
NO_JUDGEMENT = "the store does not have the judgement that led to this version"
NOT_KEPT = (
    "this version was registered before the lab kept this: of the corrections that it has learnt, only those are known "
    "that were new to it"
)
SOME_VERSIONS = (
    "version {} was registered before the lab kept this: versions between it and the next one here may have learnt the "
    "correction, too"
)


def of_prediction(store: Store, found: Logged, registry: Registered, page: Page) -> PredictionLineage:
    """Return the lineage of a prediction.

    Args:
        store: has the truth and the corrections.
        found: the prediction as it was when the registry was asked. A challenger may have answered since.
        registry: the answer about the versions that answered it.
        page: the most corrections of a list.
    """
    prediction_id, lineage = found.prediction_id, store.trust.lineage
    naming = lineage.naming(prediction_id, page.limit)
    return PredictionLineage(
        prediction_id=prediction_id,
        features=dict(found.rows[0]["features"]),
        answers=[TracedAnswer.model_validate(row) for row in found.rows],
        truth=lineage.truth(prediction_id),
        corrections=TracedPage(total=lineage.count_naming(prediction_id), corrections=naming, next=None),
        versions=[of_version(store, found.model, number, registry, page) for number in found.versions],
    )


def of_version(store: Store, model: Model, number: int, registry: Registered, page: Page) -> VersionLineage:
    """Return the lineage of a version.

    Args:
        store: has judgements, corrections and counts.
        model: the model.
        number: the version.
        registry: the answer about this version.
        page: the corrections to list.
    """
    version = registry.versions.get(number)
    tags = version.tags if version else {}
    judgement = _judgement(store, model.problem, number, tags)
    learnt, is_whole = _learnt(store, model.problem, number, tags, page)
    return VersionLineage(
        model_name=model.name,
        model_version=number,
        registry=_details(tags) if version else None,
        judgement=_verdict(judgement) if judgement else None,
        champion=[each for each in store.champions.history(model.name) if each.model_version == number],
        answers=_answers(store, model, [number]),
        learnt=learnt,
        not_known=_unknown(registry, version, has_judgement=judgement is not None, is_whole=is_whole),
    )


def of_correction(store: Store, model: Model, suggestion_id: str) -> CorrectionLineage | None:
    """Return the lineage of a correction of a model's problem; None for an unknown one."""
    suggestion = store.suggestions.get(suggestion_id)
    correction = store.trust.lineage.correction(suggestion_id)
    if suggestion is None or correction is None or suggestion.problem != model.problem:
        return None
    kept = store.trust.versions.that_learnt(model.problem, [suggestion_id])
    first = correction.trained_version
    versions = kept if first is None else sorted({first, *kept})
    return CorrectionLineage(
        correction=correction,
        history=store.trust.events.of(suggestion_id),
        vetting=store.trust.lineage.review(suggestion_id),
        withdrawal=store.trust.lineage.withdrawal(suggestion_id),
        versions=versions[: -MOST_VERSIONS - 1 : -1],
        version_count=len(versions),
        answers=_answers(store, model, versions),
        not_known=[] if versions == kept else [SOME_VERSIONS.format(first)],
    )


def is_known(lineage: VersionLineage) -> bool:
    """Return whether the registry or the store knows anything of a version."""
    found = lineage.registry, lineage.judgement, lineage.champion, lineage.answers.total, lineage.learnt.total
    return any(found)


def _learnt(store: Store, problem: str, number: int, tags: Mapping[str, str], page: Page) -> tuple[TracedPage, bool]:
    """Return a page of the corrections that a version has learnt, and whether all of them are known."""
    lineage, limit = store.trust.lineage, page.limit
    if total := store.trust.versions.count(problem, [number]).get(number):
        return _page(total, lineage.learnt(problem, number, page.after, limit + 1), limit), True
    has_learnt = DATA["corrections"] in tags
    if tags and not has_learnt:
        return _page(0, [], limit), True
    total = lineage.count_new_to(problem, number)
    found = lineage.new_to(problem, number, page.after, limit + 1) if total else []
    return _page(total, found, limit), not (total or has_learnt)


def _page(total: int, found: Sequence[SourcedCorrection], limit: int) -> TracedPage:
    """Return a page of the corrections found: one more than its limit, if there is a next page."""
    following = found[limit - 1].suggestion_id if len(found) > limit else None
    return TracedPage(total=total, corrections=list(found[:limit]), next=following)


def _judgement(store: Store, problem: str, number: int, tags: Mapping[str, str]) -> JudgementRecord | None:
    found = store.judgements.of(tags[JUDGEMENT]) if JUDGEMENT in tags else None
    return found or store.trust.lineage.judgement(problem, number)


def _verdict(judgement: JudgementRecord) -> TracedVerdict:
    details = judgement.details
    return TracedVerdict(
        judged_at=judgement.judged_at,
        verdict=judgement.verdict,
        because=details.get("because"),
        candidate=judgement.candidate,
        candidates=details.get("candidates", {}),
        champion=details.get("champion"),
        anchor=details.get("anchor"),
        outcome=judgement.outcome,
        flow_run_id=judgement.flow_run_id,
    )


def _details(tags: Mapping[str, str]) -> RegistryDetails:
    return RegistryDetails(
        run_id=tags.get(RUN) or tags.get(JUDGEMENT),
        git_commit=tags.get("git_commit"),
        data_md5={kind: tags[tag] for kind, tag in DATA.items() if tag in tags},
        continued_from=tags.get(STARTED_FROM),
        verdict=tags.get(VERDICT),
    )


def _answers(store: Store, model: Model, versions: Sequence[int]) -> AnswersGiven:
    asked, lineage = (model.problem, model.name, versions), store.trust.lineage
    total = lineage.count_answers(*asked)
    return AnswersGiven(total=dict(total), newest=lineage.answers(*asked, MOST_DAYS) if total else [])


def _unknown(registry: Registered, version: Version | None, *, has_judgement: bool, is_whole: bool) -> list[str]:
    """Return in words what is not known of a version."""
    tags = version.tags if version else {}
    is_ours = DATA["train"] in tags
    missing = {
        NO_REGISTRY: not registry.answered,
        NOT_THERE: registry.answered and version is None,
        BY_HAND: version is not None and not is_ours,
        NO_RUN: is_ours and not (RUN in tags or JUDGEMENT in tags),
        NO_JUDGEMENT: STARTED_FROM in tags and not has_judgement,
        NOT_KEPT: not is_whole,
    }
    return [words for words, is_missing in missing.items() if is_missing]
