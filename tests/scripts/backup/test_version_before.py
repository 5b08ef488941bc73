"""From the version before to this one and back: its own code makes the lab, and reads it again afterwards."""

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from common.problem import Problem
from common.registry import publish
from common.settings import Settings
from common.signing.check import NotTrustedError
from common.store import Store
from common.store.tables import SCHEMA
from common.store.timeline.timeline import TimeSpan
from scripts.backup import restore, save
from scripts.parts import wait_for
from scripts.sign_version import sign_version
from tests.common.signing.test_signing import KEY, downloaded, with_
from tests.common.store.test_migrations import step_back_to
from tests.conftest import running_api, served_version
from tests.postgres import Postgres, client_programs
from tests.scripts.backup import lab_of_a_version
from tests.scripts.backup.test_backup import ROOM, empty_lab, quiet
from tests.scripts.backup.test_upgrade import rows_of
from tests.scripts.backup.version_before import (
    MADE,
    PREFIX,
    SCHEMA_BEFORE,
    NoHistoryError,
    code_before,
    load,
    run_code,
    use,
)

# Parts of what a version reads that are about the rows of one prefix, whatever came later.
OF_PREFIX = ("predictions", "corrections", "histories", "judgement", "vettings", "erasure")
LATER = {"timeline_answers", "timeline_truths"}  # the tables of migration 0007
OUTSIDE = {"audit_log", "missing_rows", "exported_days"}  # tables that rooms make, outside of the schema
TRAIN = """
from dataclasses import replace

from common.settings import load_settings
from problems.iris import PROBLEM
from training.search import train

winner = [each for each in PROBLEM.candidates() if each.params == {"hidden_layers": 4, "epochs": 500}]
train(replace(PROBLEM, candidates=lambda: winner), load_settings())
"""


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code of the version before."""
    try:
        return code_before(tmp_path_factory.mktemp("before"))
    except NoHistoryError as error:
        pytest.skip(f"the code of the version before cannot be had: {error}")


@pytest.fixture(params=["sqlite", "postgresql"])
def urls(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The URLs of two empty databases of one kind."""
    monkeypatch.setenv("PATH", f"{client_programs()}{os.pathsep}{os.environ['PATH']}")
    if request.param == "sqlite":
        yield [f"sqlite:///{tmp_path}/{name}/data/lab.db" for name in ("lab", "back")]
        return
    server: Postgres = request.getfixturevalue("postgres")
    with ExitStack() as stack:
        yield [stack.enter_context(server.database()) for _ in range(2)]


def kind_of(url: str) -> str:
    return sa.make_url(url).get_backend_name()


def reads(store: Store, prefix: str = PREFIX) -> dict[str, Any]:
    """Return all that this version reads, as the program of `use` prints it."""
    return dict(json.loads(json.dumps(lab_of_a_version.read(store, prefix), default=str)))


def of_prefix(read: dict[str, Any]) -> dict[str, Any]:
    # A later export also takes older rows.
    predictions = [{**each, "exported_at": None} for each in read["predictions"]]
    return {name: read[name] for name in OF_PREFIX} | {"predictions": predictions}


def assert_counted(url: str) -> None:
    """Assert that the roll-ups count each row of the log once, and the two rows of each erased prediction."""
    rows = rows_of(url)
    truths = {row["prediction_id"] for row in rows["feedback"]}
    counted = {
        "prediction_counts": len(rows["predictions"]) + 2 * len(rows["erasures"]),
        "confusion_counts": sum(row["id"] in truths for row in rows["predictions"]),
    }
    columns = {"prediction_counts": "predictions", "confusion_counts": "labels"}
    assert {table: sum(int(str(row[name])) for row in rows[table]) for table, name in columns.items()} == counted


def write_on(url: str) -> dict[str, Any]:
    """Write as the services of this version do, also into the tables that rooms make; return what it then reads."""
    with closing(Store(url)) as store:
        lab_of_a_version.write(store, "new", datetime.now(UTC))
        store.audit.note("anna", "operate", "192.0.2.1", "POST /models/2/promote", "200")
        store.retention.missing.prepare()
        store.retention.days.note_exported("iris", datetime.now(UTC).date(), "all", 3)
        found = reads(store, "new")
    assert_counted(url)
    return found


def test_a_store_that_the_version_before_has_made_is_upgraded_row_by_row_and_written_on(urls: list[str]) -> None:
    url = urls[0]
    load((MADE / f"{kind_of(url)}.sql").read_text(encoding="utf-8"), url)
    expected = json.loads((MADE / f"{kind_of(url)}.json").read_text(encoding="utf-8"))
    old = rows_of(url)
    assert old["alembic_version"] == [{"version_num": SCHEMA_BEFORE}]
    assert min(len(rows) for rows in old.values()) >= 1
    with closing(Store(url)) as store:
        assert reads(store) == expected
    assert_counted(url)
    new = rows_of(url)
    assert new.keys() == old.keys() | LATER
    assert {name: rows for name, rows in new.items() if name not in {*LATER, "alembic_version"}} == {
        name: rows for name, rows in old.items() if name != "alembic_version"
    }
    assert new["alembic_version"] == [{"version_num": SCHEMA}]
    write_on(url)
    with closing(Store(url)) as store:
        assert of_prefix(reads(store)) == of_prefix(expected)


