"""From one version of the lab to the next and back: the schema forward, and the way back by a backup."""

from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from common.settings import Settings
from common.store import Store
from common.store.tables import SCHEMA
from scripts.backup import restore, save
from tests.common.store.rows import SETOSA, VERSICOLOR, prediction, shadow, suggestion
from tests.common.store.test_migrations import step_back_to
from tests.scripts.backup.test_backup import ROOM, content, empty_lab, quiet


def rows_of(url: str) -> dict[str, list[dict[str, object]]]:
    """Return the rows of a store of any schema, without opening it as a store."""
    engine = sa.create_engine(url)
    tables = sa.MetaData()
    tables.reflect(engine)
    with engine.connect() as connection:
        found = {
            name: sorted((dict(row) for row in connection.execute(sa.select(table)).mappings()), key=str)
            for name, table in tables.tables.items()
        }
    engine.dispose()
    return found


# 0004 is the schema of the version that was landed last, 0006 the one before the newest.
@pytest.mark.parametrize("before", ["0004", "0006"])
def test_an_older_store_is_upgraded_and_its_backup_is_the_way_back(
    offline: Settings, tmp_path: Path, before: str
) -> None:
    with closing(Store(offline.database_url)) as store:
        for name in ("a", "b"):
            store.predictions.write([prediction(name), shadow(name, VERSICOLOR)])
            store.feedback.give(name, SETOSA, source="key", trusted=True)
        store.suggestions.add(suggestion("s"))
        newest = content(store)
    step_back_to(offline.database_url, before)
    old = rows_of(offline.database_url)
    assert old["alembic_version"] == [{"version_num": before}]
    archive = tmp_path / "before the upgrade.zip"
    assert save.save(offline, archive, quiet)["store"]["schema"] == before
    # Forward: the services of the new version open the store.
    with closing(Store(offline.database_url)) as store:
        upgraded = content(store)
        assert upgraded["alembic_version"] == [{"version_num": SCHEMA}]
        for table in ("predictions", "feedback", "prediction_counts", "confusion_counts", "suggestions"):
            assert upgraded[table] == newest[table], table
        store.predictions.write([prediction("after")])
        assert store.predictions.get("after")
    # Back: the backup comes into another folder, for the services of the old version.
    back = empty_lab(offline, tmp_path / "back")
    restore.restore(back, archive, ROOM, quiet)
    assert rows_of(back.database_url) == old
    # A lab of the new version may use the old backup, too: it upgrades it.
    with closing(Store(back.database_url)) as store:
        assert content(store) == upgraded
