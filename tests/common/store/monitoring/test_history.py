"""The sums by day are the ones of a recount; a delay ends with the first ground truth."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from common.store import Store
from common.store.monitoring.history import DayLabels, DayVolume
from common.store.predictions import PredictionRow
from common.store.statistics import LabelSum, Paired, Span, VolumeSum
from common.store.tables import ROLES
from tests.common.store.rows import CLASSES, MODEL, NOON, SETOSA, VERSICOLOR, prediction, shadow

ORDER = ("day", "model_version", "role", "true_class", "predicted_class", "class_name")
FIRST, SECOND, THIRD = (date(2026, 3, day) for day in (1, 2, 3))
HOUR = timedelta(hours=1)


def span(since: date = FIRST, until: date = THIRD, *versions: int) -> Span:
    return Span("iris", MODEL, since, until, versions)


def at(day: int, hour: int = 12) -> datetime:
    return NOON.replace(day=day, hour=hour)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def rows(store: Store) -> list[PredictionRow]:
    """Three days of two versions and their challengers; every second prediction has the ground truth setosa."""
    rows = [
        prediction(f"{day}-{number}", CLASSES[number % 3], role=role, version=version, at=at(day))
        for day, versions in ((1, (1, 2)), (2, (1, 2)), (3, (2, 3)))
        for number in range(4)
        for role, version in zip(ROLES, versions, strict=True)
    ]
    for row in rows[::3]:
        row["is_outlier"] = True
    store.predictions.write(rows)
    for row in rows:
        if row["role"] == "champion" and row["id"].endswith(("0", "2")):
            store.feedback.give(row["id"], SETOSA)
    # Of other problems, days and models.
    store.predictions.write([prediction("x", problem="other", at=at(1)), prediction("y", at=at(8))])
    store.predictions.write([prediction("z", at=at(1)) | {"model_name": "AnotherModel"}])
    return rows


def expected(kind: Any, rows: list[PredictionRow]) -> list[Any]:
    """Count rows by the fields of `kind` that are not counts, the day first; the ground truth is always setosa."""
    counted = [name for name in kind.__dataclass_fields__ if name in {"predictions", "outliers", "labels"}]
    keys = sorted(kind.__dataclass_fields__.keys() - {*counted}, key=[*ORDER].index)
    sums: defaultdict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for row in rows:
        others = {"day": row["predicted_at"].date(), "true_class": SETOSA, "predicted_class": row["class_name"]}
        one = {"predictions": 1, "outliers": bool(row["is_outlier"]), "labels": 1}
        sums[tuple((row | others)[name] for name in keys)].update(one)
    return [
        kind(**dict(zip(keys, key, strict=True)), **{name: sums[key][name] for name in counted}) for key in sorted(sums)
    ]


@pytest.mark.parametrize(
    ("since", "until", "versions"),
    [(FIRST, THIRD, ()), (SECOND, SECOND, ()), (FIRST, SECOND, (2,)), (SECOND, THIRD, (1, 3)), (THIRD, FIRST, ())],
)
def test_days_and_versions_are_counted_as_asked(
    store: Store, rows: list[PredictionRow], since: date, until: date, versions: tuple[int, ...]
) -> None:
    meant = [
        row
        for row in rows
        if since <= row["predicted_at"].date() <= until and (not versions or row["model_version"] in versions)
    ]
    labelled = [row for row in meant if row["id"].endswith(("0", "2"))]
    asked = span(since, until, *versions)
    assert store.history.volumes(asked) == expected(DayVolume, meant)
    assert store.history.labels(asked) == expected(DayLabels, labelled)
    assert store.statistics.volume_sums(asked) == expected(VolumeSum, meant)
    assert store.statistics.label_sums(asked) == expected(LabelSum, labelled)


def test_every_model_has_its_first_and_last_day(store: Store, rows: list[PredictionRow]) -> None:
    assert rows
    assert store.history.days() == {
        ("iris", MODEL): (FIRST, date(2026, 3, 8)),
        ("iris", "AnotherModel"): (FIRST, FIRST),
        ("other", MODEL): (FIRST, FIRST),
    }


def test_pairs_are_limited_to_the_days_and_the_versions(store: Store, rows: list[PredictionRow]) -> None:
    assert rows
    # On each day, both versions are right on the first row, and both are wrong on the third.
    assert store.statistics.paired(span(), 1, 2) == Paired(both_right=2, both_wrong=2)
    assert store.statistics.paired(span(SECOND), 1, 2) == Paired(both_right=1, both_wrong=1)
    assert store.statistics.paired(span(), 2, 3) == Paired(both_right=1, both_wrong=1)
    assert store.statistics.paired(span(), 3, 2) == Paired()


def delays(store: Store) -> dict[date, tuple[int, float]]:
    """Labels and mean seconds by day, from yesterday on."""
    today = now().date()
    found = store.history.delays(span(today - timedelta(days=2), today + timedelta(days=2)))
    return {each.day: (each.labels, each.mean_seconds) for each in found}


def about(hours: float) -> object:
    return pytest.approx(hours * 3600, abs=60)


def test_delays_are_means_from_prediction_to_ground_truth_by_the_day_of_the_prediction(store: Store) -> None:
    early, late = now() - 2 * HOUR, now() - 26 * HOUR
    store.predictions.write([prediction("a", at=early), prediction("b", at=late), prediction("c", at=early)])
    for name in "abc":
        store.feedback.give(name, SETOSA)
    found = delays(store)
    assert found[late.date()] == (1, about(26))
    assert found[early.date()] == (2, about(2))


def test_challengers_and_replaced_ground_truths_add_no_delay(store: Store) -> None:
    asked = now() - HOUR
    store.predictions.write([prediction("a", at=asked), shadow("a") | {"predicted_at": asked}])
    store.feedback.give("a", SETOSA)
    once = delays(store)
    store.feedback.give("a", SETOSA)
    store.feedback.give("a", VERSICOLOR, replace=True)
    assert delays(store) == once == {asked.date(): (1, about(1))}


def test_a_prediction_that_is_written_after_its_ground_truth_has_its_delay_once(store: Store) -> None:
    asked, ahead = now() - HOUR, now() + HOUR
    store.predictions.write([shadow("a") | {"predicted_at": asked}, shadow("b") | {"predicted_at": ahead}])
    for name in "ab":
        store.feedback.give(name, SETOSA)
    assert delays(store) == {}
    for _ in range(2):
        store.predictions.write([prediction("a", at=asked)])
        assert delays(store) == {asked.date(): (1, about(1))}
    # A clock that is ahead makes no delay negative.
    store.predictions.write([prediction("b", at=ahead)])
    assert sum(labels for labels, _ in delays(store).values()) == 2
    assert sum(labels * seconds for labels, seconds in delays(store).values()) == about(1)


def test_new_rows_with_their_ground_truths_have_hardly_any_delay(store: Store) -> None:
    store.known_rows.write([prediction("a", at=now()), prediction("b", at=now())], [SETOSA, SETOSA])
    assert sum(labels for labels, _ in delays(store).values()) == 2
    assert all(seconds < 60 for _, seconds in delays(store).values())