def test_its_files_are_those_of_the_code_before(before: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/lab.db"
    load((MADE / "sqlite.sql").read_text(encoding="utf-8"), url)
    assert use(before, "read", url) == json.loads((MADE / "sqlite.json").read_text(encoding="utf-8"))


def test_the_way_back_is_the_backup_and_the_code_before_reads_and_writes_it(
    before: Path, offline: Settings, urls: list[str], tmp_path: Path
) -> None:
    lab = offline.model_copy(update={"database_url": urls[0], "lab_home": tmp_path / "lab"})
    old = use(before, "write", urls[0])
    rows = rows_of(urls[0])
    archive = tmp_path / "before the upgrade.zip"
    assert save.save(lab, archive, quiet)["store"]["schema"] == SCHEMA_BEFORE
    with closing(Store(urls[0])) as store:
        assert reads(store) == old
        _assert_timeline_counts_the_log(store)
    write_on(urls[0])
    refused = run_code(before, str(Path(lab_of_a_version.__file__)), "read", urls[0], PREFIX)
    assert refused.returncode == 1
    [line] = refused.stderr.splitlines()
    assert "this version of the lab does not know its schema 0007" in line
    back = empty_lab(lab, tmp_path / "back", urls[1])
    restore.restore(back, archive, ROOM, quiet)
    assert rows_of(urls[1]) == rows
    assert use(before, "read", urls[1]) == old
    assert of_prefix(use(before, "write", urls[1], "again"))["predictions"]
    assert of_prefix(use(before, "read", urls[1])) == of_prefix(old)


def _assert_timeline_counts_the_log(store: Store) -> None:
    """Assert that the migration has counted rows as the store counts them when they come."""
    now = datetime.now(UTC)
    span = TimeSpan("iris", "IrisModel", now - timedelta(days=9), now + timedelta(minutes=1))
    # One prediction was erased: the roll-ups by day count it, and the log does not have it any more.
    erased = lab_of_a_version.DAYS * lab_of_a_version.ROWS - 1
    assert sum(each.predictions for each in store.timeline.counts(span, 3600)) == erased
    assert sum(each.labels for each in store.timeline.counts(span, 3600)) > 0


def test_after_the_downgrade_the_code_before_reads_and_writes_what_both_have_written(
    before: Path, urls: list[str]
) -> None:
    url = urls[0]
    old = use(before, "write", url)
    new = write_on(url)
    left = {name: rows for name, rows in rows_of(url).items() if name not in {*LATER, "alembic_version"}}
    step_back_to(url, SCHEMA_BEFORE)
    # The tables outside of the schema stay, with their rows; the code before does not look at them.
    assert left.keys() >= OUTSIDE
    assert {name: rows for name, rows in rows_of(url).items() if name != "alembic_version"} == left
    assert use(before, "read", url, "new") == new  # also when each row was exported
    assert of_prefix(use(before, "read", url)) == of_prefix(old)
    again = use(before, "write", url, "again")
    with closing(Store(url)) as store:
        assert reads(store, "again") == again
        assert [each.actor for each in store.audit.newest()] == ["anna"]
    assert_counted(url)


@pytest.mark.thorough
def test_a_version_that_the_code_before_has_trained_is_used_only_where_unsigned_ones_are(
    before: Path, settings: Settings, problem: Problem
) -> None:
    names = {
        "LAB_HOME": str(settings.lab_home),
        "MLFLOW_URI": settings.mlflow_uri,
        "DATABASE_URL": settings.database_url,
        "PREFECT_API_URL": settings.prefect_api_url,
    }
    trained = run_code(before, "-c", TRAIN, **names)
    assert trained.returncode == 0, trained.stderr
    publish.use_mlflow(settings.mlflow_uri, "iris")
    version = publish.version("IrisModel", 1)
    assert version
    assert "signature" not in version.tags
    strict = with_(settings, signing_key=KEY, allow_unsigned=False)
    with pytest.raises(NotTrustedError, match=r"no signature.*scripts\.sign_version.*ALLOW_UNSIGNED=true"):
        downloaded(strict, version)
    twin = publish.version("IrisDev", int(version.tags["sklearn_version"]))
    assert twin
    with pytest.raises(NotTrustedError, match="no signature"):
        publish.load_sklearn(problem, strict, twin)
    # MLflow on this machine: it serves without a setting, and its twin can be continued.
    publish.load_sklearn(problem, settings, twin)
    with running_api(settings) as api:
        wait_for("version 1", lambda: served_version(api) == 1)
    # Elsewhere a person who trusts it signs it.
    assert asyncio.run(sign_version(problem, strict, 1)) == "signed IrisModel version 1 and IrisDev version 1"
    signed = publish.version("IrisModel", 1)
    assert signed
    assert downloaded(strict, signed)
