"""Stores of every age are brought up to date, by many processes at once, and newer ones refused."""

import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from common import store as package
from common.settings import PROJECT
from common.store import Store, StoreError
from common.store.statistics import Paired, Span
from common.store.tables import SCHEMA, label_delays, metadata
from tests.common.refusals import refused
from tests.common.store.rows import MODEL, NOON, SETOSA, VERSICOLOR, prediction, shadow, suggestion
from tests.common.store.writer import assert_succeed, writers
from tests.postgres import TIME_ZONE

# As the first version of the lab made it, which knew no migrations.
FIRST_SCHEMA = """
CREATE TABLE suggestions (
    id VARCHAR(36) NOT NULL,
    problem VARCHAR(64) NOT NULL,
    features JSON NOT NULL,
    class_name VARCHAR(256) NOT NULL,
    prediction_id VARCHAR(36),
    received_at {moment} NOT NULL,
    flow_run_id VARCHAR(36),
    attempts INTEGER NOT NULL,
    next_attempt_at {moment} NOT NULL,
    last_error TEXT,
    row_number INTEGER,
    written BOOLEAN NOT NULL,
    trained_version INTEGER,
    refused_because TEXT,
    PRIMARY KEY (id)
)
"""
FIRST_INDEX = "CREATE INDEX ix_suggestions_problem_row ON suggestions (problem, row_number)"
FIRST_ROW = """
INSERT INTO suggestions VALUES (
    'old', 'iris', '{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}',
    'Iris-setosa', NULL, '2026-01-31 23:30:00.000000', 'run', 2, '2026-01-31 23:30:30.000000', 'Prefect was down', 4,
    TRUE, NULL, NULL
)
"""


def run(url: str, *statements: str) -> None:
    """Do something to a database as another program would, in UTC."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET timezone TO 'UTC'")
        for statement in statements:
            # Text would take the colons of JSON for parameters.
            connection.exec_driver_sql(statement)
    engine.dispose()


@pytest.fixture
def first_store(url: str) -> str:
    """The URL of a store that the first version of the lab has left."""
    if url.startswith("sqlite"):
        Path(sa.make_url(url).database or "").parent.mkdir()
    moment = "DATETIME" if url.startswith("sqlite") else "TIMESTAMP WITH TIME ZONE"
    run(url, FIRST_SCHEMA.format(moment=moment), FIRST_INDEX, FIRST_ROW)
    return url


def differences(store: Store) -> list[object]:
    with store._database._engine.connect().execution_options(reads=True) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))


def schemas(store: Store) -> list[str]:
    with store._database._engine.connect().execution_options(reads=True) as connection:
        return list(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars())


def test_the_newest_migration_is_the_schema_that_is_asked_for() -> None:
    scripts = ScriptDirectory(str(Path(package.__file__).parent / "migrations"))
    assert scripts.get_heads() == [SCHEMA]
    assert scripts.get_bases() == ["0001"]


def test_migrations_make_the_tables_that_the_code_uses(store: Store) -> None:
    assert differences(store) == []
    assert schemas(store) == [SCHEMA]


def shape(url: str) -> list[str]:
    """Return SQLite's description of the tables and indexes, in any order of the columns."""
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        known = sa.inspect(connection)
        tables = known.get_table_names()
        rules = (known.get_pk_constraint, known.get_unique_constraints, known.get_check_constraints)
        found = [f"{each} {rule(each)}" for each in tables for rule in rules]
        found += [f"{each} {column}" for each in tables for column in known.get_columns(each)]
        described = "SELECT sql FROM sqlite_master WHERE type IN ('index', 'view') AND sql > ''"
        found += connection.exec_driver_sql(described).scalars()
    engine.dispose()
    return sorted(found)


def test_a_new_file_has_the_shape_that_the_migrations_give_it(tmp_path: Path) -> None:
    made, migrated = (f"sqlite:///{tmp_path}/{name}.db" for name in ("made", "migrated"))
    run(migrated, "CREATE TABLE others (id INTEGER)")
    for url in (made, migrated):
        Store(url).close()
    run(migrated, "DROP TABLE others")
    assert shape(made) == shape(migrated)


