"""The monitor as a service: what it exports, and what it does while others are away."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from common.judgement.betting import e_not_worse, e_worse
from common.judgement.gate import WORDS
from common.problem import Problem
from common.registry.client import Version
from common.settings import Settings
from common.store import Store
from common.store.predictions import PredictionRow
from common.store.statistics import MOST_VERSIONS
from common.store.suggestions import STATES
from monitor.follow_registry import AliasedVersions
from monitor.jobs.evaluation import Evaluator, Pace
from monitor.jobs.job_alerts import JobAlerts
from monitor.metrics.store_collector import StoreCollector
from monitor.monitor import create_app
from monitor.statistics.enough import LABELS, SHARE_ROWS
from monitor.statistics.reference import NumberReference, Reference, Results
from scripts.parts import wait_for
from tests.common.store.rows import MODEL, SETOSA, VERSICOLOR, VIRGINICA, prediction, shadow, suggestion
from tests.common.store.trust.test_reviews import decide, vet
from tests.conftest import served
from tests.monitor.page.tabs.kept import open_judgement
from tests.monitor.references import answered, knowing

Samples = dict[tuple[str, ...], float]
MODEL_LABELS = ("problem", "model_name", "model_version", "role")
CELL = (*MODEL_LABELS, "true_class", "predicted_class", "correct")
CHAMPION = ("iris", MODEL, "1", "champion")


def samples(monitor: httpx.Client, name: str, *labels: str) -> Samples:
    """Return the samples of a metric by the values of its labels, which are these and no others."""
    text = monitor.get("/metrics").raise_for_status().text
    families = text_string_to_metric_families(text)
    found = [sample for family in families for sample in family.samples if sample.name == name]
    assert all(sample.labels.keys() == set(labels) for sample in found)
    return {tuple(sample.labels[label] for label in labels): sample.value for sample in found}


@pytest.fixture
def store(on_either: Settings) -> Iterator[Store]:
    with closing(Store(on_either.database_url)) as store:
        yield store


@pytest.fixture
def monitor(on_either: Settings) -> Iterator[httpx.Client]:
    # Not at a full hour that may come meanwhile.
    with served(create_app(on_either.model_copy(update={"export_seconds": 604_800}))) as client:
        yield client


def now() -> datetime:
    return datetime.now(UTC)


def test_it_is_alive_and_ready_before_anything_was_predicted(monitor: httpx.Client) -> None:
    assert monitor.get("/livez").json() == {"health": "ok"}
    assert monitor.get("/readyz").json() == {"health": "ok"}
    assert samples(monitor, "live_labels", *CELL) == {}
    assert samples(monitor, "process_resident_memory_bytes")[()] > 0


def test_every_get_can_be_asked_for_its_head_alone(monitor: httpx.Client) -> None:
    for path in ("/", "/tab/drift", "/api/problems", "/livez", "/readyz", "/metrics", "/nowhere"):
        head, get = monitor.head(path), monitor.get(path)
        assert (head.status_code, head.content) == (get.status_code, b"")


def test_of_many_versions_metrics_and_page_have_the_hundred_that_answered_last(
    store: Store, monitor: httpx.Client
) -> None:
    numbers = range(1, MOST_VERSIONS + 2)
    store.predictions.write([prediction(f"{version}", version=version) for version in numbers])
    counted = samples(monitor, "logged_predictions_total", *MODEL_LABELS, "class_name")
    assert {int(version) for _, _, version, *_ in counted} == {*numbers[1:]}
    [problem] = monitor.get("/api/problems").json()
    assert problem["models"][0]["versions"] == [*numbers[1:]]
    # An older one can still be chosen, also when another problem has a version of that number.
    store.predictions.write([prediction("b", problem="breast_cancer")])
    chosen = "problem=iris&version=1&version=2"
    assert monitor.get(f"/api/overview?{chosen}").json()["versions"] == [1, 2]
    assert 'name="version" value="1" checked' in monitor.get(f"/?{chosen}").text


def test_predictions_and_outliers_are_counted_by_model_and_class(store: Store, monitor: httpx.Client) -> None:
    store.predictions.write([prediction("a"), shadow("a", VERSICOLOR), prediction("b") | {"is_outlier": True}])
    assert samples(monitor, "logged_predictions_total", *MODEL_LABELS, "class_name") == {
        (*CHAMPION, SETOSA): 2,
        ("iris", MODEL, "2", "shadow", VERSICOLOR): 1,
    }
    assert samples(monitor, "logged_outliers_total", *MODEL_LABELS, "class_name") == {
        (*CHAMPION, SETOSA): 1,
        ("iris", MODEL, "2", "shadow", VERSICOLOR): 0,
    }


def test_labels_are_shown_for_every_pair_of_classes_that_has_occurred(store: Store, monitor: httpx.Client) -> None:
    store.predictions.write([prediction("a"), prediction("b"), prediction("c", VIRGINICA)])
    store.feedback.give("a", SETOSA)
    store.feedback.give("b", VERSICOLOR)
    labels = samples(monitor, "live_labels", *CELL)
    assert {cell[4:]: count for cell, count in labels.items() if count} == {
        (SETOSA, SETOSA, "true"): 1,
        (VERSICOLOR, SETOSA, "false"): 1,
    }
    assert {cell[:4] for cell in labels} == {CHAMPION}
    assert len(labels) == 3 * 3


def test_a_truth_that_is_taken_back_leaves_no_label_behind(store: Store, monitor: httpx.Client) -> None:
    store.predictions.write([prediction("a")])
    store.feedback.give("a", VERSICOLOR)
    store.feedback.give("a", SETOSA, replace=True)
    labels = samples(monitor, "live_labels", *CELL)
    assert {cell[4:]: count for cell, count in labels.items() if count} == {(SETOSA, SETOSA, "true"): 1}


def test_a_problem_without_corrections_has_none_in_every_state(store: Store, monitor: httpx.Client) -> None:
    store.predictions.write([prediction("a")])
    assert samples(monitor, "suggestions", "problem", "state") == {("iris", state): 0 for state in STATES}


def test_suggestions_are_counted_in_every_state_with_the_age_of_the_oldest(store: Store, monitor: httpx.Client) -> None:
    for name in "abcd":
        store.suggestions.add(suggestion(name))
    store.suggestions.delivered("a", "run")
    store.suggestions.refused(["b"], "too bad")
    counted = {state: count for (_, state), count in samples(monitor, "suggestions", "problem", "state").items()}
    assert counted == {**dict.fromkeys(STATES, 0), "received": 2, "delivered": 1, "refused": 1}
    ages = {
        state: age for (_, state), age in samples(monitor, "suggestions_oldest_seconds", "problem", "state").items()
    }
    assert ages.keys() == {"received", "delivered", "waiting"}
    assert ages["waiting"] == 0
    assert 0 < ages["received"] < 60


def test_the_queue_of_the_reviewers_is_shown_with_its_age_and_is_empty_at_first(
    store: Store, monitor: httpx.Client
) -> None:
    store.predictions.write([prediction("a")])

    def figures() -> list[float | None]:
        names = ("review_queue_corrections", "review_queue_oldest_seconds", "vetted_hour_corrections")
        return [samples(monitor, name, "problem").get(("iris",)) for name in names]

    assert figures() == [0, 0, 0]
    assert samples(monitor, "vetted_hour_quarantined_ratio", "problem") == {("iris",): 0}
    for name, outcome in (("a", "quarantined"), ("b", "quarantined"), ("c", "passed")):
        store.suggestions.add(suggestion(name))
        vet(store, name, outcome=outcome)
    size, age, vetted = figures()
    assert (size, vetted) == (2, 3)
    assert age is not None
    assert 0 < age < 60
    assert samples(monitor, "vetted_hour_quarantined_ratio", "problem") == {("iris",): pytest.approx(2 / 3)}


def test_the_age_of_the_oldest_open_withdrawal_is_shown(store: Store, monitor: httpx.Client) -> None:
    def age() -> float | None:
        return samples(monitor, "withdrawals_open_oldest_seconds", "problem").get(("iris",))

    store.predictions.write([prediction("a")])
    assert age() == 0
    store.suggestions.add(suggestion("a"))
    store.trust.withdrawals.request("iris", ["a"], "request", "key", "a mistake")
    found = age()
    assert found is not None
    assert 0 < found < 60
    store.trust.withdrawals.close("iris", {"a": "no version had learnt it"}, None)
    assert age() == 0


def test_vetted_corrections_are_counted_by_outcome_and_rule_also_after_a_review(
    store: Store, monitor: httpx.Client
) -> None:
    for name, rule in (("a", "outlier"), ("b", "outlier"), ("c", "improbable")):
        store.suggestions.add(suggestion(name))
        vet(store, name, rule)
    decide(store, "a")
    counted = samples(monitor, "vetted_corrections", "problem", "outcome", "rule")
    assert {labels: count for labels, count in counted.items() if count} == {
        ("iris", "approved", "outlier"): 1,
        ("iris", "quarantined", "outlier"): 1,
        ("iris", "quarantined", "improbable"): 1,
    }
    assert counted["iris", "quarantined", "contradiction"] == 0


def test_the_loop_is_timed_from_the_last_correction_to_the_champion(store: Store, monitor: httpx.Client) -> None:
    store.predictions.write([prediction("a")])
    store.champions.note(MODEL, 1)
    for name in "ab":
        store.suggestions.add(suggestion(name))
    store.suggestions.trained(["a", "b"], 2)
    assert samples(monitor, "loop_seconds", "problem", "model_name", "model_version") == {}
    store.champions.note(MODEL, 2)
    [(loop, seconds)] = samples(monitor, "loop_seconds", "problem", "model_name", "model_version").items()
    assert loop == ("iris", MODEL, "2")
    assert 0 < seconds < 60
    store.champions.note(MODEL, 1, "rolled back")
    store.champions.note(MODEL, 2, "promoted")
    assert samples(monitor, "loop_seconds", "problem", "model_name", "model_version") == {loop: seconds}
    assert samples(monitor, "finetuned_versions", "problem") == {("iris",): 1}
    assert samples(monitor, "champion_changes", "model_name", "how") == {
        (MODEL, "registered"): 2,
        (MODEL, "rolled_back"): 1,
        (MODEL, "promoted"): 1,
    }


def evaluate_now(store: Store, reference: Reference | None = None) -> None:
    """Let the job run that evaluates each minute, as if all that was predicted by now were a minute old."""
    pace = Pace(timedelta(minutes=1), timedelta(minutes=5))
    evaluator = Evaluator(
        store, knowing(store, reference), JobAlerts(store), pace, lambda: now() + timedelta(seconds=63)
    )
    evaluator._started -= timedelta(hours=1)
    evaluator.run()


def test_before_a_window_was_evaluated_none_is_shown(store: Store, monitor: httpx.Client) -> None:
    store.predictions.write([prediction("new") | {"predicted_at": now()}])
    assert samples(monitor, "window_predictions", "problem") == {}
    assert samples(monitor, "window_end_timestamp_seconds", "problem") == {}


def newest(rows: int, **changed: object) -> list[PredictionRow]:
    at = {"predicted_at": now(), "confidence": 0.5}
    return [prediction(f"new {number}") | at | changed for number in range(rows)]  # type: ignore[misc]


def test_of_a_few_predictions_there_is_a_number_and_not_enough_data_for_any_statistic(
    store: Store, monitor: httpx.Client, learnt: Reference
) -> None:
    store.predictions.write(newest(1, is_outlier=True))
    evaluate_now(store, learnt)
    assert samples(monitor, "window_predictions", "problem") == {("iris",): 1}
    assert samples(monitor, "window_outliers", "problem") == {("iris",): 1}
    for name, *labels in (
        ("window_outliers_ratio",),
        ("window_confidence_mean_ratio",),
        ("window_class_ratio", "class_name"),
        ("window_feature_mean", "feature"),
        ("window_feature_mean_tolerance", "feature"),
        ("window_feature_psi", "feature"),
        ("window_drift_verdict", "subject"),
        ("monitor_alert_open", "kind", "subject"),
    ):
        assert samples(monitor, name, "problem", *labels) == {}, name


def test_the_tolerance_of_a_mean_is_that_of_the_alert(store: Store, monitor: httpx.Client, learnt: Reference) -> None:
    store.predictions.write(newest(SHARE_ROWS))
    evaluate_now(store, learnt)
    tolerances = samples(monitor, "window_feature_mean_tolerance", "problem", "feature")
    known = learnt.features["petal_width"]
    assert isinstance(known, NumberReference)
    assert tolerances["iris", "petal_width"] == pytest.approx(4 * known.std * (1 / SHARE_ROWS + 1 / 150) ** 0.5)
    means = samples(monitor, "window_feature_mean", "problem", "feature")
    off = {name for (_, name), mean in means.items() if abs(mean - mean_of(learnt, name)) > tolerances["iris", name]}
    alerts = samples(monitor, "monitor_alert_open", "problem", "kind", "subject")
    assert off == {subject for _, kind, subject in alerts if kind == "feature_mean"} > {"petal_width"}


def mean_of(reference: Reference, name: str) -> float:
    known = reference.features[name]
    assert isinstance(known, NumberReference)
    return known.mean


def test_the_window_holds_the_newest_predictions_of_the_champion(store: Store, monitor: httpx.Client) -> None:
    old = prediction("old") | {"is_outlier": True}
    other = shadow("new") | {"is_outlier": True, "predicted_at": now()}
    store.predictions.write([old, *newest(SHARE_ROWS), other])
    evaluate_now(store)
    assert samples(monitor, "window_predictions", "problem") == {("iris",): SHARE_ROWS}
    assert samples(monitor, "window_outliers", "problem") == {("iris",): 0}
    assert samples(monitor, "window_outliers_ratio", "problem") == {("iris",): 0}
    assert samples(monitor, "window_confidence_mean_ratio", "problem") == {("iris",): 0.5}
    assert samples(monitor, "window_class_ratio", "problem", "class_name") == {("iris", SETOSA): 1}
    assert samples(monitor, "window_feature_mean", "problem", "feature")["iris", "sepal_length"] == pytest.approx(5.1)
    assert samples(monitor, "training_feature_mean", "problem", "feature") == {}
    assert samples(monitor, "window_drift_verdict", "problem", "subject") == {}
    [ended] = samples(monitor, "window_end_timestamp_seconds", "problem").values()
    assert ended % 60 == 0
    assert abs(ended - now().timestamp()) < 63


def test_verdicts_and_indices_are_shown_where_there_is_enough_to_say(
    store: Store, monitor: httpx.Client, problem: Problem, learnt: Reference
) -> None:
    rows = problem.load(None)
    rows.X[:, 0] += 2 * rows.X[:, 0].std()
    answers = [row | {"predicted_at": now()} for row in answered(problem, rows, times=4)]
    # Answers of another version are not compared with those of this one.
    store.predictions.write([row | {"model_version": 9} for row in answers])
    evaluate_now(store, learnt)
    verdicts = samples(monitor, "window_drift_verdict", "problem", "subject")
    assert verdicts == {("iris", name): float(name == "sepal_length") for name in problem.columns}
    indices = samples(monitor, "window_feature_psi", "problem", "feature")
    assert indices.keys() == verdicts.keys()
    assert indices["iris", "sepal_length"] > 0.2 > max(indices["iris", name] for name in problem.columns[1:])


def test_alerts_are_shown_while_they_are_open_and_their_episodes_counted(store: Store, monitor: httpx.Client) -> None:
    store.predictions.write(newest(SHARE_ROWS, is_outlier=True))
    assert samples(monitor, "monitor_alerts_total", "problem", "kind") == {
        **{("", kind): 0 for kind in ("disk_filling", "disk_full", "run_failed")},
        **{("iris", kind): 0 for kind in ("accuracy", "drift", "feature_mean", "outliers", "recall", "run_failed")},
        **{("iris", kind): 0 for kind in ("many_quarantined", "reviews_waiting")},
    }
    evaluate_now(store)
    JobAlerts(store).failed("", "external log", "MLflow is away", now())
    labels = ("problem", "kind", "subject")
    assert samples(monitor, "monitor_alert_open", *labels) == {
        ("iris", "outliers", ""): 1,
        ("", "run_failed", "external log"): 1,
    }
    JobAlerts(store).succeeded("", "external log", now())
    assert samples(monitor, "monitor_alert_open", *labels) == {("iris", "outliers", ""): 1}
    begun = samples(monitor, "monitor_alerts_total", "problem", "kind")
    assert {episode: count for episode, count in begun.items() if count} == {
        ("", "run_failed"): 1,
        ("iris", "outliers"): 1,
    }


def test_the_accuracy_and_the_recalls_are_shown_beside_those_of_the_test_rows(
    store: Store, monitor: httpx.Client, learnt: Reference
) -> None:
    rows = newest(LABELS)
    store.known_rows.write(rows, [VERSICOLOR if number % 2 else SETOSA for number in range(LABELS)])
    store.predictions.write([prediction("of a day") | {"predicted_at": now()}])
    tested = Results(learnt.classes, np.array([[10, 0, 0], [0, 9, 1], [0, 0, 10]]))
    evaluate_now(store, replace(learnt, tested=tested))
    places = "problem", "span", "measure", "class_name"
    shown = {
        name: samples(monitor, f"performance_{name}", *places)
        for name in ("labels", "ratio", "high_ratio", "tested_ratio", "tested_low_ratio")
    }
    for span in ("window", "day"):
        accuracy, never = ("iris", span, "accuracy", ""), ("iris", span, "recall", VIRGINICA)
        assert [shown[name][accuracy] for name in ("labels", "ratio")] == [LABELS, 0.5]
        assert shown["high_ratio"][accuracy] < shown["tested_low_ratio"][accuracy] < shown["tested_ratio"][accuracy]
        assert shown["tested_ratio"]["iris", span, "recall", VERSICOLOR] == pytest.approx(0.9)
        assert shown["ratio"]["iris", span, "recall", VERSICOLOR] == 0
        assert (shown["labels"][never], never in shown["ratio"], never in shown["high_ratio"]) == (0, False, False)
    kinds = {kind for _, kind, _ in samples(monitor, "monitor_alert_open", "problem", "kind", "subject")}
    assert kinds >= {"accuracy", "recall"}


def test_rows_that_wait_for_the_external_log_are_counted(store: Store, monitor: httpx.Client) -> None:
    store.predictions.write([prediction("a"), prediction("b"), prediction("a", problem="other", role="shadow")])
    waiting = {("iris",): 2, ("other",): 1}
    assert samples(monitor, "external_log_unexported_rows", "problem") == waiting
    claimed = store.exports.claim(9, now())
    assert claimed
    store.exports.finish(claimed, "run")
    assert samples(monitor, "external_log_unexported_rows", "problem") == waiting | {("iris",): 0}


def test_the_means_of_the_training_rows_come_from_the_served_version(
    settings: Settings, trained: Version, problem: Problem
) -> None:
    store = Store(settings.database_url)
    store.predictions.write([prediction("a")])
    store.close()
    with served(create_app(settings)) as monitor:
        means = wait_for("the reference", lambda: samples(monitor, "training_feature_mean", "problem", "feature"))
    assert trained.number == 1
    assert {feature for _, feature in means} == set(problem.columns)
    assert 5 < means["iris", "sepal_length"] < 7


def test_it_answers_503_while_the_store_cannot_be_read_and_lives_on(
    offline: Settings,
) -> None:
    with served(create_app(offline)) as monitor:
        with sqlite3.connect(offline.data_dir.parent / "lab.db") as database:
            database.execute("ALTER TABLE prediction_counts RENAME TO elsewhere")
        assert monitor.get("/metrics").status_code == 503
        assert monitor.get("/readyz").status_code == 503
        assert monitor.get("/livez").status_code == 200


def test_verdicts_are_counted_from_zero(store: Store, monitor: httpx.Client) -> None:
    store.predictions.write([prediction("a")])
    for name in ("first", "second"):
        store.judgements.add(replace(open_judgement(2), id=name))
    counted = samples(monitor, "judgements_total", "problem", "verdict")
    assert counted == {("iris", verdict): 2 * (verdict == "insufficient evidence") for verdict in WORDS}


@pytest.mark.parametrize(("trusted_only", "truths"), [(False, 3), (True, 1)])
def test_the_fine_tuned_version_is_compared_with_the_one_beside_it(
    store: Store, *, trusted_only: bool, truths: int
) -> None:
    store.predictions.write([row for name in "abc" for row in (prediction(name), shadow(name, VERSICOLOR))])
    references = knowing(store, aliases=AliasedVersions(champion=1, challenger=2))
    registry = CollectorRegistry()
    registry.register(StoreCollector(store, references, trusted_only=trusted_only))
    for name in "abc":
        store.feedback.give(name, VERSICOLOR, trusted=name == "a")
    problem = {"problem": "iris"}
    assert registry.get_sample_value("duel_truths", {**problem, "result": "win"}) is None
    store.judgements.add(open_judgement(2))
    for result, count in (("win", truths), ("loss", 0), ("tie", 0)):
        assert registry.get_sample_value("duel_truths", {**problem, "result": result}) == count
    for kind, value in (("worse", e_worse(truths, 0, 0)), ("not_worse", e_not_worse(truths, 0, 0, 0.02))):
        assert registry.get_sample_value("duel_e_value", {**problem, "kind": kind}) == value
