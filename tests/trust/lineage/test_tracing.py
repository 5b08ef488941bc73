"""Lineage leads from an answer to the corrections behind it, and back; what is not known is said."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from common.registry.client import Version
from common.store import Store
from common.store.judgements import JudgementRecord
from common.store.trust.tables import vettings
from tests.common.store.rows import FEATURES, MODEL, NOON, SETOSA, VERSICOLOR, prediction, shadow, suggestion
from trust.lineage.asking import ErasedError, Logged, Model, Page, Registered, logged
from trust.lineage.tracing import (
    BY_HAND,
    NO_JUDGEMENT,
    NO_REGISTRY,
    NO_RUN,
    NOT_KEPT,
    NOT_THERE,
    is_known,
    of_correction,
    of_prediction,
    of_version,
)

IRIS = Model("iris", MODEL)
FINE_TUNED = {
    "train_md5": "t",
    "corrections_md5": "c",
    "continued_from": "1",
    "git_commit": "abc",
    "judgement": "j",
    "verdict": "accepted",
}


def has(number: int, **tags: str) -> Registered:
    return Registered({number: Version(MODEL, number, "models:/m", tags)}, answered=True)


def in_log(store: Store, prediction_id: str) -> Logged:
    found = logged(store, prediction_id)
    assert found
    return found


def learn(store: Store, version: int, *names: str, answers_wrongly: str | None = None) -> None:
    """Let a version learn corrections, of which each has been new to it."""
    for name in names:
        store.correct(suggestion(name, prediction_id=answers_wrongly, source="192.0.2.1"))
    store.suggestions.row_written(*names)
    store.trust.versions.learnt("iris", version)
    store.suggestions.trained(list(names), version)


def judged(**changes: Any) -> JudgementRecord:
    details = {"because": "it is better", "anchor": 1, "champion": 1, "candidates": {"refitted": {"gain": 3}}}
    given: dict[str, Any] = {"id": "j", "version": 2, "verdict": "accepted", "candidate": "refitted"} | changes
    return JudgementRecord(problem="iris", judged_at=NOON, details=details, flow_run_id="f", **given)


def test_an_answer_leads_to_its_version_and_the_answers_that_its_corrections_corrected(store: Store) -> None:
    store.predictions.write([prediction("old", VERSICOLOR)])
    learn(store, 2, "a", answers_wrongly="old")
    store.judgements.add(judged())
    store.champions.note(MODEL, 2, "promoted", "many truths")
    store.predictions.write([prediction("new", version=2), shadow("new", version=1)])
    found = of_prediction(store, in_log(store, "new"), has(2, **FINE_TUNED), Page())
    assert [(each.role, each.model_version, each.class_name) for each in found.answers] == [
        ("champion", 2, SETOSA),
        ("shadow", 1, SETOSA),
    ]
    assert found.features == FEATURES
    version, before = found.versions
    assert version.registry
    assert (version.registry.run_id, version.registry.git_commit) == ("j", "abc")
    assert version.registry.data_md5 == {"train": "t", "corrections": "c"}
    assert version.judgement
    assert (version.judgement.anchor, version.judgement.verdict) == (1, "accepted")
    assert version.judgement.candidates == {"refitted": {"gain": 3}}
    assert [(each.how, each.because) for each in version.champion] == [("promoted", "many truths")]
    [correction] = version.learnt.corrections
    assert (correction.suggestion_id, correction.source) == ("a", "192.0.2.1")
    assert (correction.prediction_id, correction.answered, correction.answered_by) == ("old", VERSICOLOR, 1)
    assert version.not_known == []
    assert (before.model_version, before.not_known) == (1, [NOT_THERE])


def test_a_challenger_that_answers_after_the_registry_was_asked_is_not_said_to_be_gone(store: Store) -> None:
    store.predictions.write([prediction("p", version=2)])
    before = in_log(store, "p")
    assert before.versions == [2]
    store.predictions.write([shadow("p", version=1)])
    found = of_prediction(store, before, has(2, **FINE_TUNED), Page())
    assert [each.model_version for each in found.versions] == [each.model_version for each in found.answers] == [2]


def test_a_prediction_names_its_ground_truth_and_its_corrections(store: Store) -> None:
    store.predictions.write([prediction("p", VERSICOLOR)])
    for name in "abc":
        store.correct(suggestion(name, prediction_id="p", source="key"))
    found = of_prediction(store, in_log(store, "p"), Registered(), Page(2))
    assert found.truth
    assert (found.truth.class_name, found.truth.source) == (SETOSA, "key")
    assert (found.corrections.total, [each.suggestion_id for each in found.corrections.corrections]) == (3, ["a", "b"])
    assert found.versions[0].not_known == [NO_REGISTRY]


def test_an_unknown_prediction_has_no_lineage_and_an_erased_one_says_when(store: Store) -> None:
    assert logged(store, "p") is None
    store.predictions.write([prediction("p")])
    store.trust.erasures.erase("p", "key")
    with pytest.raises(ErasedError, match=f"p was erased on {datetime.now(UTC):%Y-%m-%d} at"):
        logged(store, "p")


def test_the_corrections_of_a_version_come_in_pages(store: Store) -> None:
    names = [f"{number:02}" for number in range(7)]
    learn(store, 2, *names)
    seen: list[str] = []
    after: str | None = ""
    while after is not None:
        page = of_version(store, IRIS, 2, has(2, **FINE_TUNED), Page(3, after)).learnt
        assert page.total == 7
        seen += [each.suggestion_id for each in page.corrections]
        after = page.next
    assert seen == names


def test_a_correction_leads_to_the_answers_of_all_versions_that_learnt_it(store: Store) -> None:
    learn(store, 2, "a")
    learn(store, 3, "b")
    store.predictions.write([prediction("p", version=2), prediction("q", version=3), prediction("r", version=3)])
    store.predictions.write([prediction("s", version=1), shadow("q", version=2)])
    found = of_correction(store, IRIS, "a")
    assert found
    assert (found.versions, found.version_count, found.not_known) == ([3, 2], 2, [])
    assert found.answers.total == {"champion": 3, "shadow": 1}
    day = date(2026, 3, 1)
    assert [(each.day, each.model_version, each.role, each.predictions) for each in found.answers.newest] == [
        (day, 2, "champion", 1),
        (day, 2, "shadow", 1),
        (day, 3, "champion", 2),
    ]
    assert [each.state for each in found.history] == ["received", "waiting", "trained"]
    later = of_correction(store, IRIS, "b")
    assert later
    assert (later.versions, later.answers.total) == ([3], {"champion": 2})


def test_a_correction_shows_its_vetting_and_its_reviewer(store: Store) -> None:
    learn(store, 2, "a")
    with store._database.writing() as connection:
        said = {"outcome": "approved", "rule": "outlier", "number": -0.5, "details": {}, "note": "it is right"}
        review = {"reviewer": "review key", "reviewed_at": NOON}
        connection.execute(
            vettings.insert().values(suggestion_id="a", problem="iris", vetted_at=NOON, **said, **review)
        )
    found = of_correction(store, IRIS, "a")
    assert found
    assert found.vetting
    assert (found.vetting.rule, found.vetting.number, found.vetting.note) == ("outlier", -0.5, "it is right")
    assert (found.correction.outcome, found.correction.reviewer) == ("approved", "review key")
    [learnt] = of_version(store, IRIS, 2, has(2, **FINE_TUNED), Page()).learnt.corrections
    assert learnt.reviewer == "review key"


def test_a_correction_of_another_problem_is_unknown(store: Store) -> None:
    store.suggestions.add(suggestion("a", "breast_cancer"))
    assert of_correction(store, IRIS, "a") is None
    assert of_correction(store, IRIS, "b") is None


# Versions of which little is known


def old(store: Store, version: int, *names: str) -> None:
    """Let a version learn corrections as the lab did before it kept all corrections of a version."""
    for name in names:
        store.suggestions.add(suggestion(name))
    store.suggestions.row_written(*names)
    store.suggestions.trained(list(names), version)


def test_of_an_older_version_the_corrections_that_were_new_to_it_are_known(store: Store) -> None:
    old(store, 2, "a", "b")
    found = of_version(store, IRIS, 2, has(2, **FINE_TUNED), Page(1))
    assert (found.learnt.total, [each.suggestion_id for each in found.learnt.corrections]) == (2, ["a"])
    assert found.learnt.next == "a"
    assert found.not_known == [NO_JUDGEMENT, NOT_KEPT]


def test_versions_between_an_older_one_and_the_next_may_have_learnt_its_correction(store: Store) -> None:
    old(store, 2, "a")
    learn(store, 5, "b")
    found = of_correction(store, IRIS, "a")
    assert found
    assert found.versions == [5, 2]
    [words] = found.not_known
    assert words.startswith("version 2 was registered before the lab kept this")


def test_a_version_of_the_training_has_learnt_no_correction(store: Store) -> None:
    learn(store, 2, "a")
    found = of_version(store, IRIS, 1, has(1, train_md5="t", run_id="r"), Page())
    assert (found.learnt.total, found.not_known) == (0, [])
    assert found.registry
    assert found.registry.run_id == "r"
    assert of_version(store, IRIS, 1, has(1, train_md5="t"), Page()).not_known == [NO_RUN]


def test_of_a_version_that_somebody_registered_by_hand_the_data_are_not_known(store: Store) -> None:
    assert of_version(store, IRIS, 1, has(1), Page()).not_known == [BY_HAND]


def test_without_the_registry_the_part_of_the_store_is_there(store: Store) -> None:
    learn(store, 2, "a")
    store.judgements.add(judged())
    found = of_version(store, IRIS, 2, Registered(), Page())
    assert (found.registry, found.not_known) == (None, [NO_REGISTRY])
    assert found.judgement
    assert found.judgement.because == "it is better"
    assert found.learnt.total == 1


def test_a_version_of_which_nobody_knows_anything_is_unknown(store: Store) -> None:
    assert not is_known(of_version(store, IRIS, 9, Registered(answered=True), Page()))
    store.predictions.write([prediction("p", version=9)])
    assert is_known(of_version(store, IRIS, 9, Registered(answered=True), Page()))
    assert is_known(of_version(store, IRIS, 8, has(8), Page()))
