"""Each service's role may do in PostgreSQL what its service does, and nothing else."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from psycopg.errors import InsufficientPrivilege
from sqlalchemy.exc import OperationalError, ProgrammingError

from common.settings import PROJECT
from common.store import Store, audit
from common.store.delivery import NEVER
from common.store.grants import RIGHTS, ROLES, VERBS, Rights, give_rights
from common.store.process_lock import process_lock
from common.store.retention.retention import BEGIN
from common.store.statistics import Span
from common.store.timeline.tables import KEPT
from common.store.timeline.timeline import TimeSpan
from common.store.trust.replays import ReplaySpan
from common.store.trust.reviews import CorrectionReview
from common.store.trust.vettings import Vetting
from common.store.trust.withdrawals import Chosen
from tests.common.store.monitoring.test_windows import window
from tests.common.store.rows import MODEL, NOON, SETOSA, VERSICOLOR, prediction, shadow, suggestion
from tests.common.store.test_judgements import FIRST
from tests.postgres import client_programs, postgres_server
from tests.programs import Ended, run_python

Url = Callable[..., str]
DAY = timedelta(days=1)
ALL = frozenset("rawd")
SECRETS = ("owner", "api", "worker", "monitor", "mlflow", "prefect")
# A statement for each verb that changes nothing; PostgreSQL asks for the right before it looks at a row.
TRIED = {
    "r": 'SELECT count(*) FROM "{table}" WHERE false',
    "a": 'INSERT INTO "{table}" SELECT * FROM "{table}" WHERE false',
    "w": 'UPDATE "{table}" SET "{column}" = NULL WHERE false',
    "d": 'DELETE FROM "{table}" WHERE false',
}


def run_roles(url: sa.URL, folder: Path) -> None:
    """Run the script that PostgreSQL's image runs, with the same variables; its secrets are in `folder`."""
    for name in SECRETS:
        (folder / f"postgres_{name}").write_text(f"password of {name}", encoding="utf-8")
    script = (PROJECT / "containers" / "postgres" / "roles.sh").read_text(encoding="utf-8")
    path = os.pathsep.join((str(client_programs()), os.environ["PATH"]))
    environment = {"PATH": path, "PGHOST": str(url.query["host"]), "POSTGRES_USER": str(url.username)}
    ended = subprocess.run(
        ["bash", "-c", script.replace("/run/secrets", str(folder))],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def migrate(url: str) -> Ended:
    """Run the program of the service `migrate`."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT), "DATABASE_URL": url}
    return run_python("containers/migrate.py", environment=environment)


@pytest.fixture(scope="module")
def url_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Url]:
    """URLs by role and database, of a server with the lab's roles and tables."""
    secrets = tmp_path_factory.mktemp("secrets")
    with postgres_server() as server, server.database() as any_url:
        superuser = sa.make_url(any_url)

        def url(role: str, database: str = "lab") -> str:
            log_in = superuser if role == "superuser" else superuser.set(username=role)
            return log_in.set(database=database).render_as_string(hide_password=False)

        with engine_of(url("superuser", "postgres")) as connection:
            connection.exec_driver_sql("CREATE DATABASE lab")
        run_roles(superuser, secrets)
        ended = migrate(url("lab_owner"))
        assert (ended.stdout, ended.stderr) == ("the store's tables are up to date\n", "")
        yield url


@contextmanager
def engine_of(url: str) -> Iterator[sa.Connection]:
    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection


def rights_of(url_of: Url) -> dict[str, Rights]:
    """Return the rights that PostgreSQL says each role has, by table and view."""
    asked = sa.text("SELECT has_table_privilege(:role, quote_ident(:table), :verb)")
    with engine_of(url_of("superuser")) as connection:
        inspector = sa.inspect(connection)

        def letters(table: str, role: str) -> str:
            may = {
                letter: connection.execute(asked, {"role": role, "table": table, "verb": verb}).scalar()
                for letter, verb in VERBS.items()
            }
            return "".join(letter for letter, found in may.items() if found)

        tables = [*inspector.get_table_names(), *inspector.get_view_names()]
        return {table: Rights(*(letters(table, role) for role in ROLES)) for table in tables}


def sorted_rights() -> dict[str, Rights]:
    return {
        table: Rights(*("".join(each for each in VERBS if each in letters) for letters in rights))
        for table, rights in RIGHTS.items()
    }


def test_every_table_and_view_of_the_store_has_its_rights_and_no_others(url_of: Url) -> None:
    assert rights_of(url_of) == sorted_rights()


def outcome(connection: sa.Connection, statement: str) -> str:
    """Run a statement; return "done" or "refused"."""
    try:
        connection.exec_driver_sql(statement)
    except ProgrammingError as error:
        if isinstance(error.orig, InsufficientPrivilege):
            return "refused"
        raise
    return "done"


@pytest.mark.parametrize("role", ROLES)
def test_every_statement_that_a_role_does_not_need_is_refused(url_of: Url, role: str) -> None:
    wrong: list[str] = []
    with engine_of(url_of(role)) as connection:
        columns = {
            table: sa.inspect(connection).get_columns(table)[0]["name"]
            for table in RIGHTS
            if table != "predictions_and_revisions"
        }
        for table, column in columns.items():
            letters = getattr(RIGHTS[table], role)
            for letter, statement in TRIED.items():
                # These statements also read the table.
                needed = {letter} | ({"r"} if letter == "a" else set())
                expected = "done" if needed <= {*letters} else "refused"
                found = outcome(connection, statement.format(table=table, column=column))
                wrong += [] if found == expected else [f"{letter} {table}: {found}"]
            for more in (f'TRUNCATE "{table}"', f'DROP TABLE "{table}"', f'ALTER TABLE "{table}" ADD extra INT'):
                wrong += [] if outcome(connection, more) == "refused" else [more]
        others = ("CREATE TABLE extra (id INT)", "CREATE TEMPORARY TABLE extra (id INT)", "SET ROLE lab_owner")
        assert [each for each in others if outcome(connection, each) == "done"] == []
    assert wrong == []


def test_only_the_migration_writes_the_number_of_the_schema_and_nobody_rewrites_the_audit_log() -> None:
    assert RIGHTS["alembic_version"] == Rights("r", "r", "r")
    # The monitor deletes the oldest entries.
    assert RIGHTS["audit_log"] == Rights("a", "", "rad")
    assert {*"".join(RIGHTS["audit_log"][:2])} == {"a"}


@pytest.mark.parametrize(
    ("role", "database"),
    [
        *((role, "lab") for role in ("mlflow", "prefect")),
        *((role, database) for role in ROLES for database in ("mlflow", "prefect")),
        ("mlflow", "prefect"),
        ("prefect", "mlflow"),
    ],
)
def test_a_role_cannot_connect_to_a_database_of_others(url_of: Url, role: str, database: str) -> None:
    with (
        pytest.raises(OperationalError, match=f'permission denied for database "{database}"'),
        engine_of(url_of(role, database)),
    ):
        pass


def test_what_an_older_version_gave_is_taken_when_the_tables_are_brought_up_to_date(
    url_of: Url, tmp_path: Path
) -> None:
    everybody = ", ".join(ROLES)
    verbs = "SELECT, INSERT, UPDATE, DELETE"
    default = "ALTER DEFAULT PRIVILEGES FOR ROLE lab_owner IN SCHEMA public GRANT"
    with engine_of(url_of("superuser")) as connection:
        # The last lines of `roles.sh` as they were.
        for statement in (
            f"GRANT {verbs} ON ALL TABLES IN SCHEMA public TO {everybody}",
            f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {everybody}",
            f"{default} {verbs} ON TABLES TO {everybody}",
            f"{default} USAGE, SELECT ON SEQUENCES TO {everybody}",
        ):
            connection.exec_driver_sql(statement)
    assert {*"".join(rights_of(url_of)["audit_log"])} == ALL
    assert migrate(url_of("lab_owner")).returncode == 0
    assert rights_of(url_of) == sorted_rights()
    with engine_of(url_of("lab_owner")) as connection:
        connection.exec_driver_sql("CREATE TABLE extra (id SERIAL)")
        assert rights_of(url_of)["extra"] == Rights()
        connection.exec_driver_sql("DROP TABLE extra")
    # The script can run again, for example after new passwords, and takes nothing that a service needs.
    with engine_of(url_of("superuser")) as connection:
        connection.exec_driver_sql("ALTER TABLE predictions OWNER TO postgres")
    run_roles(sa.make_url(url_of("superuser")), tmp_path)
    assert rights_of(url_of) == sorted_rights()


def test_a_server_without_the_roles_gets_its_tables_all_the_same(postgres_url: str) -> None:
    ended = migrate(postgres_url)
    assert (ended.returncode, ended.stdout) == (0, "the store's tables are up to date\n")
    assert ended.stderr.splitlines() == [
        f"migrate: the server has no role {role}, which gets no rights" for role in ROLES
    ]
    assert give_rights(postgres_url) == list(ROLES)


@pytest.fixture
def stores(url_of: Url) -> Iterator[dict[str, Store]]:
    """The store as each service opens it; it is empty."""
    with closing(Store(url_of("lab_owner"))) as owner, owner._database.writing() as connection:
        for table in RIGHTS:
            if table not in {"alembic_version", "predictions_and_revisions"}:
                connection.exec_driver_sql(f'TRUNCATE "{table}"')
    found = {role: Store(url_of(role)) for role in ROLES}
    yield found
    for store in found.values():
        store.close()


def test_the_api_logs_and_delivers_with_its_role(stores: dict[str, Store]) -> None:
    api = stores["lab_api"]
    # Predictions, also a batch that was written in part, and rows that the log leaves out or that the spool brings in.
    assert api.predictions.write([prediction("a"), shadow("a", VERSICOLOR)]) == 2
    api.predictions.write([prediction(name) for name in "abcd"])
    api.retention.write_some(api.predictions, [prediction("kept")], [prediction("left out")])
    api.retention.write_some(api.predictions, [prediction("kept 2")], [prediction("left out 2")])
    api.known_rows.write([prediction("known")], [SETOSA], source="key", trusted=True)
    # Ground truths: the first one, one that contradicts it, and one with a correction.
    api.feedback.give("a", SETOSA, source="key", trusted=True)
    api.feedback.give("a", VERSICOLOR, replace=True)
    api.correct(suggestion("s", prediction_id="b", source="192.0.2.1"))
    assert [each.truth for each in api.predictions.get("a")] == [VERSICOLOR, VERSICOLOR]
    # Delivery to Prefect.
    [due] = api.suggestions.due("iris", datetime.now(UTC), 9)
    api.suggestions.delivery_failed(due.id, "no answer", NEVER)
    api.suggestions.delivered(due.id, "run")
    api.suggestions.join("iris", "run")
    api.suggestions.run_lost("run", "run 2")
    assert api.suggestions.handed_over("iris", 9)
    assert api.suggestions.unjudged("iris") == []


def test_the_api_decides_about_versions_with_its_role(stores: dict[str, Store], url_of: Url) -> None:
    api = stores["lab_api"]
    api.predictions.write([prediction("a"), shadow("a", VERSICOLOR)])
    api.feedback.give("a", VERSICOLOR)
    api.suggestions.add(suggestion("s"))
    with process_lock(url_of("lab_api"), "deciding") as locked:
        assert locked
    api.champions.note(MODEL, 1)
    api.champions.note(MODEL, 1, "promoted", "it is better")
    assert len(api.champions.history(MODEL)) == 1
    stores["lab_worker"].judgements.add(FIRST)
    api.trials.decided("iris", 2, "kept")
    assert api.trials.judgement("iris", 2)
    assert api.trials.truths_of(["a"], trusted_only=False)
    assert api.trials.paired_truths("iris", MODEL, 1, 2, trusted_only=False).only_challenger_right == 1
    assert api.trials.learnt_by("iris", 2) == []
    api.suggestions.quarantine(["s"], "version 2 was rolled back")
    assert api.statistics.live("iris", MODEL)
    api.statistics.paired(Span("iris", MODEL), 1, 2)
    assert api.judgements.newest("iris", 1)
    assert api.judgements.of(FIRST.id)


def test_the_api_reviews_withdraws_and_erases_with_its_role(stores: dict[str, Store]) -> None:
    api = stores["lab_api"]
    api.predictions.write([prediction("a"), prediction("b")])
    api.feedback.give("a", SETOSA)
    api.correct(suggestion("s", prediction_id="b"))
    api.suggestions.quarantine(["s"], "odd")
    [decided] = api.trust.reviews.decide("iris", ["s"], CorrectionReview("approved", "review key"))
    assert decided.result == "decided"
    assert api.trust.reviews.get("iris", "s")
    assert [each.state for each in api.trust.events.of("s")] == ["received", "quarantined", "approved"]
    assert api.trust.withdrawals.find("iris", Chosen(ids=["s"])).ids == ["s"]
    assert api.trust.withdrawals.request("iris", ["s"], "request", "review key", "a mistake") == 1
    api.trust.withdrawals.has_run("iris", "run", None)
    api.trust.withdrawals.open_again("iris", 2)
    assert api.trust.tainted.versions_of("iris", ["s"]) == {}
    assert api.trust.lineage.correction("s")
    assert api.trust.lineage.truth("a")
    api.trust.lineage.answers("iris", MODEL, [1], 9)
    api.trust.versions.count("iris", [1])
    assert api.trust.lineage.withdrawal("s")
    assert api.trust.erasures.erase("b", "key")
    assert api.predictions.get("b") == []
    api.predictions.write([shadow("b")])
    assert api.predictions.get("b") == []
    assert api.trust.erasures.of("b")
    api.audit.note("anna", "operate", "192.0.2.1", "POST /models/2/promote", "200")
    assert [each.actor for each in stores["lab_monitor"].audit.newest()] == ["anna"]


def test_the_worker_does_its_work_with_its_role(stores: dict[str, Store]) -> None:
    api, worker = stores["lab_api"], stores["lab_worker"]
    api.predictions.write([prediction("a"), prediction("b")])
    api.feedback.give("a", SETOSA)
    api.correct(suggestion("s", prediction_id="b", source="192.0.2.1"))
    # Rows of finetune.csv, one of which somebody has written there by hand.
    worker.suggestions.add(suggestion("by hand"))
    found = worker.suggestions.without_row("iris", 9)
    worker.suggestions.reserve_row(*(replace(each, row_number=row) for row, each in enumerate(found)))
    assert len(worker.suggestions.unfinished_rows("iris")) == 2
    worker.suggestions.row_written(*(each.id for each in found))
    # Vetting.
    passed, stopped = (Vetting(each.id, "iris", "passed", "none") for each in found)
    stopped = replace(stopped, outcome="quarantined", row_key="key")
    worker.trust.vettings.record(
        {passed.suggestion_id: (passed, "it is usual"), stopped.suggestion_id: (stopped, "odd")}, {}, {}
    )
    worker.trust.vettings.record({}, {stopped.suggestion_id: "two sources say so"}, {})
    worker.trust.vettings.record(
        {}, {}, {passed.suggestion_id: (replace(passed, outcome="quarantined"), "contradicted")}
    )
    worker.trust.vettings.record({}, {passed.suggestion_id: "two sources say so"}, {})
    worker.trust.vettings.keep_map("iris", 1, {"x": []})
    assert worker.trust.vettings.map_of("iris", 1) == {"x": []}
    assert worker.trust.vettings.truths(["a"])
    for asked in (worker.trust.vettings.unjudged, worker.trust.vettings.never_vetted, worker.trust.vettings.unreviewed):
        asked("iris")
    worker.trust.vettings.passed_since("iris", NOON)
    worker.trust.vettings.same_rows("iris", ["key"])
    # The judge's evidence, the verdict, and what a version has learnt.
    assert worker.evidence.live_truths("iris", MODEL, NOON, trusted_only=False)
    assert [each.prediction_id for each in worker.evidence.unlabelled("iris", MODEL)] == []
    worker.judgements.add(FIRST)
    worker.judgements.registered(FIRST.id, 2)
    assert worker.judgements.newest("iris", 9)
    ids = [each.id for each in found]
    worker.suggestions.judged(ids, FIRST.id)
    worker.suggestions.trained(ids, 2, FIRST.id)
    worker.trust.versions.learnt("iris", 2)
    worker.trust.versions.complete("iris", 2)
    assert worker.suggestions.has_learnt("iris", 2)
    assert worker.trust.events.were_trained(ids, 2)
    assert worker.suggestions.taken_back("iris", 1, NOON)
    # A withdrawal: the champion goes back, and what the version had learnt waits again.
    api.trust.withdrawals.request("iris", ["s"], "request", "key", "a mistake", erase=True)
    assert worker.trust.withdrawals.open("iris")
    assert worker.trust.tainted.taint("iris", 2)
    worker.trust.tainted.learnt_first("iris", 1)
    worker.champions.note(MODEL, 1, "rolled back", "version 2 has learnt a correction that was withdrawn")
    assert worker.champions.history(MODEL, 1)
    worker.trust.withdrawals.release("iris", [2], "version 2 was withdrawn")
    worker.suggestions.rows_removed(["s"])
    worker.trust.withdrawals.close("iris", {"s": "done"}, 1)
    assert worker.trust.withdrawals.open("iris") == []
    assert worker.suggestions.get("s") == replace(worker.suggestions.get("s") or suggestion("s"), features={})
    worker.suggestions.refused(["by hand"], "no better", FIRST.id)
    worker.suggestions.quarantine(["by hand"], "odd")
    for rows in (worker.suggestions.rows_of_refused, worker.suggestions.rows_to_keep, worker.suggestions.waiting):
        rows("iris")


def test_the_jobs_of_the_monitor_do_their_work_with_its_role(stores: dict[str, Store], url_of: Url) -> None:
    api, monitor = stores["lab_api"], stores["lab_monitor"]
    now = datetime.now(UTC)
    recent = [prediction(name) | {"predicted_at": now - 2 * KEPT[10]} for name in "ab"]
    api.predictions.write([prediction("old"), prediction("old truth"), *recent])
    for name in ("old truth", "a"):
        api.feedback.give(name, SETOSA)
    api.correct(suggestion("s", prediction_id="a"))
    # The external log.
    with process_lock(url_of("lab_monitor"), "exporting") as locked:
        assert locked
    export = monitor.exports.claim(10, NOON + DAY)
    assert export
    assert len(monitor.exports.rows(export)) == 2
    assert monitor.exports.unfinished() == [export]
    monitor.exports.finish(export, "run")
    assert monitor.exports.waiting() == {"iris": 2}
    # Windows and alerts.
    monitor.windows.write(window(1))
    monitor.windows.write(window(1))
    monitor.windows.delete_before("iris", NOON)
    monitor.windows.delete_after("iris", now)
    assert monitor.windows.newest("iris")
    changed = monitor.alerts.settle("iris", {"drift"}, {("drift", "petal_length"): "it has drifted"}, now)
    monitor.alerts.settle("iris", {"drift"}, {}, now)
    monitor.alerts.delivery_failed(changed.began[0].id, "no answer", now)
    [due] = monitor.alerts.due(now, 9)
    monitor.alerts.delivered(due.id, now)
    # Old rows: days are exported, and rows are deleted, also the ground truths and rows that no export has.
    day = NOON.date()
    assert [len(rows) for rows in monitor.retention.days.chunks("iris", day)] == [2]
    for _ in range(2):
        monitor.retention.days.note_exported("iris", day, "all", 2)
    assert monitor.retention.days.exported("iris", "all") == {day}
    assert monitor.retention.step("iris", BEGIN, NOON + DAY).deleted == 1
    assert monitor.retention.step("iris", BEGIN, NOON + DAY, with_truth=True).deleted == 1
    assert monitor.retention.step("iris", BEGIN, now).unexported == 1
    assert monitor.retention.sizes.now().rows == 1
    assert monitor.retention.missing.totals()
    assert monitor.retention.oldest("iris")
    assert monitor.timeline.delete_old(now + 100 * DAY) > 1


def test_the_page_of_the_monitor_asks_with_its_role(stores: dict[str, Store]) -> None:
    api, monitor = stores["lab_api"], stores["lab_monitor"]
    now = datetime.now(UTC)
    api.predictions.write([prediction("a") | {"predicted_at": now - 2 * KEPT[10]}])
    api.correct(suggestion("s", prediction_id="a"))
    # A person starts a replay, which a job runs.
    span = ReplaySpan("iris", NOON, now)
    asked = monitor.trust.replays.request(2, span)
    assert monitor.trust.replays.open()
    assert [len(rows) for rows in monitor.trust.replays.chunks(span)] == [1]
    monitor.trust.replays.start(asked)
    monitor.trust.replays.progress(asked, 1)
    monitor.trust.replays.finish(asked, {"rows": 1}, 1)
    monitor.trust.replays.fail(asked, "too late")
    assert monitor.timeline.first("iris", MODEL)
    monitor.timeline.counts(TimeSpan("iris", MODEL, NOON, now), 60)
    monitor.timeline.happenings.corrections("iris", NOON, now, 9)
    monitor.timeline.happenings.verdicts("iris", NOON, now, 9)
    monitor.timeline.happenings.quarantined("iris", NOON, now, 9)
    assert monitor.history.days()
    monitor.history.champion_changes()
    for asked_of in (monitor.history.labels, monitor.history.delays, monitor.history.volumes, monitor.history.shadows):
        asked_of(Span("iris", MODEL))
    assert monitor.correction_history.by_state()
    monitor.correction_history.verdicts()
    assert monitor.predictions.get("a")
    assert list(monitor.window_rows.between("iris", NOON, now, 9))
    monitor.trust.queue.page("iris", 9)
    monitor.trust.queue.by_rule("iris", 0)
    monitor.trust.queue.maps("iris")
    monitor.trust.review_figures.outcomes()
    monitor.trust.review_figures.queues()
    monitor.trust.withdrawals.open_since()
    assert monitor.trust.lineage.correction("s")
    monitor.trust.lineage.learnt("iris", 1, "", 9)
    monitor.trust.erasures.of("a")
    monitor.trials.paired_truths("iris", MODEL, 1, 2, trusted_only=True)
    monitor.statistics.paired(Span("iris", MODEL), 1, 2)


def test_the_monitor_notes_shows_and_trims_the_audit_log(
    stores: dict[str, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "MOST", 2)
    for role in ("lab_api", "lab_monitor"):
        for number in range(2):
            stores[role].audit.note(role, "operate", "192.0.2.1", f"POST /{number}", "200")
    stores["lab_monitor"].audit.trim()
    assert [each.actor for each in stores["lab_monitor"].audit.newest()] == ["lab_monitor"] * 2
