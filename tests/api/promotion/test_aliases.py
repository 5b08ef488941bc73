"""A rollback goes back along the history of champions."""

from datetime import UTC, datetime

import pytest

from api.promotion.aliases import previous_champion
from common.store import Store
from common.store.champions import ChampionPeriod
from tests.common.store.rows import MODEL
from tests.common.store.test_champions import PROMOTED_TO_3, Moves, noted


def test_there_is_no_champion_before_the_first() -> None:
    assert previous_champion([]) is None


def test_the_order_of_the_moves_counts_even_if_the_clock_is_set_back() -> None:
    late, early = datetime(2999, 1, 1, tzinfo=UTC), datetime.now(UTC)
    assert previous_champion([ChampionPeriod(1, late, "registered"), ChampionPeriod(2, early, "registered")]) == 1


@pytest.mark.parametrize(
    ("moves", "previous"),
    [
        ([(1, "registered")], None),
        (PROMOTED_TO_3, 2),
        ([*PROMOTED_TO_3, (2, "rolled back")], 1),
        ([*PROMOTED_TO_3, (2, "rolled back"), (1, "rolled back")], None),
        ([*PROMOTED_TO_3, (2, "rolled back"), (3, "promoted")], 2),
        ([*PROMOTED_TO_3, (2, "rolled back"), (4, "registered")], 2),
        ([*PROMOTED_TO_3, (2, "rolled back"), (4, "registered"), (2, "rolled back")], 1),
        ([*PROMOTED_TO_3, (1, "rolled back")], None),
        # A version that was never champion: the rollback ends no period, and the next one goes to the version before.
        ([*PROMOTED_TO_3, (9, "rolled back")], 3),
        ([*PROMOTED_TO_3, (9, "rolled back"), (3, "rolled back")], 2),
        # Moved back by hand in MLflow: a period like any other.
        ([(1, "registered"), (2, "registered"), (1, "registered")], 2),
        ([(1, "registered"), (2, "registered"), (1, "registered"), (2, "rolled back")], 1),
        # Rolled back to the later of two periods of the same version.
        ([(1, "registered"), (2, "promoted"), (1, "promoted"), (3, "promoted"), (1, "rolled back")], 2),
    ],
)
def test_a_rollback_goes_to_the_champion_before(store: Store, moves: Moves, previous: int | None) -> None:
    assert noted(store, moves) == moves
    assert previous_champion(store.champions.history(MODEL)) == previous


def test_repeated_rollbacks_end_at_the_first_champion(store: Store) -> None:
    noted(store, [*PROMOTED_TO_3, (4, "promoted")])
    went: list[int | None] = []
    for _ in range(4):
        version = previous_champion(store.champions.history(MODEL))
        went.append(version)
        if version is not None:
            store.champions.note(MODEL, version, "rolled back")
    assert went == [3, 2, 1, None]


def test_a_history_that_is_cut_off_still_has_the_previous_champion() -> None:
    now = datetime.now(UTC)
    cut = [ChampionPeriod(2, now, "rolled back"), ChampionPeriod(3, now, "promoted")]
    assert previous_champion(cut) == 2