@pytest.fixture
def without_migrations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody deleted the folder of the migrations."""
    monkeypatch.setattr("common.store.upgrade", None)


@pytest.mark.usefixtures("without_migrations")
def test_an_old_store_without_the_migrations_is_refused_in_one_line_that_names_them(first_store: str) -> None:
    missing = rf"it has no schema, and common/store/migrations, the folder that makes schema {SCHEMA} of it, is missing"
    with refused(StoreError, missing):
        Store(first_store)


@pytest.mark.usefixtures("without_migrations")
def test_a_file_gets_tables_that_the_code_did_not_have_when_it_was_made(sqlite_url: str) -> None:
    Store(sqlite_url).close()
    run(sqlite_url, "DROP TABLE windows", "DROP TABLE alerts", "DROP TABLE exports")
    with closing(Store(sqlite_url)) as store:
        assert (differences(store), schemas(store)) == ([], [SCHEMA])


def test_a_new_file_is_made_without_alembic(tmp_path: Path) -> None:
    program = f"""
import sys
from common.store import Store
Store("sqlite:///{tmp_path}/lab.db").close()
sys.exit("alembic" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], cwd=PROJECT, check=True)


def test_a_store_of_the_first_version_keeps_its_rows(first_store: str) -> None:
    with closing(Store(first_store)) as store:
        kept = replace(suggestion("old"), flow_run_id="run", attempts=2, last_error="Prefect was down", row_number=4)
        assert store.suggestions.get("old") == replace(kept, written=True)
        assert [s.id for s in store.suggestions.waiting("iris")] == ["old"]
        query = sa.select(metadata.tables["suggestions"].c.received_at)
        assert [row["received_at"] for row in store._database.read(query)] == [
            datetime(2026, 1, 31, 23, 30, tzinfo=UTC)
        ]
        assert (differences(store), schemas(store)) == ([], [SCHEMA])
        store.known_rows.write([prediction("p")], [SETOSA])
        store.correct(suggestion("new", prediction_id="p"))


def test_a_migration_that_fails_leaves_the_store_as_it_was(first_store: str) -> None:
    run(first_store, "CREATE TABLE champions (id INTEGER)")
    with refused(StoreError, r"cannot be opened: .*champions"):
        Store(first_store)
    engine = sa.create_engine(first_store)
    assert set(sa.inspect(engine).get_table_names()) == {"suggestions", "champions"}
    engine.dispose()
    run(first_store, "DROP TABLE champions")
    with closing(Store(first_store)) as store:
        assert differences(store) == []
        assert store.suggestions.get("old") is not None


def test_a_store_of_a_newer_version_is_refused_in_one_line_that_names_its_schema(url: str) -> None:
    Store(url).close()
    run(url, "UPDATE alembic_version SET version_num = '9999'")
    with refused(StoreError, "this version of the lab does not know its schema 9999"):
        Store(url)
    run(url, f"UPDATE alembic_version SET version_num = '{SCHEMA}'")  # noqa: S608
    Store(url).close()


def test_eight_processes_open_an_empty_database_at_once(url: str) -> None:
    with writers(url, "abcdefgh", batches=0, rows=0) as started:
        assert_succeed(started)
    with closing(Store(url)) as store:
        assert (differences(store), schemas(store)) == ([], [SCHEMA])


def test_ground_truths_from_before_the_roll_up_of_delays_are_counted(url: str) -> None:
    span = Span("iris", MODEL, NOON.date(), NOON.date() + timedelta(days=1))
    late = NOON.replace(hour=23, minute=59)  # the next day, in the time zone of the tests' PostgreSQL
    with closing(Store(url)) as store:
        store.predictions.write([prediction("a"), prediction("b", at=late), prediction("a", role="shadow", version=2)])
        store.predictions.write([prediction("c", at=datetime.now(UTC) + timedelta(days=1))])
        for name in "abc":
            store.feedback.give(name, SETOSA)
        before = store.history.delays(span)
    assert [(each.day, each.labels) for each in before] == [(NOON.date(), 2)]
    engine = sa.create_engine(url)
    script = ScriptDirectory(str(Path(package.__file__).parent / "migrations")).get_revision("0003")
    with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SET timezone TO '{TIME_ZONE}'")
        connection.execute(label_delays.delete())
        script.module._count_delays()
    engine.dispose()
    with closing(Store(url)) as store:
        [after] = store.history.delays(span)
    assert (after.day, after.labels) == (NOON.date(), 2)
    assert after.mean_seconds == pytest.approx(before[0].mean_seconds, abs=1e-3)


def step_back(url: str, revision: str) -> None:
    """Undo a migration, as alembic's own command does."""
    script = ScriptDirectory(str(Path(package.__file__).parent / "migrations")).get_revision(revision)
    engine = sa.create_engine(url)
    with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
        script.module.downgrade()
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{script.down_revision}'")  # noqa: S608
    engine.dispose()


