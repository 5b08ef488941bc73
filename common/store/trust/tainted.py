"""The versions that have learnt a correction that somebody takes back or has taken back."""

from collections.abc import Sequence

import sqlalchemy as sa

from common.store.database import StorePart
from common.store.suggestions import LEARNABLE
from common.store.tables import judgements, prediction_counts, suggestions
from common.store.trust.tables import version_corrections, withdrawals


class TaintedVersions(StorePart):
    """The versions that have learnt a correction, as far as the store knows.

    Of versions that are older than the lab's memory of what each has learnt, it is only known which one was the first
    to learn a correction: all fine-tuned ones from that number on may have learnt it.
    """

    def versions_of(self, problem: str, ids: Sequence[str]) -> dict[int, int]:
        """Return the versions that have or may have learnt any of these corrections, each with its count of answers."""
        s, known = suggestions.c, version_corrections.c
        exact = sa.select(known.version).where(known.problem == problem, known.suggestion_id.in_(ids))
        found = {row["version"] for row in self._database.read(exact.distinct())}
        first_known = self._first_known(problem)
        first = sa.select(sa.func.min(s.trained_version).label("first")).where(s.problem == problem, s.id.in_(ids))
        [row] = self._database.read(first)
        if row["first"] is not None and (first_known is None or row["first"] < first_known):
            j = judgements.c
            made = sa.union(
                sa.select(j.version.label("version")).where(j.problem == problem, j.version >= row["first"]),
                sa.select(s.trained_version).where(s.problem == problem, s.trained_version >= row["first"]),
            )
            all_made = {each["version"] for each in self._database.read(made)}
            found |= {each for each in all_made if first_known is None or each < first_known}
        p = prediction_counts.c
        answered = sa.select(p.model_version, sa.func.sum(p.predictions).label("answers")).where(
            p.problem == problem, p.role == "champion", p.model_version.in_(found)
        )
        answers = {
            each["model_version"]: each["answers"] for each in self._database.read(answered.group_by(p.model_version))
        }
        return {version: answers.get(version, 0) for version in sorted(found)}

    def learnt(self, problem: str, ids: Sequence[str]) -> set[str]:
        """Return the corrections among these that any version has learnt."""
        s, known = suggestions.c, version_corrections.c
        query = sa.union(
            sa.select(known.suggestion_id).where(known.problem == problem, known.suggestion_id.in_(ids)),
            sa.select(s.id).where(s.problem == problem, s.id.in_(ids), s.trained_version.is_not(None)),
        )
        return {row["suggestion_id"] for row in self._database.read(query)}

    def taint(self, problem: str, version: int) -> bool:
        """Return whether a fine-tuned version has learnt a correction that was withdrawn, or may have."""
        s, known, w = suggestions.c, version_corrections.c, withdrawals.c
        first_known = self._first_known(problem)
        if first_known is not None and version >= first_known:
            joined = sa.join(version_corrections, withdrawals, w.suggestion_id == known.suggestion_id)
            query = sa.select(known.version).select_from(joined)
            query = query.where(known.problem == problem, known.version == version)
        else:
            withdrawn = s.problem == problem, s.withdrawn_because.is_not(None)
            query = sa.select(s.id).where(*withdrawn, s.trained_version <= version)
        return bool(self._database.read(query.limit(1)))

    def learnt_first(self, problem: str, above: int) -> list[int]:
        """Return the versions above a number that were the first to learn corrections that may still be learnt."""
        c = suggestions.c
        query = sa.select(c.trained_version).where(c.problem == problem, c.trained_version > above, LEARNABLE)
        return [row["trained_version"] for row in self._database.read(query.distinct().order_by(c.trained_version))]

    def _first_known(self, problem: str) -> int | None:
        c = version_corrections.c
        [row] = self._database.read(sa.select(sa.func.min(c.version).label("first")).where(c.problem == problem))
        first: int | None = row["first"]
        return first
