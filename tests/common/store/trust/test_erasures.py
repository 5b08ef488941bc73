"""A prediction is erased with all that says something of a person, and what is left elsewhere is named."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from common.store import Store, StoreError
from common.store.predictions import PredictionRow
from common.store.suggestions import Suggestion
from common.store.tables import metadata, suggestions
from common.store.trust import erasures as module
from common.store.trust.erasures import Erasure
from common.store.trust.tables import vettings, withdrawals
from tests.common.store.rows import FEATURES, NOON, SETOSA, prediction, shadow, suggestion

SECRET = 5.123456789
PERSON = {**FEATURES, "petal_length": SECRET}
ADDRESS = "198.51.100.77"


def of_person(row: PredictionRow) -> PredictionRow:
    row["features"] = PERSON
    return row


def correction(name: str, prediction_id: str = "p") -> Suggestion:
    return replace(suggestion(name, prediction_id=prediction_id, source=ADDRESS), features=PERSON)


def logged(store: Store, *, extra: int = 0) -> None:
    """Log the prediction of a person, answered by two versions, among others."""
    others = [prediction(f"other-{number:04}") for number in range(extra)]
    store.predictions.write([*others[: extra // 2], of_person(prediction("p")), of_person(shadow("p"))])
    if others:
        store.predictions.write(others[extra // 2 :])


def erased(store: Store, prediction_id: str = "p") -> Erasure:
    found = store.trust.erasures.erase(prediction_id, "review key")
    assert found
    return found


def rows(store: Store, table: sa.Table) -> list[dict[str, Any]]:
    return [dict(row) for row in store._database.read(sa.select(table))]


def everything(store: Store) -> str:
    return "\n".join(str(rows(store, table)) for table in metadata.tables.values())


def test_the_answers_and_the_ground_truth_of_a_prediction_go_and_others_stay(store: Store) -> None:
    logged(store, extra=3)
    for name in ("p", "other-0001"):
        store.feedback.give(name, SETOSA, source=ADDRESS)
    found = erased(store)
    assert (found.data.roles, found.data.ground_truth) == (["champion", "shadow"], True)
    assert store.predictions.get("p") == []
    assert [each.truth for each in store.predictions.get("other-0001")] == [SETOSA]
    assert len(store.predictions.get("other-0002")) == 1
    assert str(SECRET) not in everything(store)
    assert ADDRESS in everything(store)  # of the other ground truth


def test_an_unknown_prediction_is_not_erased(store: Store) -> None:
    assert store.trust.erasures.erase("p", "key") is None
    assert store.trust.erasures.of("p") is None


def test_a_second_call_changes_nothing_and_says_when_it_was_erased(store: Store) -> None:
    logged(store)
    first = erased(store)
    assert replace(erased(store), log_is_empty=first.log_is_empty) == first
    assert store.trust.erasures.of("p") == replace(first, log_is_empty=None)
    assert first.erased_at <= datetime.now(UTC)
    assert len(rows(store, withdrawals)) == 0


def test_the_counts_of_all_days_stay(store: Store) -> None:
    logged(store)
    store.feedback.give("p", SETOSA)
    before = store.statistics.live("iris", "IrisModel")
    erased(store)
    assert store.statistics.live("iris", "IrisModel") == before


def test_a_late_answer_of_an_erased_prediction_is_not_logged(store: Store) -> None:
    store.predictions.write([of_person(prediction("p"))])
    erased(store)
    store.predictions.write([prediction("o"), of_person(shadow("p")), prediction("q")])
    store.predictions.write([of_person(shadow("p"))])
    assert str(SECRET) not in everything(store)
    assert [len(store.predictions.get(name)) for name in "opq"] == [1, 0, 1]


def test_rows_of_an_erased_prediction_do_not_wait_for_an_export(store: Store) -> None:
    logged(store, extra=2)
    erased(store)
    assert store.exports.waiting() == {"iris": 2}
    export = store.exports.claim(10, datetime.now(UTC) + timedelta(days=1))
    assert export
    store.exports.finish(export, "run")
    assert (len(store.exports.rows(export)), store.exports.waiting()) == (2, {})
    assert store.exports.unfinished() == []


def test_the_exports_that_hold_a_row_are_named_with_their_runs(store: Store) -> None:
    logged(store)
    export = store.exports.claim(10, datetime.now(UTC) + timedelta(days=1))
    assert export
    store.exports.finish(export, "run-of-mlflow")
    found = erased(store).data
    assert (found.exports, found.runs) == ([export.id], ["run-of-mlflow"])
    assert store.exports.waiting() == {}


def test_an_export_that_is_under_way_is_named_and_comes_to_its_end(store: Store) -> None:
    logged(store)
    export = store.exports.claim(10, datetime.now(UTC) + timedelta(days=1))
    assert export
    found = erased(store).data
    assert (found.exports, found.runs) == ([export.id], [])
    store.exports.finish(export, "run")
    assert store.exports.waiting() == {}


# Corrections


def state(store: Store, name: str) -> tuple[str, bool, str]:
    found = store.suggestions.get(name)
    assert found
    return found.state, found.features == PERSON, found.class_name


def test_a_correction_in_the_file_is_withdrawn_and_keeps_its_features_until_its_row_has_left(store: Store) -> None:
    logged(store)
    store.correct(correction("a"))
    store.suggestions.reserve_row(replace(correction("a"), row_number=0))
    store.suggestions.row_written("a")
    store.trust.versions.learnt("iris", 2)
    store.suggestions.trained(["a"], 2)
    found = erased(store).data
    assert (found.corrections, found.features_erased, found.versions) == (["a"], 0, [2])
    assert state(store, "a") == ("withdrawn", True, SETOSA)
    [withdrawal] = rows(store, withdrawals)
    kept = {name: withdrawal[name] for name in ("suggestion_id", "problem", "actor", "erase", "closed_at")}
    expected = {"suggestion_id": "a", "problem": "iris", "actor": "review key", "erase": True, "closed_at": None}
    assert kept == expected
    assert [each.state for each in store.trust.events.of("a")] == ["received", "waiting", "trained", "withdrawn"]
    assert store.suggestions.rows_of_refused("iris") == [store.suggestions.get("a")]


def test_a_correction_that_a_flow_run_may_be_about_to_write_keeps_its_features_until_then(store: Store) -> None:
    logged(store)
    store.correct(correction("a"))
    assert erased(store).data.features_erased == 0
    assert state(store, "a") == ("withdrawn", True, SETOSA)


def test_a_correction_that_no_file_has_and_none_will_have_loses_its_features_at_once(store: Store) -> None:
    logged(store)
    store.correct(correction("a"))
    store.suggestions.refused(["a"], "it is known")
    with store._database.writing() as connection:
        said = {"outcome": "quarantined", "rule": "improbable", "number": 1.0, "details": {"nearest": [SECRET]}}
        connection.execute(vettings.insert().values(suggestion_id="a", problem="iris", vetted_at=NOON, **said))
    assert erased(store).data.features_erased == 1
    found = store.suggestions.get("a")
    assert found
    assert (found.state, found.features, found.class_name, found.source) == ("withdrawn", {}, "", None)
    kept = everything(store)
    assert str(SECRET) not in kept
    assert ADDRESS not in kept


def test_a_correction_that_was_withdrawn_before_is_to_be_erased_now(store: Store) -> None:
    logged(store)
    store.correct(correction("a"))
    request = {"request_id": "r", "requested_at": NOON, "actor": "key", "closed_at": NOON, "erase": False}
    with store._database.writing() as connection:
        connection.execute(withdrawals.insert().values(suggestion_id="a", problem="iris", **request))
        changed = {"withdrawn_because": "a mistake"}
        store.suggestions.change(connection, suggestions.c.id == "a", **changed)
    assert erased(store).data.features_erased == 1
    [withdrawal] = rows(store, withdrawals)
    assert (withdrawal["erase"], withdrawal["closed_at"], withdrawal["request_id"]) == (True, None, "r")
    found = store.suggestions.get("a")
    assert found
    assert (found.withdrawn_because, found.features) == ("a mistake", {})


def test_many_corrections_of_one_prediction_are_all_withdrawn_and_some_are_listed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 3)
    monkeypatch.setattr(module, "MOST_LISTED", 4)
    logged(store)
    for number in range(8):
        store.correct(correction(f"{number}"))
    store.suggestions.refused([f"{number}" for number in range(4)], "no")
    found = erased(store).data
    assert (found.corrections, found.correction_count, found.features_erased) == (["0", "1", "2", "3"], 8, 4)
    assert {row["suggestion_id"] for row in rows(store, withdrawals)} == {f"{number}" for number in range(8)}
    assert {state(store, f"{number}")[0] for number in range(8)} == {"withdrawn"}


def test_an_erasure_that_fails_erases_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    logged(store)
    store.correct(correction("a"))
    before = everything(store)

    def fail(*_: object) -> None:
        raise StoreError("killed")

    with monkeypatch.context() as killed:
        killed.setattr(module, "erase_features", fail)
        with pytest.raises(StoreError):
            store.trust.erasures.erase("p", "key")
    assert everything(store) == before
    assert erased(store).data.correction_count == 1


# The bytes of SQLite's files


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data" / "lab.db"


@pytest.fixture
def on_disk(sqlite_url: str) -> Iterator[Store]:
    with closing(Store(sqlite_url)) as store:
        yield store


def files_with(file: Path, value: str) -> list[str]:
    """Return the names of the database's files that hold a text."""
    return sorted(each.name for each in file.parent.glob(f"{file.name}*") if value.encode() in each.read_bytes())


def test_no_byte_of_the_features_stays_in_the_files_of_sqlite(on_disk: Store, file: Path) -> None:
    logged(on_disk, extra=600)
    on_disk.correct(correction("a"))
    on_disk.suggestions.refused(["a"], "it is known")
    # Rows are written anew when an export takes them, so that their old bytes were elsewhere in the file.
    export = on_disk.exports.claim(1_000, datetime.now(UTC) + timedelta(days=1))
    assert export
    assert files_with(file, str(SECRET))
    assert erased(on_disk).log_is_empty
    assert files_with(file, str(SECRET)) == []
    assert files_with(file, ADDRESS) == []


def test_while_somebody_reads_the_old_bytes_stay_in_the_log_and_a_second_call_removes_them(
    sqlite_url: str, file: Path
) -> None:
    with closing(Store(sqlite_url, patience=0.1)) as store, closing(sqlite3.connect(file)) as reader:
        logged(store)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM predictions").fetchall()
        assert erased(store).log_is_empty is False
        assert files_with(file, str(SECRET))
        reader.rollback()
        assert erased(store).log_is_empty
        assert files_with(file, str(SECRET)) == []
