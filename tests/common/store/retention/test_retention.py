"""Old rows go in small steps; roll-ups, ground truths and open corrections stay."""

import sqlite3
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from common.store import Store
from common.store.feedback import UnknownPredictionError
from common.store.predictions import PredictionRow
from common.store.retention.missing_rows import MissingRows
from common.store.retention.retention import BEGIN, STEP_ROWS
from common.store.statistics import Span
from tests.common.store.rows import MODEL, NOON, SETOSA, VERSICOLOR, prediction, shadow, suggestion

LATER = NOON + timedelta(days=1)


def day_of_rows(count: int) -> list[PredictionRow]:
    return [prediction(f"{number:05}", at=NOON + timedelta(seconds=number)) for number in range(count)]


def left(store: Store, ids: Sequence[str]) -> list[str]:
    return [each for each in ids if store.predictions.get(each)]


def answered(store: Store) -> int:
    return sum(each.predictions for each in store.statistics.volume_sums(Span("iris", MODEL)))


def test_rows_before_a_moment_go_and_the_counts_stay(store: Store) -> None:
    store.predictions.write([*day_of_rows(3), shadow("00000"), prediction("new", at=LATER)])
    step = store.retention.step("iris", BEGIN, LATER)
    assert (step.deleted, step.unexported, step.end) == (4, 4, None)
    assert left(store, ["00000", "00001", "00002", "new"]) == ["new"]
    assert answered(store) == 5
    assert store.retention.missing.totals() == [MissingRows("iris", "deleted", 4)]
    assert store.exports.waiting() == {"iris": 1}  # rows that no export will ever take do not wait
    assert store.retention.oldest("iris") == LATER
    assert store.retention.sizes.now().rows == 1


def test_a_step_is_bounded_and_the_next_one_goes_on(store: Store) -> None:
    rows = day_of_rows(STEP_ROWS + 5)
    store.predictions.write(rows)
    first = store.retention.step("iris", BEGIN, LATER)
    assert first.deleted == STEP_ROWS
    assert first.end is not None
    second = store.retention.step("iris", first.end, LATER)
    assert (second.deleted, second.end) == (5, None)


def test_a_row_with_ground_truth_goes_only_with_it(store: Store) -> None:
    store.predictions.write(day_of_rows(3))
    store.feedback.give("00001", VERSICOLOR)
    assert store.retention.step("iris", BEGIN, LATER).deleted == 2
    assert left(store, ["00001"]) == ["00001"]
    assert store.retention.step("iris", BEGIN, LATER, with_truth=True).deleted == 1
    assert store.trust.lineage.truth("00001") is None
    [labels] = store.statistics.label_sums(Span("iris", MODEL))
    assert (labels.true_class, labels.predicted_class, labels.labels) == (VERSICOLOR, SETOSA, 1)
    with pytest.raises(UnknownPredictionError):
        store.feedback.give("00001", SETOSA, replace=True)


def test_a_row_stays_while_a_correction_of_it_is_open(store: Store) -> None:
    store.predictions.write(day_of_rows(1))
    store.correct(suggestion("s", prediction_id="00000"))
    for with_truth in (False, True):
        assert store.retention.step("iris", BEGIN, LATER, with_truth=with_truth).deleted == 0
    store.suggestions.trained(["s"], 2)
    assert store.retention.step("iris", BEGIN, LATER).deleted == 0
    assert store.retention.step("iris", BEGIN, LATER, with_truth=True).deleted == 1


def test_answers_that_are_only_counted_are_not_silent(store: Store) -> None:
    store.retention.missing.prepare()
    with store._database.writing() as connection:
        store.retention.count_only(connection, day_of_rows(2))
        store.retention.count_only(connection, [prediction("other", at=NOON)])
    assert answered(store) == 3
    assert store.retention.missing.totals(NOON.date(), NOON.date()) == [MissingRows("iris", "left_out", 3)]
    assert store.retention.missing.totals(LATER.date()) == []
    assert store.retention.missing.days("iris", "left_out") == {NOON.date(): 3}
    assert store.exports.waiting() == {}
    assert store.predictions.get("other") == []


def test_the_size_of_a_row_is_about_what_the_log_takes(store: Store) -> None:
    store.predictions.write(day_of_rows(1_000))
    size = store.retention.sizes.now()
    assert size.rows == 1_000
    assert size.row_bytes is not None
    assert 300 < size.row_bytes < 1_200  # 511 bytes with a million rows of SQLite


def test_a_new_file_gives_free_pages_back(sqlite_store: Store, sqlite_url: str) -> None:
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    sqlite_store.predictions.write(day_of_rows(5_000))
    place, size = BEGIN, sqlite_store.retention.sizes.now()
    assert size.gives_back
    assert sqlite_store.retention.sizes.give_back() == 0
    while (step := sqlite_store.retention.step("iris", place, LATER)).end:
        place = step.end
    freed = sqlite_store.retention.sizes.now()
    assert freed.free > size.used / 2
    while sqlite_store.retention.sizes.give_back():
        pass
    after = sqlite_store.retention.sizes.now()
    assert after.free < freed.free / 2
    sqlite_store.close()
    assert file.stat().st_size < size.used * 0.7


def test_an_old_file_keeps_its_size_and_says_so(tmp_path: Path) -> None:
    file = tmp_path / "old.db"
    Store(f"sqlite:///{file}").close()
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA auto_vacuum=NONE")
        connection.execute("VACUUM")
    connection.close()
    store = Store(f"sqlite:///{file}")
    assert not store.retention.sizes.now().gives_back
    assert store.retention.sizes.give_back() == 0
    store.close()
