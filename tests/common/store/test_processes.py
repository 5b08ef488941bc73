"""If many processes write at once, or one is killed, the store loses, halves and miscounts nothing."""

import time
from collections import Counter

import pytest
import sqlalchemy as sa

from common.store import Store
from common.store.statistics import Paired, Span
from common.store.tables import feedback, predictions, suggestions
from tests.common.store.recount import assert_counted
from tests.common.store.rows import MODEL
from tests.common.store.writer import FEEDBACK, assert_succeed, ids_of, next_line, writers

NAMES = "abcdefgh"
BATCHES, ROWS = 6, 20
LARGE = 1200  # rows: more than one statement
ENDLESS = 10_000


def ids(store: Store, column: sa.Column[str], *conditions: sa.ColumnElement[bool]) -> list[str]:
    return [row[column.name] for row in store._database.read(sa.select(column).where(*conditions))]


def test_eight_processes_write_at_once_and_nothing_is_lost(url: str, store: Store) -> None:
    with writers(url, NAMES, BATCHES, ROWS) as started:
        assert_succeed(started)
    written = set().union(*(ids_of(name, BATCHES, ROWS) for name in NAMES))
    for role in ("champion", "shadow"):
        assert sorted(ids(store, predictions.c.id, predictions.c.role == role)) == sorted(written)
    batches = len(NAMES) * BATCHES
    assert len(ids(store, feedback.c.prediction_id)) == batches * (FEEDBACK + 1)
    assert len(ids(store, suggestions.c.id)) == 2 * batches
    assert len(store.suggestions.handed_over("iris", ENDLESS)) == batches
    assert_counted(store)
    assert [live.predictions for live in store.statistics.live("iris", MODEL)] == [batches * ROWS] * 2
    # Of five truths, the champion has said 0, 1, 2, 0, 1 to 0, 0, 0, 0, 1, and the shadow 0, 1, 0, 1, 0.
    expected = Paired(both_right=1, only_champion_right=2, only_challenger_right=1, both_wrong=1)
    found = store.statistics.paired(Span("iris", MODEL), 1, 2)
    assert found == Paired(*(batches * getattr(expected, name) for name in Paired.__dataclass_fields__))


def test_processes_that_write_the_same_keep_and_count_it_once(url: str, store: Store) -> None:
    with writers(url, ["same"] * 4, 1, ROWS) as started:
        assert_succeed(started)
    assert set(ids(store, predictions.c.id)) == ids_of("same", 1, ROWS)
    assert [live.predictions for live in store.statistics.live("iris", MODEL)] == [ROWS] * 2
    assert_counted(store)


@pytest.mark.parametrize("milliseconds", [0, 15, 60])
def test_a_killed_process_leaves_no_half_written_batch(url: str, store: Store, milliseconds: int) -> None:
    with writers(url, ["killed"], ENDLESS, LARGE) as [process]:
        assert next_line(process) == "0"
        # Any moment will do, as long as it is another one each time.
        time.sleep(milliseconds / 1000)
        process.kill()
        process.wait()
        assert process.stdout
        acknowledged = 1 + len(process.stdout.read().splitlines())
    # Waits until PostgreSQL has finished the work of the dead.
    assert_counted(store)
    for role in ("champion", "shadow"):
        batches = Counter(each.rsplit("-", 1)[0] for each in ids(store, predictions.c.id, predictions.c.role == role))
        assert set(batches.values()) == {LARGE}
        assert acknowledged <= len(batches) <= acknowledged + 1
    assert len(ids(store, suggestions.c.id, suggestions.c.flow_run_id.is_not(None))) >= acknowledged
    # A correction is there together with its ground truth, or not at all.
    known = set(ids(store, feedback.c.prediction_id))
    assert set(ids(store, suggestions.c.prediction_id, suggestions.c.prediction_id.is_not(None))) <= known
    with writers(url, ["next"], 1, ROWS) as started:
        assert_succeed(started)
    assert_counted(store)
