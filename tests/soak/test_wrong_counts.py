"""The recount after a soak finds a roll-up that is wrong, and no other."""

from contextlib import closing

import pytest
import sqlalchemy as sa

from common.store import Store
from common.store.tables import confusion_counts, paired_counts, prediction_counts
from tests.common.store.rows import SETOSA, VERSICOLOR, prediction, shadow
from tests.soak.checks import wrong_counts


def test_the_recount_agrees_with_the_roll_ups_also_of_several_pairs_of_versions(store: Store) -> None:
    for number in range(1, 4):  # three champions, and the version before beside each
        name = f"p{number}"
        store.predictions.write([prediction(name, version=number), shadow(name, VERSICOLOR, version=number + 1)])
        store.feedback.give(name, SETOSA)
    assert wrong_counts(store) == []


@pytest.mark.parametrize(
    ("table", "column", "name"),
    [
        (prediction_counts, "predictions", "predictions"),
        (confusion_counts, "labels", "labels"),
        (paired_counts, "labels", "pairs"),
    ],
)
def test_a_wrong_roll_up_is_named(sqlite_url: str, table: sa.Table, column: str, name: str) -> None:
    with closing(Store(sqlite_url)) as store:
        store.predictions.write([prediction("p"), shadow("p", VERSICOLOR)])
        store.feedback.give("p", SETOSA)
        with store._database.writing() as connection:
            connection.execute(table.update().values({column: table.c[column] + 1}))
        assert wrong_counts(store) == [name]
