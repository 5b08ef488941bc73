"""The history of champions has each move once, in the order of the moves."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from common.store import Store
from common.store.champions import How
from common.store.tables import champions
from tests.common.store.rows import MODEL

Moves = list[tuple[int, How]]
PROMOTED_TO_3: Moves = [(1, "registered"), (2, "registered"), (3, "promoted")]


def noted(store: Store, moves: Moves) -> Moves:
    """Return the history after these moves."""
    for version, how in moves:
        store.champions.note(MODEL, version, how)
    return [(period.model_version, period.how) for period in store.champions.history(MODEL)]


def test_there_is_no_history_before_the_first_champion(store: Store) -> None:
    assert store.champions.history(MODEL) == []


def test_the_history_has_versions_times_and_moves_oldest_first(store: Store) -> None:
    before = datetime.now(UTC)
    assert noted(store, PROMOTED_TO_3) == PROMOTED_TO_3
    since = [period.since for period in store.champions.history(MODEL)]
    moments = [before, *since, datetime.now(UTC)]
    assert moments == sorted(moments)
    assert {moment.tzinfo for moment in since} == {UTC}


def test_a_move_that_is_seen_again_is_no_new_one(store: Store) -> None:
    store.champions.note(MODEL, 1)
    first = store.champions.history(MODEL)
    other = Store(store._database._engine.url.render_as_string(hide_password=False))
    other.champions.note(MODEL, 1)
    other.close()
    store.champions.note(MODEL, 1)
    assert store.champions.history(MODEL) == first


@pytest.mark.parametrize("how", ["promoted", "rolled back"])
def test_how_is_known_if_it_is_noted_before_or_after_others_see_the_move(store: Store, how: How) -> None:
    assert noted(store, [(1, "registered"), (2, how), (2, "registered")]) == [(1, "registered"), (2, how)]
    assert noted(store, [(3, "registered"), (3, how)]) == [(1, "registered"), (2, how), (3, how)]


def test_each_model_has_a_history_of_its_own_that_can_be_cut_to_the_newest(store: Store) -> None:
    store.champions.note("BreastCancerModel", 7)
    noted(store, PROMOTED_TO_3)
    assert [period.model_version for period in store.champions.history("BreastCancerModel")] == [7]
    assert [period.model_version for period in store.champions.history(MODEL, limit=2)] == [2, 3]


def test_the_order_is_the_order_of_the_moves_even_if_the_clock_is_set_back(store: Store) -> None:
    store.champions.note(MODEL, 1)
    with store._database.writing() as connection:
        connection.execute(champions.update().values(since=datetime(2999, 1, 1, tzinfo=UTC)))
    store.champions.note(MODEL, 2)
    store.champions.note(MODEL, 2)
    history = store.champions.history(MODEL)
    assert [period.model_version for period in history] == [1, 2]
    assert history[0].since > history[1].since
    assert len(store._database.read(sa.select(champions))) == 2


def test_changes_count_the_moves_of_each_model_by_how(store: Store) -> None:
    store.champions.note("M", 1)
    store.champions.note("M", 2)
    store.champions.note("M", 1, "rolled back")
    store.champions.note("N", 1)
    assert store.history.champion_changes() == {("M", "registered"): 2, ("M", "rolled back"): 1, ("N", "registered"): 1}
