"""The roll-ups by moment equal a recount of the log, in any order of events; reading them never scans the log."""

from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from common.store import Store
from common.store.feedback import ContradictionError
from common.store.migrations.versions import v0007_timeline
from common.store.tables import feedback, predictions
from common.store.timeline import timeline
from common.store.timeline.tables import KEPT, bucket_of, timeline_answers, timeline_truths
from common.store.timeline.timeline import DAY, BucketCounts, TimeSpan
from tests.common.store.rows import CLASSES, MODEL, SETOSA, VERSICOLOR, prediction, shadow, suggestion
from tests.common.store.trust.queued import quarantine
from tests.postgres import TIME_ZONE

NOW = datetime.now(UTC)
# Within ten seconds, in two of them, in two minutes, in two hours, and too old for each of the lengths.
AGES = (0.5, 11, 45, 200, 3_000, 3 * 3_600, 50 * 3_600, 91 * 86_400)
ALL = TimeSpan("iris", MODEL, NOW - timedelta(days=200), NOW + timedelta(days=1))
Counts = Counter[tuple[Any, ...]]


def played(store: Store, rows: int = 120) -> None:
    """Write answers of two roles and three versions, and ground truths before and after them; some are replaced."""
    chance = np.random.default_rng(3)
    for number in range(rows):
        name, at = f"{number:04}", NOW - timedelta(seconds=float(chance.choice(AGES)) * chance.uniform(1, 1.2))
        answers = [prediction(name, str(chance.choice(CLASSES)), version=int(chance.integers(1, 3)), at=at)]
        if chance.random() < 0.5:
            answers.append(shadow(name, str(chance.choice(CLASSES)), version=3) | {"predicted_at": at})
        answers[0]["is_outlier"] = (True, False, None)[chance.integers(3)]
        store.predictions.write(answers[:1])
        for _ in range(chance.integers(3)):
            try:
                store.feedback.give(name, str(chance.choice(CLASSES)), replace=chance.random() < 0.7)
            except ContradictionError:
                continue
        store.predictions.write(answers)  # the champion's a second time, which changes nothing


def kept(store: Store) -> tuple[Counts, Counts, Counts]:
    """Return the roll-ups, by their keys."""
    found: list[Counts] = []
    for table, counted in (
        (timeline_answers, "predictions"),
        (timeline_answers, "outliers"),
        (timeline_truths, "labels"),
    ):
        rows = store._database.read(sa.select(*table.primary_key, table.c[counted]))
        found.append(Counter({tuple(row.values())[:-1]: row[counted] for row in rows if row[counted]}))
    return found[0], found[1], found[2]


def recounted(store: Store) -> tuple[Counts, Counts, Counts]:
    """Count the log once more."""
    answers, outliers, labels = Counts(), Counts(), Counts()
    query = sa.select(predictions, feedback.c.class_name.label("truth"))
    for row in store._database.read(query.outerjoin(feedback, feedback.c.prediction_id == predictions.c.id)):
        for seconds, age in KEPT.items():
            if NOW - row["predicted_at"] < age:
                began_at = bucket_of(row["predicted_at"], seconds)
                key = row["problem"], MODEL, seconds, began_at, row["model_version"], row["role"]
                answers[key] += 1
                outliers[key] += row["is_outlier"] is True
                if row["truth"]:
                    labels[*key, row["class_name"] == row["truth"]] += 1
    return answers, +outliers, labels


def test_the_roll_ups_by_moment_are_a_recount(store: Store) -> None:
    played(store)
    assert {key[2] for key in kept(store)[0]} == set(KEPT)
    assert kept(store) == recounted(store)


def test_a_strip_has_the_champions_counts_of_its_time_and_versions(store: Store) -> None:
    at = bucket_of(NOW, 60) - timedelta(minutes=5)
    second = timedelta(seconds=1)
    store.predictions.write([prediction(str(number), at=at + number * second) for number in range(9)])
    store.predictions.write([prediction("later", version=2, at=at + 40 * second), prediction("x", problem="other")])
    store.predictions.write([shadow("0") | {"predicted_at": at}])
    for number in range(4):
        store.feedback.give(str(number), SETOSA if number else VERSICOLOR)
    minute = TimeSpan("iris", MODEL, at, at + timedelta(minutes=1))
    assert store.timeline.counts(minute, 60) == [BucketCounts(at, 10, 0, 4, 3)]
    ends = [BucketCounts(at, 9, 0, 4, 3), BucketCounts(at + 40 * second, 1)]
    assert store.timeline.counts(minute, 10) == ends
    second_version = TimeSpan("iris", MODEL, at, at + timedelta(minutes=1), (2,))
    assert store.timeline.counts(second_version, 10) == ends[1:]
    today = TimeSpan("iris", MODEL, bucket_of(at, DAY), bucket_of(at, DAY) + timedelta(days=1))
    assert store.timeline.counts(today, DAY) == [BucketCounts(at.date(), 10, 0, 4, 3)]
    assert store.timeline.first("iris", MODEL) == at
    assert store.timeline.first("nothing", MODEL) is None


