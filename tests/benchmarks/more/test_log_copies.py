"""A store whose predictions were copied counts all of them, as if each had been written."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from benchmarks.more import log_copies
from benchmarks.more.log_copies import multiply
from common.store import Store
from common.store.tables import predictions
from tests.common.store.recount import assert_counted
from tests.common.store.rows import SETOSA, prediction, shadow


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(f"sqlite:///{tmp_path}/lab.db")) as store:
        yield store


def test_copies_are_counted_with_their_ground_truths(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_copies, "AT_ONCE", 2)
    ids = [f"{number:04}".ljust(36, "0") for number in range(5)]
    store.predictions.write([prediction(each) for each in ids] + [shadow(each) for each in ids[:2]])
    store.feedback.give(ids[0], SETOSA)
    multiply(store, 2)
    multiply(store, 2, turn=1)
    assert assert_counted(store).predictions.total() == 4 * 7
    assert len({row["id"] for row in store._database.read(sa.select(predictions.c.id))}) == 4 * 5
    assert store.predictions.get(f"{ids[0][:32]}1x1x")[0].truth == SETOSA


def test_the_number_of_copies_is_bounded(store: Store) -> None:
    for copies in (0, 11):
        with pytest.raises(ValueError, match="from 1 to 10 are possible"):
            multiply(store, copies)
