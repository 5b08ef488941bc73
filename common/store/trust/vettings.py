"""The verdicts of vetting: one for each correction, and what they change."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import sqlalchemy as sa

from common.store.database import Database, StorePart, records
from common.store.suggestions import LEARNABLE, Suggestion, Suggestions
from common.store.tables import feedback, predictions, suggestions
from common.store.trust.history import LAB, note_events
from common.store.trust.tables import vetting_maps, vettings

Outcome = Literal["passed", "quarantined", "known", "exempt", "approved", "rejected"]
# No reviewer has seen these. Two sources that say the same may be one liar with two addresses.
UNREVIEWED = sa.or_(
    vettings.c.outcome == "passed",
    (vettings.c.outcome == "exempt") & (vettings.c.rule == "confirmed"),
    (vettings.c.outcome == "approved") & (vettings.c.reviewer == LAB),
)
MAX_SAME = 10_000  # corrections of the same rows, and corrections that nobody has vetted, that one question returns


@dataclass(frozen=True)
class Vetting:
    """The verdict on a correction.

    Attributes:
        suggestion_id: the correction.
        problem: its problem.
        outcome: the verdict of the rules; a reviewer makes it `approved` or `rejected`.
        rule: the rule that decided.
        number: the figure of the rule; None for a rule without one.
        details: for a reviewer, as values that JSON has.
        row_key: equal rows have the same.
        network: from where the correction came.
        reviewer: who has reviewed it.
        reviewed_at: when.
        note: the reviewer's words.
        vetted_at: when the rules decided.
    """

    suggestion_id: str
    problem: str
    outcome: Outcome
    rule: str
    number: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    row_key: str | None = None
    network: str | None = None
    reviewer: str | None = None
    reviewed_at: datetime | None = None
    note: str | None = None
    vetted_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True)
class ToldTruth:
    """The ground truth of a prediction, with the row that it is about and the client who sent it."""

    prediction_id: str
    class_name: str
    trusted: bool
    source: str | None
    features: Mapping[str, float | str]


class Vettings(StorePart):
    """The verdicts on all corrections, and the maps that show where corrections lie."""

    def __init__(self, database: Database, all_suggestions: Suggestions) -> None:
        """Use `database`, and change the states of corrections through `all_suggestions`."""
        super().__init__(database)
        self._suggestions = all_suggestions

    def of(self, suggestion_ids: Sequence[str]) -> Mapping[str, Vetting]:
        """Return the verdicts on corrections, by their ids; those that were never vetted have none."""
        query = sa.select(vettings).where(vettings.c.suggestion_id.in_(suggestion_ids))
        return {each.suggestion_id: each for each in records(Vetting, self._database.read(query))}

    def same_rows(self, problem: str, row_keys: Sequence[str]) -> list[Suggestion]:
        """Return corrections of rows with these keys that a version learns, or may learn after a review.

        They are not refused and not withdrawn, and at most `MAX_SAME`, the newest.
        """
        with_key = vettings.c.problem == problem, vettings.c.row_key.in_(row_keys)
        vetted = suggestions.c.id.in_(sa.select(vettings.c.suggestion_id).where(*with_key))
        return self._learnable_later(problem, vetted)

    def never_vetted(self, problem: str) -> list[Suggestion]:
        """Return corrections in finetune.csv that came while nobody vetted: at most `MAX_SAME`, the newest.

        A reviewer may have approved them since: then they have a verdict, but no key.
        """
        of_it = vettings.c.suggestion_id == suggestions.c.id, vettings.c.row_key.is_not(None)
        vetted = sa.select(vettings.c.suggestion_id).where(*of_it)
        return self._learnable_later(problem, suggestions.c.written & ~vetted.exists())

    def truths(self, prediction_ids: Sequence[str]) -> Mapping[str, ToldTruth]:
        """Return the ground truths of predictions, by their ids, with the rows that the champion answered."""
        said, row = feedback.c, predictions.c
        query = (
            sa.select(said.prediction_id, said.class_name, said.trusted, said.source, row.features)
            .join(predictions, (row.id == said.prediction_id) & (row.role == "champion"))
            .where(said.prediction_id.in_(prediction_ids))
        )
        return {each.prediction_id: each for each in records(ToldTruth, self._database.read(query))}

    def passed_since(self, problem: str, since: datetime) -> Mapping[str | None, int]:
        """Return how many corrections have passed the rules without a review since then, by their network."""
        c = vettings.c
        query = sa.select(c.network, sa.func.count().label("number")).where(c.problem == problem, c.vetted_at > since)
        return self._counts(query.where(UNREVIEWED).group_by(c.network))

    def unjudged(self, problem: str) -> Mapping[str | None, int]:
        """Return how many corrections without a review wait for their first judgement, by their network."""
        c = suggestions.c
        waiting = c.trained_version.is_(None), c.judgement_id.is_(None)
        return self._counts(_unreviewed(problem, vettings.c.network).where(*waiting).group_by(vettings.c.network))

    def unreviewed(self, problem: str) -> int:
        """Return how many corrections without a review are in finetune.csv, or on their way there."""
        [found] = self._database.read(_unreviewed(problem))
        return int(found["number"])

    def record(
        self,
        found: Mapping[str, tuple[Vetting, str]],
        released: Mapping[str, str],
        contradicted: Mapping[str, tuple[Vetting, str]],
    ) -> None:
        """Write verdicts, and what they change, all or none; a second call changes nothing.

        Args:
            found: verdicts on new corrections, each with its reason in words, by the ids of the corrections.
            released: corrections in quarantine that may be learnt now, with the reason.
            contradicted: verdicts on older corrections, which go to quarantine unless a version has learnt them.
        """
        with self._database.writing() as connection:
            known = set(connection.execute(sa.select(vettings.c.suggestion_id).where(_among(found))).scalars())
            new = {name: each for name, each in found.items() if name not in known}
            if new:
                now = datetime.now(UTC)
                connection.execute(vettings.insert(), [_values(each) | {"vetted_at": now} for each, _ in new.values()])
            by_reason: dict[tuple[str, str], list[str]] = defaultdict(list)
            for name, (vetting, reason) in new.items():
                by_reason[vetting.outcome, reason].append(name)
            for (outcome, reason), names in by_reason.items():
                self._apply(connection, outcome, reason, names)
            self._release(connection, released)
            self._contradict(connection, contradicted)

    def keep_map(self, problem: str, anchor_version: int, details: Mapping[str, Any]) -> None:
        """Write the background of pictures for an anchor; the first one stays."""
        if self.map_of(problem, anchor_version) is None:
            with self._database.writing() as connection:
                key = {"problem": problem, "anchor_version": anchor_version}
                if connection.execute(_map(problem, anchor_version)).first() is None:
                    connection.execute(vetting_maps.insert().values(key | {"details": dict(details)}))

    def map_of(self, problem: str, anchor_version: int) -> Mapping[str, Any] | None:
        """Return the background of pictures for an anchor; None if there is none yet."""
        found = self._database.read(_map(problem, anchor_version))
        return found[0]["details"] if found else None

    def _apply(self, connection: sa.Connection, outcome: str, reason: str, names: Sequence[str]) -> None:
        still = suggestions.c.id.in_(names), LEARNABLE
        if outcome == "quarantined":
            self._suggestions.change(connection, *still, quarantined_because=reason)
        elif outcome == "known":
            self._suggestions.change(connection, *still, refused_because=reason)
        else:
            note_events(connection, names, "vetted", LAB, reason)

    def _release(self, connection: sa.Connection, released: Mapping[str, str]) -> None:
        for name, reason in released.items():
            review = {"outcome": "approved", "reviewer": LAB, "reviewed_at": datetime.now(UTC), "note": reason}
            waits = vettings.c.suggestion_id == name, vettings.c.outcome == "quarantined"
            if connection.execute(vettings.update().where(*waits).values(review)).rowcount:
                row = suggestions.c.id == name
                connection.execute(suggestions.update().where(row).values(quarantined_because=None))
                note_events(connection, [name], "approved", LAB, reason)

    def _contradict(self, connection: sa.Connection, contradicted: Mapping[str, tuple[Vetting, str]]) -> None:
        for name, (vetting, reason) in contradicted.items():
            unlearnt = suggestions.c.id == name, suggestions.c.trained_version.is_(None), LEARNABLE
            if connection.execute(sa.select(suggestions.c.id).where(*unlearnt)).first():
                values = _values(vetting) | {"vetted_at": datetime.now(UTC)}
                known = vettings.c.suggestion_id == name
                if not connection.execute(vettings.update().where(known).values(values)).rowcount:
                    connection.execute(vettings.insert().values(values))
                self._suggestions.change(connection, *unlearnt, quarantined_because=reason)

    def _learnable_later(self, problem: str, *conditions: sa.ColumnElement[bool]) -> list[Suggestion]:
        c = suggestions.c
        wanted = c.problem == problem, c.refused_because.is_(None), c.withdrawn_because.is_(None)
        query = sa.select(suggestions).where(*wanted, *conditions).order_by(c.received_at.desc()).limit(MAX_SAME)
        return records(Suggestion, self._database.read(query))

    def _counts(self, query: sa.Select[Any]) -> Mapping[str | None, int]:
        return {each["network"]: int(each["number"]) for each in self._database.read(query)}


def _unreviewed(problem: str, *columns: sa.Column[Any]) -> sa.Select[Any]:
    of_it = vettings.c.suggestion_id == suggestions.c.id
    query = sa.select(*columns, sa.func.count().label("number")).select_from(vettings).join(suggestions, of_it)
    return query.where(vettings.c.problem == problem, UNREVIEWED, LEARNABLE)


def _among(found: Mapping[str, Any]) -> sa.ColumnElement[bool]:
    return vettings.c.suggestion_id.in_(list(found))


def _map(problem: str, anchor_version: int) -> sa.Select[Any]:
    c = vetting_maps.c
    return sa.select(c.details).where(c.problem == problem, c.anchor_version == anchor_version)


def _values(vetting: Vetting) -> dict[str, Any]:
    return {**vars(vetting), "details": dict(vetting.details)}