def test_the_first_bucket_is_known_as_exactly_as_the_store_still_keeps_it(store: Store) -> None:
    for hours in (3, 0.5):
        store.predictions.write([prediction(str(hours), at=NOW - timedelta(hours=hours))])
    assert store.timeline.first("iris", MODEL) == bucket_of(NOW - timedelta(hours=3), 60)
    store.predictions.write([prediction("old", at=NOW - timedelta(days=3))])
    assert store.timeline.first("iris", MODEL) == bucket_of(NOW - timedelta(days=3), 3_600)


def test_old_buckets_are_deleted_in_small_steps_and_younger_ones_stay(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "STEP", 3)
    store.predictions.write([prediction(str(age), at=NOW - timedelta(minutes=age)) for age in range(20)])
    store.feedback.give("3", SETOSA)
    later = NOW + KEPT[10] - timedelta(minutes=9.5)  # the buckets of ten minutes are too old by then
    assert store.timeline.delete_old(later, steps=2) == 2
    assert len(store.timeline.counts(ALL, 10)) == 14
    assert store.timeline.delete_old(later) == 2
    assert len(store.timeline.counts(ALL, 10)) == 10
    assert store.timeline.delete_old(later) == 0
    assert len(store.timeline.counts(ALL, 60)) == 20
    store.timeline.delete_old(NOW + timedelta(days=91))
    assert kept(store) == (Counts(), Counts(), Counts())
    assert [each.predictions for each in store.timeline.counts(ALL, DAY)] == [20] or NOW.hour == 0


def test_a_ground_truth_that_comes_after_its_bucket_is_gone_makes_no_new_one(store: Store) -> None:
    old = NOW - timedelta(days=91)
    store.predictions.write([prediction("a", at=old)])
    store.feedback.give("a", SETOSA)
    assert kept(store) == (Counts(), Counts(), Counts())
    assert store.timeline.counts(ALL, DAY) == [BucketCounts(old.date(), 1, 0, 1, 1)]


def test_a_strip_reads_a_range_of_an_index_whatever_the_log_holds(sqlite_store: Store) -> None:
    plans: list[str] = []

    def explain(_: object, cursor: Any, statement: str, values: Any, *__: object) -> None:
        if statement.startswith("SELECT"):
            plans.extend(row[3] for row in cursor.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall())

    sa.event.listen(sqlite_store._database._engine, "before_cursor_execute", explain)
    for seconds in (*KEPT, DAY):
        sqlite_store.timeline.counts(ALL, seconds)
    sqlite_store.timeline.first("iris", MODEL)
    happenings = sqlite_store.timeline.happenings
    for read in (happenings.verdicts, happenings.corrections, happenings.quarantined):
        read("iris", ALL.since, ALL.until, 5)
    read_from = [plan for plan in plans if "TEMP B-TREE" not in plan]
    assert len(read_from) == 2 * (len(KEPT) + 1) + len(KEPT) + 3
    by_moment = "(problem=? AND model_name=? AND seconds=? AND began_at>? AND began_at<?)"
    assert sum(plan.endswith(by_moment) for plan in read_from) == 2 * len(KEPT)
    assert [plan for plan in read_from if "SCAN" in plan or " predictions " in plan] == []


@pytest.mark.parametrize("table", [timeline_answers, timeline_truths], ids=lambda table: table.name)
def test_a_bucket_has_one_row_however_many_predictions_it_counts(store: Store, table: sa.Table) -> None:
    at = NOW - timedelta(minutes=1)
    for start in range(0, 3_000, 1_000):
        names = [str(number) for number in range(start, start + 1_000)]
        store.known_rows.write([prediction(name, at=at) for name in names], [SETOSA] * 1_000)
    assert len(store._database.read(sa.select(table))) == len(KEPT)
    assert store.timeline.counts(ALL, 10) == [BucketCounts(bucket_of(at, 10), 3_000, 0, 3_000, 3_000)]


def test_the_migration_counts_the_log_as_the_store_does_and_one_step_back_removes_it(url: str) -> None:
    with closing(Store(url)) as store:
        played(store)
        before = kept(store)
    engine = sa.create_engine(url)
    with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SET timezone TO '{TIME_ZONE}'")
        v0007_timeline.downgrade()
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0006'")
    assert {timeline_answers.name, timeline_truths.name}.isdisjoint(sa.inspect(engine).get_table_names())
    engine.dispose()
    with closing(Store(url)) as store:
        assert kept(store) == before


def test_what_happened_is_read_newest_first_and_bounded(store: Store) -> None:
    read, since, until = store.timeline.happenings, NOW - timedelta(days=1), NOW + timedelta(days=1)
    assert list(read.verdicts("iris", since, until, 5)) == []
    for name in "abc":
        store.suggestions.add(suggestion(name))
    quarantine(store, "d")
    assert len(read.corrections("iris", since, until, 2)) == 2
    assert read.corrections("iris", since, until, 9) == sorted(read.corrections("iris", since, until, 9), reverse=True)
    assert len(read.corrections("iris", since, until, 9)) == 4
    assert len(read.quarantined("iris", since, until, 9)) == 1
    assert list(read.corrections("other", since, until, 9)) == []