def step_back_to(url: str, revision: str) -> None:
    """Undo the migrations after this one, the newest first."""
    for number in range(int(SCHEMA), int(revision), -1):
        step_back(url, f"{number:04}")


def seen(store: Store) -> list[dict[str, object]]:
    """Return the rows of the view, in order."""
    rows = store._database.read(sa.text("SELECT * FROM predictions_and_revisions ORDER BY prediction_id, role"))
    return [dict(row) for row in rows]


@pytest.fixture
def judged(url: str) -> str:
    """The URL of a store with trusted and other truths on two days, and a suggestion in quarantine."""
    with closing(Store(url)) as store:
        for name, at in (("a", NOON), ("b", NOON + timedelta(days=1)), ("c", NOON)):
            answers = prediction(name, at=at), shadow(name, VERSICOLOR)
            store.predictions.write([each | {"predicted_at": at} for each in answers])
            store.feedback.give(name, VERSICOLOR if name == "c" else SETOSA, source="key", trusted=True)
        for name in ("s", "t"):
            store.suggestions.add(suggestion(name))
        store.suggestions.quarantine(["s"], "version 2 was rolled back")
    return url


def test_the_view_can_be_undone_and_done_again(judged: str) -> None:
    with closing(Store(judged)) as store:
        before = seen(store)
    step_back_to(judged, "0005")
    engine = sa.create_engine(judged)
    assert sa.inspect(engine).get_view_names() == []
    engine.dispose()
    with closing(Store(judged)) as store:
        assert (differences(store), schemas(store)) == ([], [SCHEMA])
        assert seen(store) == before


def test_vetting_and_tracing_can_be_undone_and_done_again(judged: str) -> None:
    step_back_to(judged, "0004")
    engine = sa.create_engine(judged)
    known = sa.inspect(engine)
    assert {"vettings", "withdrawals", "correction_events"}.isdisjoint(known.get_table_names())
    assert "withdrawn_because" not in [column["name"] for column in known.get_columns("suggestions")]
    engine.dispose()
    with closing(Store(judged)) as store:
        assert (differences(store), schemas(store)) == ([], [SCHEMA])


def test_a_withdrawn_suggestion_is_refused_one_step_back(judged: str) -> None:
    with closing(Store(judged)) as store, store._database.writing() as connection:
        connection.execute(sa.text("UPDATE suggestions SET withdrawn_because = 'a mistake' WHERE id = 't'"))
    step_back_to(judged, "0004")
    with closing(Store(judged)) as store:
        found = [store.suggestions.get(name) for name in "st"]
    assert [each and (each.state, each.refused_because) for each in found] == [
        ("quarantined", None),
        ("refused", "a mistake"),
    ]


def test_the_judgements_can_be_undone_and_done_again(judged: str) -> None:
    step_back_to(judged, "0003")
    engine = sa.create_engine(judged)
    known = sa.inspect(engine)
    assert {"judgements", "paired_truths"}.isdisjoint(known.get_table_names())
    left = [column["name"] for column in known.get_columns("feedback")]
    assert left == ["prediction_id", "class_name", "received_at", "replaced_at"]
    engine.dispose()
    with closing(Store(judged)) as store:
        assert (differences(store), schemas(store)) == ([], [SCHEMA])


def test_old_ground_truths_are_counted_in_pairs_that_nobody_trusts(judged: str) -> None:
    step_back_to(judged, "0003")
    with closing(Store(judged)) as store:
        pair = "iris", MODEL, 1, 2
        expected = Paired(only_champion_right=2, only_challenger_right=1)
        assert store.trials.paired_truths(*pair, trusted_only=False) == expected
        assert store.trials.paired_truths(*pair, trusted_only=True) == Paired()
        found = store.evidence.live_truths("iris", MODEL, NOON - timedelta(days=1), trusted_only=False)
        assert sorted(each.prediction_id for each in found) == ["a", "b", "c"]


def test_a_suggestion_in_quarantine_is_refused_one_step_back(judged: str) -> None:
    step_back_to(judged, "0003")
    with closing(Store(judged)) as store:
        found = [store.suggestions.get(name) for name in "st"]
    assert [each and (each.state, each.refused_because) for each in found] == [
        ("refused", "version 2 was rolled back"),
        ("received", None),
    ]
