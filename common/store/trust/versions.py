"""The corrections that each version has learnt: all of them, not only those that were new to it."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from common.store.database import StorePart
from common.store.tables import suggestions
from common.store.trust.tables import version_corrections


class VersionCorrections(StorePart):
    """All corrections of each version. Versions that were registered before the lab kept this have none."""

    def learnt(self, problem: str, version: int) -> None:
        """Write that a version has learnt all corrections whose rows are in finetune.csv.

        A second call changes nothing. The caller holds the lock of the file, has just registered the version, and has
        not moved an alias yet. Rows of the same number are of another registry, and are replaced.
        """
        c, known = suggestions.c, version_corrections.c
        this_version = known.problem == problem, known.version == version
        in_file = sa.select(c.id).where(c.problem == problem, c.written)
        with self._database.writing() as connection:
            connection.execute(version_corrections.delete().where(*this_version, known.suggestion_id.not_in(in_file)))
            there = sa.select(known.suggestion_id).where(*this_version)
            new = sa.select(sa.literal(problem), sa.literal(version), c.id).where(
                c.problem == problem, c.written, c.id.not_in(there)
            )
            connection.execute(version_corrections.insert().from_select(["problem", "version", "suggestion_id"], new))

    def complete(self, problem: str, version: int) -> None:
        """Do the same for a version of just these rows that an earlier run has registered, unless that run did it."""
        if not self.count(problem, [version]):
            self.learnt(problem, version)

    def count(self, problem: str, versions: Sequence[int]) -> Mapping[int, int]:
        """Return how many corrections each of these versions has learnt; a version without any has no entry."""
        known = version_corrections.c
        query = sa.select(known.version, sa.func.count().label("corrections")).where(
            known.problem == problem, known.version.in_(versions)
        )
        return {row["version"]: row["corrections"] for row in self._database.read(query.group_by(known.version))}

    def that_learnt(self, problem: str, suggestion_ids: Sequence[str]) -> list[int]:
        """Return the versions that have learnt any of these corrections, oldest first."""
        known = version_corrections.c
        query = sa.select(known.version).where(known.problem == problem, known.suggestion_id.in_(suggestion_ids))
        return [row["version"] for row in self._database.read(query.distinct().order_by(known.version))]
