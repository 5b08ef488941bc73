"""The check after a soak finds a roll-up or a correction that is wrong, and no other."""

from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from common.settings import Settings
from common.store import Store
from common.store.suggestions import Suggestion
from common.store.tables import confusion_counts, paired_counts, prediction_counts
from tests.common.store.rows import SETOSA, VERSICOLOR, prediction, shadow
from tests.soak.checks import check, wrong_counts
from tests.soak.load import NAMES, Acknowledgements


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


SENT = {"a": ([5.1, 3.5, 1.4, 0.2], SETOSA), "b": ([5.7, 2.8, 4.1, 1.3], VERSICOLOR)}
LINES = {"a": "5.1,3.5,1.4,0.2,0\n", "b": "5.7,2.8,4.1,1.3,1\n"}


@pytest.mark.parametrize(
    ("text", "lost", "doubled"),
    [
        (LINES["a"] + LINES["b"], 0, 0),
        (LINES["a"], 1, 0),
        (LINES["a"] + LINES["a"], 1, 1),
        (LINES["b"] + LINES["a"] + LINES["b"], 0, 1),
        (LINES["a"] + "5.7,2.8,4.1,1.3,2\n", 1, 1),
    ],
)
def test_each_row_of_the_file_is_compared_with_its_correction(
    sqlite_url: str, tmp_path: Path, text: str, lost: int, doubled: int
) -> None:
    lab = Settings(lab_home=tmp_path)
    lab.corrections.parent.mkdir(parents=True)
    lab.corrections.write_text(text, encoding="utf-8")
    with closing(Store(sqlite_url)) as store:
        for number, (name, (values, class_name)) in enumerate(SENT.items()):
            correction = Suggestion(name, "iris", dict(zip(NAMES, values, strict=True)), class_name, row_number=number)
            store.suggestions.add(correction)
            store.suggestions.reserve_row(correction)
            store.suggestions.row_written(name)
        checked = check(store, lab, [Acknowledgements(corrections=SENT)], [])
        assert (checked["rows_lost"], checked["corrections_doubled"], checked["corrections_lost"]) == (lost, doubled, 0)
        other = SENT | {"b": (SENT["b"][0], SETOSA), "c": SENT["a"]}
        assert check(store, lab, [Acknowledgements(corrections=other)], [])["corrections_lost"] == 2
