"""A backup of a lab that is used meanwhile comes back with every answer and every count."""

import os
import shutil
import stat
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from common.keys.keys_file import add_key, change_keys, keys_path
from common.settings import Settings
from common.signing.keys import made_key
from common.store import Store
from common.store.tables import SCHEMA
from scripts.backup import databases, restore, save
from scripts.backup.archive import BackupError
from scripts.parts import wait_for
from tests.api.inference.test_prediction_log import store_of
from tests.conftest import offline_settings, running_api
from tests.postgres import client_programs
from tests.test_breaking import ROWS, Acknowledged, check_whole, predict_label_and_correct

ROOM = 10**9


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Find PostgreSQL's client programs, of the server's version."""
    monkeypatch.setenv("PATH", f"{client_programs()}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def databases_to_drop() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@contextmanager
def in_use(api: httpx.Client, key: str) -> Iterator[Acknowledged]:
    """Predict, tell and correct until the end; yield what is acknowledged so far."""
    seen, over = Acknowledged(), threading.Event()

    def use() -> None:
        with httpx.Client(base_url=api.base_url, timeout=30.0, headers={"X-API-Key": key}) as own:
            number = 0
            while not over.is_set():
                predict_label_and_correct(own, number, seen)
                number += 1

    user = threading.Thread(target=use)
    user.start()
    try:
        yield seen
    finally:
        over.set()
        user.join()


def key_of(lab: Settings) -> str:
    """Make a named key in the lab's file of keys."""
    made: list[str] = []
    change_keys(keys_path(lab), lambda document: made.append(add_key(document, "anna", "operate")))
    return made[0]


def empty_lab(settings: Settings, folder: Path, url: str | None = None) -> Settings:
    return settings.model_copy(
        update={"lab_home": folder, "database_url": url or f"sqlite:///{folder}/data/lab.db", "keys_file": None}
    )


