"""What happened by day is what a recount by day finds; delays are those of the first truths."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from common.store import Store
from common.store.monitoring.history import DayLabels, DayVolume, LabelSum, Span, VolumeSum
from common.store.predictions import PredictionRow
from common.store.statistics import Paired
from common.store.tables import ROLES
from tests.common.store.rows import CLASSES, MODEL, NOON, SETOSA, VERSICOLOR, prediction, shadow

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
    """Three days of two versions, and their challengers; of every second prediction the truth is setosa."""
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


def expected_volumes(rows: list[PredictionRow]) -> list[DayVolume]:
    keys = [(r["predicted_at"].date(), r["model_version"], r["role"], r["class_name"]) for r in rows]
    outliers = Counter(key for key, row in zip(keys, rows, strict=True) if row["is_outlier"])
    return [DayVolume(*key[1:], count, outliers[key], key[0]) for key, count in sorted(Counter(keys).items())]


def expected_labels(rows: list[PredictionRow]) -> list[DayLabels]:
    counts = Counter(
        (r["predicted_at"].date(), r["model_version"], r["role"], SETOSA, r["class_name"])
        for r in rows
        if r["id"].endswith(("0", "2"))
    )
    return [DayLabels(*key[1:], count, key[0]) for key, count in sorted(counts.items())]


def together(days: Sequence[VolumeSum] | Sequence[LabelSum], *counted: str) -> list[tuple[Any, ...]]:
    """Add up what is counted of the days, by all the rest, in its order."""
    sums: Counter[tuple[Any, ...]] = Counter()
    for each in days:
        values = {name: value for name, value in vars(each).items() if name != "day"}
        counts = [values.pop(name) for name in counted]
        for name, count in zip(counted, counts, strict=True):
            sums[*values.values(), name] += count
    keys = sorted({key[:-1] for key in sums})
    return [(*key, *(sums[*key, name] for name in counted)) for key in keys]


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
    asked = span(since, until, *versions)
    assert store.history.volumes(asked) == expected_volumes(meant)
    assert store.history.labels(asked) == expected_labels(meant)
    volumes = [tuple(vars(each).values()) for each in store.history.volume_sums(asked)]
    assert volumes == together(expected_volumes(meant), "predictions", "outliers")
    labels = [tuple(vars(each).values()) for each in store.history.label_sums(asked)]
    assert labels == together(expected_labels(meant), "labels")


def test_the_days_together_are_what_the_statistics_know(store: Store, rows: list[PredictionRow]) -> None:
    assert rows
    everything = span(FIRST, date(2026, 12, 31))
    volumes, labels = store.history.volumes(everything), store.history.labels(everything)
    for live in store.statistics.live("iris", MODEL):
        mine = (live.model_version, live.role)
        assert sum(e.predictions for e in volumes if (e.model_version, e.role) == mine) == live.predictions
        assert sum(e.outliers for e in volumes if (e.model_version, e.role) == mine) == live.outliers
        assert sum(e.labels for e in labels if (e.model_version, e.role) == mine) == sum(live.labels.values())


def test_every_model_has_its_first_and_last_day(store: Store, rows: list[PredictionRow]) -> None:
    assert rows
    assert store.history.days() == {
        ("iris", MODEL): (FIRST, date(2026, 3, 8)),
        ("iris", "AnotherModel"): (FIRST, FIRST),
        ("other", MODEL): (FIRST, FIRST),
    }


def test_a_day_is_that_of_utc_whatever_the_zone_of_database_and_moment(store: Store) -> None:
    auckland = datetime.fromisoformat("2026-03-02T11:30:00+13:00")
    midnight = datetime(2026, 3, 2, tzinfo=UTC)
    written = [prediction("a", at=auckland.astimezone(UTC)), prediction("b", at=midnight)]
    store.predictions.write(written)
    assert [each.day for each in store.history.volumes(span())] == [FIRST, SECOND]


def test_a_truth_that_is_taken_back_leaves_no_label(store: Store) -> None:
    store.predictions.write([prediction("a")])
    store.feedback.give("a", VERSICOLOR)
    store.feedback.give("a", SETOSA, replace=True)
    assert store.history.labels(span()) == [DayLabels(1, "champion", SETOSA, SETOSA, 1, FIRST)]


def test_pairs_are_those_of_the_days_and_the_versions(store: Store, rows: list[PredictionRow]) -> None:
    assert rows
    # Each day, the truth is what both have answered to the first, and neither to the third.
    assert store.history.paired(span(), 1, 2) == Paired(both_right=2, both_wrong=2)
    assert store.history.paired(span(SECOND), 1, 2) == Paired(both_right=1, both_wrong=1)
    assert store.history.paired(span(), 2, 3) == Paired(both_right=1, both_wrong=1)
    assert store.history.paired(span(), 3, 2) == Paired()


def delays(store: Store) -> dict[date, tuple[int, float]]:
    """Labels and mean seconds by day, from yesterday on."""
    today = now().date()
    found = store.history.delays(span(today - timedelta(days=2), today + timedelta(days=2)))
    return {each.day: (each.labels, each.mean_seconds) for each in found}


def about(hours: float) -> object:
    return pytest.approx(hours * 3600, abs=60)


def test_delays_are_the_mean_from_prediction_to_truth_by_day_of_the_prediction(store: Store) -> None:
    early, late = now() - 2 * HOUR, now() - 26 * HOUR
    store.predictions.write([prediction("a", at=early), prediction("b", at=late), prediction("c", at=early)])
    for name in "abc":
        store.feedback.give(name, SETOSA)
    found = delays(store)
    assert found[late.date()] == (1, about(26))
    assert found[early.date()] == (2, about(2))


def test_a_version_in_the_shadow_and_a_truth_that_is_replaced_add_no_delay(store: Store) -> None:
    asked = now() - HOUR
    store.predictions.write([prediction("a", at=asked), shadow("a") | {"predicted_at": asked}])
    store.feedback.give("a", SETOSA)
    once = delays(store)
    store.feedback.give("a", SETOSA)
    store.feedback.give("a", VERSICOLOR, replace=True)
    assert delays(store) == once == {asked.date(): (1, about(1))}


def test_a_truth_that_comes_before_the_prediction_is_late_by_what_it_was(store: Store) -> None:
    asked, ahead = now() - HOUR, now() + HOUR
    store.predictions.write([shadow("a") | {"predicted_at": asked}, shadow("b") | {"predicted_at": ahead}])
    store.feedback.give("a", SETOSA)
    store.feedback.give("b", SETOSA)
    assert delays(store) == {}
    store.predictions.write([prediction("a", at=asked)])
    assert delays(store) == {asked.date(): (1, about(1))}
    # Written twice, it is counted once.
    store.predictions.write([prediction("a", at=asked)])
    assert delays(store) == {asked.date(): (1, about(1))}
    # A clock that is ahead makes no time run backwards.
    store.predictions.write([prediction("b", at=ahead)])
    total = sum(labels * seconds for labels, seconds in delays(store).values())
    assert sum(labels for labels, _ in delays(store).values()) == 2
    assert total == about(1)


def test_new_rows_with_their_truths_have_no_delay_to_speak_of(store: Store) -> None:
    store.feedback.give_new([prediction("a", at=now()), prediction("b", at=now())], [SETOSA, SETOSA])
    assert sum(labels for labels, _ in delays(store).values()) == 2
    assert all(seconds < 60 for _, seconds in delays(store).values())
