"""The review of corrections: the queue of those in quarantine, and what a reviewer decides about them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

import sqlalchemy as sa

from common.store.database import StorePart, records
from common.store.suggestions import STATE_COLUMNS, State, Suggestion
from common.store.tables import suggestions
from common.store.trust.history import note_events
from common.store.trust.tables import IN_QUARANTINE, vettings

Decision = Literal["approved", "rejected"]
DECISIONS: tuple[Decision, ...] = get_args(Decision)
# The result of a review for one correction: the review decided, or it changed nothing for the reason named here.
Result = Literal["decided", "decided before", "decided otherwise", "not in quarantine", "unknown"]
# The rule that stands for a roll-back, which quarantines what the version had learnt.
ROLL_BACK = "roll-back"
MOST_REVIEWED = 200  # corrections of one review, and of one page of the queue

_VETTED = ("outcome", "number", "details", "vetted_at", "reviewer", "reviewed_at", "note")


@dataclass(frozen=True)
class VettedCorrection:
    """A correction with its vetting, if there was one, and its review.

    Attributes:
        outcome: the vetting's or the reviewer's word, such as "passed" or "approved".
        rule: the rule that decided; `ROLL_BACK` for a correction whose version was taken back.
        number: the figure of that rule.
        details: what else the vetting knows, for a reviewer.
    """

    suggestion: Suggestion
    outcome: str | None
    rule: str | None
    number: float | None
    details: Mapping[str, Any] | None
    vetted_at: datetime | None
    reviewer: str | None
    reviewed_at: datetime | None
    note: str | None

    @property
    def reason(self) -> str | None:
        """Why no version is to learn the correction, in words with figures; None if one may."""
        found = self.suggestion
        return found.withdrawn_because or found.quarantined_because or found.refused_because

    @property
    def place(self) -> tuple[datetime, str]:
        """The place in a list of corrections, which are in the order in which they came."""
        return self.suggestion.received_at or datetime.max.replace(tzinfo=UTC), self.suggestion.id


@dataclass(frozen=True)
class CorrectionList:
    """A question for corrections in one state, oldest first.

    Attributes:
        after: the place of the last correction of the page before; see `VettedCorrection.place`.
        rule: only corrections that this rule decided about.
        source: only corrections from this client or key.
    """

    state: State = "quarantined"
    limit: int = MOST_REVIEWED
    after: tuple[datetime, str] | None = None
    rule: str | None = None
    source: str | None = None

    def clauses(self) -> list[sa.ColumnElement[bool]]:
        """Return the question as conditions."""
        c = suggestions.c
        found = [*in_state(self.state)]
        if self.after:
            found.append(sa.tuple_(c.received_at, c.id) > self.after)
        if self.source is not None:
            found.append(c.source == self.source)
        if self.rule is not None:
            found.append(_rule() == self.rule)
        return found


@dataclass(frozen=True)
class CorrectionReview:
    """The decision of a reviewer, who is "key", "review key" or a client's address, with a note."""

    decision: Decision
    reviewer: str
    note: str | None = None


@dataclass(frozen=True)
class ReviewResult:
    """The result of a review for one correction; `found` is the correction before, None if there is none."""

    id: str
    result: Result
    found: VettedCorrection | None


class Reviews(StorePart):
    """Corrections for reviewers. The queue is read by its index, whatever its length."""

    def page(self, problem: str, wanted: CorrectionList) -> list[VettedCorrection]:
        """Return the next corrections of a list, oldest first; at most `wanted.limit`."""
        c = suggestions.c
        query = _joined().where(c.problem == problem, *wanted.clauses()).order_by(c.received_at, c.id)
        return [_vetted(row) for row in self._database.read(query.limit(wanted.limit))]

    def get(self, problem: str, suggestion_id: str) -> VettedCorrection | None:
        """Return a correction of the problem; None for an unknown id."""
        c = suggestions.c
        found = self._database.read(_joined().where(c.problem == problem, c.id == suggestion_id))
        return _vetted(found[0]) if found else None

    def decide(self, problem: str, ids: Iterable[str], review: CorrectionReview) -> list[ReviewResult]:
        """Decide about corrections in quarantine, all in one transaction; return a result for each different id.

        An approved correction is delivered again, or waits, if finetune.csv still has its row; a rejected one is
        refused. A correction that is not in quarantine stays as it is, so that the first of two reviews holds.
        """
        c, wanted = suggestions.c, list(dict.fromkeys(ids))
        with self._database.writing() as connection:
            rows = connection.execute(_joined().where(c.problem == problem, c.id.in_(wanted))).mappings()
            found = {row["id"]: _vetted(row) for row in rows}
            results = [ReviewResult(each, _result(found.get(each), review), found.get(each)) for each in wanted]
            decided = [each.found for each in results if each.result == "decided" and each.found]
            if decided:
                _change(connection, [each.suggestion.id for each in decided], review)
                _keep(connection, decided, review)
        return results