def content(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Return all rows of all tables."""
    with store._database._engine.connect() as connection:
        tables = sa.MetaData()
        tables.reflect(connection)
        return {
            name: sorted((dict(row) for row in connection.execute(sa.select(table)).mappings()), key=str)
            for name, table in tables.tables.items()
        }


def answers(api: httpx.Client, ids: list[str], key: str) -> Any:
    """Return what an api answers and remembers, without the ids and moments of new answers."""
    predicted = api.post("/predict", json={"data": list(ROWS)}).raise_for_status().json()["predictions"]
    return (
        [{**each, "prediction_id": None} for each in predicted],
        [api.get(f"/predictions/{each}", headers={"X-API-Key": key}).raise_for_status().json() for each in ids],
    )


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_lab_that_is_used_meanwhile_comes_back_with_every_answer_and_count(
    with_copy: Settings,
    tmp_path: Path,
    kind: str,
    request: pytest.FixtureRequest,
    databases_to_drop: ExitStack,
) -> None:
    lab, other = with_copy, None
    if kind == "postgresql":
        lab = with_copy.model_copy(update={"database_url": request.getfixturevalue("postgres_url")})
        other = databases_to_drop.enter_context(request.getfixturevalue("postgres").database())
    made_key(lab)
    key = key_of(lab)
    lab.corrections.write_text("5.0,3.5,1.4,0.2,0\n")
    archive = tmp_path / "lab.zip"
    with running_api(lab) as api, in_use(api, key) as seen:
        wait_for("some predictions", lambda: len(seen.predictions) > 100 and len(seen.suggestions) > 3)
        wait_for(
            "their log",
            lambda: api.get(f"/predictions/{list(seen.predictions)[99]}", headers={"X-API-Key": key}).is_success,
        )
        before = list(seen.predictions)[:50], dict(seen.truths), list(seen.suggestions)
        lines: list[str] = []
        manifest = save.save(lab, archive, lines.append)
        wait_for("more predictions", lambda: len(seen.predictions) > 200)
        expected = answers(api, before[0], key)
    back = empty_lab(lab, tmp_path / "back", other)
    restore.restore(back, archive, ROOM, lines.append)
    with store_of(back) as store:
        check_whole(store)
        rows = content(store)
        assert {name: len(each) for name, each in rows.items()} == manifest["store"]["rows"]
        assert {*before[0]} <= {row["id"] for row in rows["predictions"]}
        assert before[1].items() <= {row["prediction_id"]: row["class_name"] for row in rows["feedback"]}.items()
        assert {*before[2]} <= {row["id"] for row in rows["suggestions"]}
    with store_of(lab) as store:  # each row is the row of then
        now = content(store)
        for name in ("predictions", "feedback", "correction_events"):
            assert all(row in now[name] for row in rows[name]), name
    assert made_key(back) == made_key(lab)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in (keys_path(back), archive))
    assert stat.S_IMODE((back.state_dir / "signing.key").stat().st_mode) == 0o600
    assert back.corrections.read_bytes() == lab.corrections.read_bytes()
    with running_api(back) as api:
        assert answers(api, before[0], key) == expected


@pytest.fixture
def small(tmp_path: Path, prepared_data: Path) -> Settings:
    """A lab with a store, a key and data, and no service."""
    offline = offline_settings(tmp_path / "small", prepared_data)
    Store(offline.database_url).close()
    made_key(offline)
    return offline


@pytest.fixture
def archive(small: Settings, tmp_path: Path) -> Path:
    path = tmp_path / "small.zip"
    save.save(small, path, lambda _: None)
    return path


def quiet(_: str) -> None:
    pass


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_lab_that_has_a_state_is_never_touched(small: Settings, archive: Path) -> None:
    before = files(small.lab_home)
    with pytest.raises(BackupError, match=r"is not empty: it has \.lab/signing\.key"):
        restore.restore(small, archive, ROOM, quiet)
    assert files(small.lab_home) == before


def test_a_clone_is_empty_and_gets_the_state(small: Settings, archive: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    (clone / "data" / "iris").mkdir(parents=True)
    (clone / "data" / "iris" / "data.csv.dvc").write_text("outs:\n")
    restore.restore(empty_lab(small, clone), archive, ROOM, quiet)
    assert files(clone / "data" / "iris").keys() == {"data.csv.dvc", *files(small.data_dir)} - {"finetune.lock"}


def test_data_in_dvcs_cache_come_back_byte_by_byte(small: Settings, tmp_path: Path) -> None:
    cached = {
        "files/md5/9e/107d9d": bytes(range(256)) * 5000,
        "files/md5/e4/d909c2.dir": b'[{"md5": "9e107d9d", "relpath": "data.csv"}]',
        "runs/a/b": b"",
    }
    for name, content in cached.items():
        path = small.lab_home / ".dvc" / "cache" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    save.save(small, tmp_path / "lab.zip", quiet)
    back = empty_lab(small, tmp_path / "back")
    restore.restore(back, tmp_path / "lab.zip", ROOM, quiet)
    assert files(back.lab_home / ".dvc" / "cache") == cached


def test_a_damaged_backup_changes_nothing(small: Settings, archive: Path, tmp_path: Path) -> None:
    whole = archive.read_bytes()
    archive.write_bytes(whole[:2000] + bytes(each ^ 0xFF for each in whole[2000:2010]) + whole[2010:])
    with pytest.raises(BackupError, match="damaged"):
        restore.restore(empty_lab(small, tmp_path / "back"), archive, ROOM, quiet)
    assert not (tmp_path / "back").exists()


def test_a_restore_that_is_killed_is_completed_by_the_same_command(
    small: Settings, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = empty_lab(small, tmp_path / "back")
    moved: list[Path] = []
    replace = Path.replace

    def until_killed(path: Path, target: Path) -> Path:
        moved.append(target)
        if len(moved) == 3:
            raise KeyboardInterrupt
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", until_killed)
        with pytest.raises(KeyboardInterrupt):
            restore.restore(back, archive, ROOM, quiet)
    assert len(files(back.lab_home)) > 1
    restore.restore(back, archive, ROOM, quiet)
    found, expected = files(back.lab_home), files(small.lab_home)
    assert {name: each for name, each in found.items() if not name.endswith(".db")} == {
        name: each for name, each in expected.items() if not name.endswith((".db", ".lock", "-wal", "-shm"))
    }
    assert databases.count_sqlite(back.lab_home / "data" / "lab.db") == databases.count_sqlite(
        small.lab_home / "data" / "lab.db"
    )


def test_a_backup_of_a_newer_lab_or_another_database_is_refused(
    small: Settings, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = empty_lab(small, tmp_path / "back")
    with pytest.raises(BackupError, match="the backup's store is in sqlite, and DATABASE_URL names postgresql"):
        restore.restore(back.model_copy(update={"database_url": "postgresql://nowhere/lab"}), archive, ROOM, quiet)
    monkeypatch.setattr(restore, "SCHEMA", "0001")
    with pytest.raises(BackupError, match=f"newer lab: its store has schema {SCHEMA}"):
        restore.restore(back, archive, ROOM, quiet)
    assert not back.lab_home.exists()


def test_an_archive_brings_no_programs(small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (small.lab_home / "scripts").mkdir()
    (small.lab_home / "scripts" / "stack.py").write_text("print('mine')\n")
    monkeypatch.setattr("scripts.backup.places.FILES_LATER", ("scripts",))
    save.save(small, tmp_path / "evil.zip", quiet)
    with pytest.raises(BackupError, match=r"scripts/stack\.py' in it is at no place"):
        restore.restore(empty_lab(small, tmp_path / "back"), tmp_path / "evil.zip", ROOM, quiet)


def test_without_a_store_or_its_programs_nothing_is_written(
    offline: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "none.zip"
    with pytest.raises(BackupError, match=r"there is no store at .*: nothing to save"):
        save.save(offline, path, quiet)
    Path(offline.database_url.removeprefix("sqlite:///")).parent.mkdir(exist_ok=True)
    Path(offline.database_url.removeprefix("sqlite:///")).write_bytes(b"no database" * 1000)
    with pytest.raises(BackupError, match="not a database"):
        save.save(offline, path, quiet)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(BackupError, match="pg_dump is not installed"):
        save.save(offline.model_copy(update={"database_url": "postgresql+psycopg://nowhere/lab"}), path, quiet)
    assert not list(tmp_path.glob("*.zip"))
    assert not list(tmp_path.glob(".*zip*"))


def test_the_commands_say_what_they_did_in_lines(
    small: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAB_HOME", str(small.lab_home))
    save.main([str(tmp_path / "lab.zip")])
    assert "files, " in capsys.readouterr().out.splitlines()[-2]
    with pytest.raises(SystemExit, match=r"backup: .* exists already"):
        save.main([str(tmp_path / "lab.zip")])
    with pytest.raises(SystemExit, match=r"restore: .* is not empty"):
        restore.main([str(tmp_path / "lab.zip")])
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "back"))
    with pytest.raises(SystemExit, match=r"more than the 0\.0 GB that are allowed"):
        restore.main([str(tmp_path / "lab.zip"), "--max-gb", "0"])
    restore.main([str(tmp_path / "lab.zip")])
    assert "rows in the store" in capsys.readouterr().out.splitlines()[-1]
