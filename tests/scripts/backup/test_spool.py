"""Messages that an api has kept in its spool come back with a backup, and into the restored store once."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from common.settings import Settings
from scripts.backup import restore, save
from scripts.backup.databases import save_sqlite
from scripts.parts import wait_for
from tests.api.inference.test_prediction_log import SETOSA_ROW, ask, logged, store_of, told
from tests.api.spool.test_spool import damage, is_open, mend, use
from tests.conftest import running_api
from tests.scripts.backup.test_backup import ROOM, empty_lab, quiet
from tests.test_breaking import check_whole


def spooled(lab: Settings) -> list[dict[str, Any]]:
    """Return the messages in a lab's spool."""
    files = sorted((lab.state_dir / "spool").glob("*.jsonl"))
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


@pytest.fixture
def told_while_away(with_copy: Settings) -> tuple[list[str], str]:
    """Leave three predictions, two truths and a correction in the spool of a lab whose store is whole again."""
    with running_api(with_copy) as api:
        ask(api, SETOSA_ROW)
    good = damage(with_copy)
    with running_api(with_copy) as api:
        found = use(api)
    mend(with_copy, good)
    return found


@pytest.mark.parametrize("moment", ["after the backup", "while the store is saved", "after the store was saved"])
def test_messages_of_a_spool_come_back_and_into_the_store_whenever_an_api_brings_them_in(
    with_copy: Settings,
    told_while_away: tuple[list[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    ids, correction = told_while_away
    kept = spooled(with_copy)
    assert Counter(each["kind"] for each in kept) == {"predictions": 3, "truth": 1, "correction": 1}

    def beside_an_api(source: Path, target: Path) -> int:
        monkeypatch.setattr(save, "save_sqlite", save_sqlite)
        size = save_sqlite(source, target) if moment.startswith("after") else 0
        with running_api(with_copy) as api:
            wait_for("the store", lambda: is_open(api))
            assert spooled(with_copy) == []
        return size or save_sqlite(source, target)

    if moment != "after the backup":
        monkeypatch.setattr(save, "save_sqlite", beside_an_api)
    save.save(with_copy, tmp_path / "lab.zip", quiet)
    back = empty_lab(with_copy, tmp_path / "back")
    restore.restore(back, tmp_path / "lab.zip", ROOM, quiet)
    assert spooled(back) == kept
    with running_api(back) as api:
        wait_for("the store", lambda: is_open(api))
        assert api.get(f"/suggest/{correction}").json()["state"] == "received"
    assert spooled(back) == []
    with store_of(back) as store:
        assert Counter(row["id"] for row in logged(store) if row["id"] in ids) == Counter(ids)
        assert len(logged(store)) == len(ids) + 1
        assert told(store) == dict.fromkeys(ids[:2], "Iris-setosa")
        check_whole(store)


def test_messages_that_come_into_the_spool_while_the_store_is_saved_are_in_the_backup(
    with_copy: Settings, tmp_path: Path, told_while_away: tuple[list[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    [file] = (with_copy.state_dir / "spool").glob("*.jsonl")
    line = file.read_text().splitlines()[0]

    def beside_an_api(source: Path, target: Path) -> int:
        if len(spooled(with_copy)) == 5:
            file.write_text(f"{file.read_text()}{line}\n")
            file.with_suffix(".done").write_text(str(file.stat().st_size))
        return save_sqlite(source, target)

    monkeypatch.setattr(save, "save_sqlite", beside_an_api)
    save.save(with_copy, tmp_path / "lab.zip", quiet)
    back = empty_lab(with_copy, tmp_path / "back")
    restore.restore(back, tmp_path / "lab.zip", ROOM, quiet)
    assert len(spooled(back)) == 6
    # This file would name truths as stored that the saved store does not have.
    assert not list((back.state_dir / "spool").glob("*.done"))
    assert told_while_away