def in_state(state: State) -> Sequence[sa.ColumnElement[bool]]:
    """Return the conditions that hold for corrections in a state, as `Suggestion.state` has it."""
    if state == "quarantined":
        return IN_QUARANTINE
    columns = {name: suggestions.c[column] for name, column in STATE_COLUMNS.items()}
    is_set = {name: column.is_not(None) if column.nullable else column for name, column in columns.items()}
    earlier = list(columns)[: list(columns).index(state)] if state in columns else list(columns)
    return [*(~is_set[name] for name in earlier), *([is_set[state]] if state in is_set else [])]


def _rule() -> sa.ColumnElement[str]:
    by_vetting = vettings.c.outcome == "quarantined"
    rolled_back = sa.and_(*IN_QUARANTINE, sa.func.coalesce(~by_vetting, sa.true()))
    return sa.case((rolled_back, ROLL_BACK), else_=vettings.c.rule)


def _joined() -> sa.Select[Any]:
    columns = [*(vettings.c[name] for name in _VETTED), _rule().label("rule")]
    return sa.select(suggestions, *columns).outerjoin(vettings, vettings.c.suggestion_id == suggestions.c.id)


def _vetted(row: sa.RowMapping) -> VettedCorrection:
    [suggestion] = records(Suggestion, [row])
    return VettedCorrection(suggestion, rule=row["rule"], **{name: row[name] for name in _VETTED})


def _result(found: VettedCorrection | None, review: CorrectionReview) -> Result:
    if found is None:
        return "unknown"
    if found.suggestion.state == "quarantined":
        return "decided"
    if found.outcome not in DECISIONS:
        return "not in quarantine"
    return "decided before" if found.outcome == review.decision else "decided otherwise"


def _change(connection: sa.Connection, ids: Sequence[str], review: CorrectionReview) -> None:
    c = suggestions.c
    if review.decision == "rejected":
        because = f"a reviewer rejected it: {review.note}" if review.note else "a reviewer rejected it"
        values: dict[str, Any] = {"quarantined_because": None, "refused_because": because}
    else:
        # Without the judgement of the version that was taken back, the correction counts for the next fine-tuning.
        values = dict.fromkeys(("quarantined_because", "refused_because", "trained_version", "judgement_id"))
        values |= {"last_error": None, "attempts": 0, "next_attempt_at": datetime.now(UTC)}
        # With a row in finetune.csv, it needs no delivery; the run is kept, so that a lost one can be replaced.
        values["flow_run_id"] = sa.case((c.row_number.is_(None), None), else_=c.flow_run_id)
    connection.execute(suggestions.update().where(c.id.in_(ids)).values(values))
    note_events(connection, ids, review.decision, review.reviewer, review.note)


def _keep(connection: sa.Connection, decided: Sequence[VettedCorrection], review: CorrectionReview) -> None:
    """Write the review into the vetting of each correction; one that was never vetted gets one."""
    now = datetime.now(UTC)
    said = {"outcome": review.decision, "reviewer": review.reviewer, "reviewed_at": now, "note": review.note}
    for rolled_back in (False, True):
        ids = [each.suggestion.id for each in decided if each.vetted_at and (each.rule == ROLL_BACK) == rolled_back]
        if ids:
            more = {"rule": ROLL_BACK, "number": None} if rolled_back else {}
            connection.execute(vettings.update().where(vettings.c.suggestion_id.in_(ids)).values(said | more))
    if new := [each.suggestion for each in decided if not each.vetted_at]:
        vetted = {"vetted_at": now, "rule": ROLL_BACK, "details": {}} | said
        connection.execute(
            vettings.insert(), [vetted | {"suggestion_id": each.id, "problem": each.problem} for each in new]
        )
