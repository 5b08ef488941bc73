"""The size of the prediction log, and space that goes back to the disk."""

from dataclasses import dataclass

import sqlalchemy as sa

from common.store.database import Database, StorePart
from common.store.retention.missing_rows import MissingCounts
from common.store.tables import prediction_counts

PAGES = 200  # pages that one transaction gives back: 0.8 MB
KEPT_FREE = 0.05  # of a file's pages stay free for the next rows
SAMPLED = 1_000  # newest rows whose mean size counts
# PostgreSQL: an entry of the primary key has 52 bytes, those of the two other indexes 28 and 20 with their pointers;
# pages of an index that grows at its end are 90 % full.
INDEX_BYTES = 125


@dataclass(frozen=True)
class LogSize:
    """The size of the prediction log.

    Attributes:
        rows: in the log.
        used: bytes that the rows take with their indexes; SQLite: the whole store.
        free: bytes of a SQLite file that hold nothing and wait for the next rows.
        gives_back: whether free bytes can go back to the disk without a VACUUM of the whole store.
    """

    rows: int
    used: int
    free: int
    gives_back: bool

    @property
    def row_bytes(self) -> float | None:
        """The bytes of a row in the mean; None without rows."""
        return self.used / self.rows if self.rows else None


class LogSizes(StorePart):
    """Sizes, without a scan of the log."""

    def __init__(self, database: Database, missing: MissingCounts) -> None:
        """Use `database`; `missing` are the rows that the roll-ups count and that the log does not have."""
        super().__init__(database)
        self._missing = missing

    def now(self) -> LogSize:
        """Return the present size."""
        counted = sa.select(sa.func.sum(prediction_counts.c.predictions).label("rows"))
        [found] = self._database.read(counted)
        rows = max(int(found["rows"] or 0) - sum(each.rows for each in self._missing.totals()), 0)
        if self._is_sqlite:
            pages, page_bytes, free, vacuum = (self._pragma(name) for name in _PRAGMAS)
            return LogSize(rows, (pages - free) * page_bytes, free * page_bytes, gives_back=vacuum > 0)
        # PostgreSQL's files keep the place of deleted rows for new ones: their size says little about the rows.
        newest = f"SELECT p FROM predictions AS p ORDER BY id DESC LIMIT {SAMPLED}"  # noqa: S608  # our own number
        [mean] = self._database.read(sa.text(f"SELECT avg(pg_column_size(p)) AS bytes FROM ({newest}) AS n"))  # noqa: S608
        return LogSize(rows, round(rows * (float(mean["bytes"] or 0) + 4 + INDEX_BYTES)), 0, gives_back=False)

    def on_server(self) -> int:
        """Return the bytes of a PostgreSQL server: of all databases there, and at most of its log of changes.

        Raises:
            StoreError: the server does not answer.
        """
        # A role may ask for the size of its own database's tablespace; the log of changes (WAL) only says its limit.
        [found] = self._database.read(sa.text(_ON_SERVER))
        return int(found["bytes"])

    def give_back(self) -> int:
        """Give some free pages of a SQLite file back to the disk, in one short transaction; return how many.

        Returns 0 if no more than a twentieth of the pages is free, and for a file that cannot give single pages back.
        """
        if not self._is_sqlite or not self._pragma("auto_vacuum"):
            return 0
        spare = self._pragma("freelist_count") - round(KEPT_FREE * self._pragma("page_count"))
        if (pages := min(spare, PAGES)) < PAGES:
            return 0
        with self._database.writing(durable=False) as connection:
            # SQLite gives one page back for each row of no columns, which SQLAlchemy takes for a result without rows.
            connection.connection.cursor().execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
        return pages

    @property
    def _is_sqlite(self) -> bool:
        return self._missing.prepare() == "sqlite"

    def _pragma(self, name: str) -> int:
        [row] = self._database.read(sa.text(f"PRAGMA {name}"))
        return int(row[name])


_ON_SERVER = """
    SELECT pg_tablespace_size(dattablespace) + pg_size_bytes(current_setting('max_wal_size')) AS bytes
    FROM pg_database WHERE datname = current_database()
"""
_PRAGMAS = ("page_count", "page_size", "freelist_count", "auto_vacuum")
