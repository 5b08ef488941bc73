"""Corrections over HTTP, for reviewers: the queue of those in quarantine, each with its history, and the decisions."""

import base64
import binascii
import math
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Query
from pydantic import AfterValidator, BaseModel, Field

from api.guards.json_bodies import BoundedRoute
from api.http.access import TheSender
from api.http.errors import responses
from api.routes.dependencies import TheOutbox, TheStore
from api.schemas.requests import STRICT
from common.problem import TEXT, Problem, Value
from common.store import Store
from common.store.suggestions import State
from common.store.trust.history import CorrectionEvent
from common.store.trust.reviews import (
    MOST_REVIEWED,
    CorrectionList,
    CorrectionReview,
    Decision,
    Result,
    ReviewResult,
    VettedCorrection,
)
from trust.http.review_key import WITH_REVIEW_KEY

PAGE = 50  # corrections, unless the client asks for another number
MOST_NOTE = 1_000  # characters of a reviewer's note
DECISIONS: dict[str, Decision] = {"approve": "approved", "reject": "rejected"}


def _place(cursor: str) -> tuple[datetime, str]:
    """Return the place that a cursor names.

    Raises:
        ValueError: the text is no cursor.
    """
    try:
        moment, _, suggestion_id = base64.urlsafe_b64decode(cursor).decode().partition(" ")
        at = datetime.fromisoformat(moment)
        if at.tzinfo and suggestion_id and "\x00" not in suggestion_id:
            return at, suggestion_id
    except (ValueError, binascii.Error):
        pass
    raise ValueError("is no cursor: take `next` of the page before, as it is")


def _cursor(found: VettedCorrection) -> str:
    moment, suggestion_id = found.place
    return base64.urlsafe_b64encode(f"{moment.isoformat()} {suggestion_id}".encode()).decode()


def _check_cursor(text: str) -> str:
    _place(text)
    return text


Cursor = Annotated[str, Query(max_length=200), AfterValidator(_check_cursor)]
Word = Annotated[str, Query(max_length=200, pattern=TEXT)]
# Ids are UUIDs, unless somebody started a flow run in Prefect with an id of his own.
CorrectionId = Annotated[str, Field(min_length=1, max_length=36, pattern=TEXT)]


class ReviewedCorrection(BaseModel):
    """A correction as a reviewer sees it. `rule`, `number` and `details` are the vetting's."""

    correction_id: str
    received_at: datetime
    features: dict[str, Value]
    class_name: str = Field(description="the class that the sender calls right")
    prediction_id: str | None = Field(description="the prediction that it corrects, if it names one")
    source: str | None = Field(description="`key`, `review key`, or the address of the client")
    state: State
    reason: str | None = Field(description="why no version is to learn it, with the figures")
    rule: str | None = Field(description="the rule that decided; `roll-back` if its version was taken back")
    number: float | None = Field(description="the figure of that rule")
    details: dict[str, Any] | None = Field(description="the anchor's answer, and the nearest rows with their classes")
    outcome: str | None = Field(description="the word of the vetting or of the reviewer; null if it was never vetted")
    reviewer: str | None = Field(description="the key or the address of the reviewer")
    reviewed_at: datetime | None
    note: str | None = Field(description="the reviewer's note")
    flow_run_id: str | None
    model_version: int | None = Field(description="the version that has learnt it, or had, before it was taken back")


class CorrectionPage(BaseModel):
    """Corrections in one state, oldest first."""

    corrections: list[ReviewedCorrection]
    next: str | None = Field(description="`after` of the next page; null if this is the last one")


class StateChange(BaseModel):
    """A change of a correction's state."""

    at: datetime
    state: str
    actor: str = Field(description="a key, a client's address, or `lab`")
    reason: str | None


class CorrectionWithHistory(ReviewedCorrection):
    """A correction, and each change of its state."""

    history: list[StateChange] = Field(description="oldest first")


class ReviewBody(BaseModel):
    """A reviewer's decision about corrections in quarantine."""

    model_config = STRICT

    ids: list[CorrectionId] = Field(min_length=1, max_length=MOST_REVIEWED, description="ids of corrections")
    decision: Literal["approve", "reject"]
    note: str | None = Field(None, max_length=MOST_NOTE, pattern=r"^[^\x00]*$", description="for the history")


class DecisionResult(BaseModel):
    """The result of a review for one correction."""

    correction_id: str
    result: Result
    detail: str


class ReviewDone(BaseModel):
    """The results of a review, in the order of its ids."""

    corrections: list[DecisionResult]


def corrections_router(problem: Problem) -> APIRouter:
    """Return the routes for reviewers of `problem`'s corrections."""
    router = APIRouter(
        prefix="/corrections", tags=["corrections"], dependencies=[WITH_REVIEW_KEY], route_class=BoundedRoute
    )

    @router.get("", responses=responses(401, 422, 503))
    async def get_corrections(  # noqa: PLR0913, PLR0917  # FastAPI gives each by its name
        store: TheStore,
        state: State = "quarantined",
        limit: Annotated[int, Query(ge=1, le=MOST_REVIEWED)] = PAGE,
        after: Cursor | None = None,
        rule: Word | None = None,
        source: Word | None = None,
    ) -> CorrectionPage:
        """List corrections in one state, oldest first, page by page.

        The correction that has waited longest comes first. New ones come at the end, so that no page changes under a
        reviewer's hands. `rule` and `source` narrow the list.
        """
        place = _place(after) if after else None
        wanted = CorrectionList(state, limit + 1, place, rule, source)
        found = await store.read(lambda of: of.trust.reviews.page(problem.name, wanted))
        page = found[:limit]
        return CorrectionPage(
            corrections=[ReviewedCorrection(**_shown(each)) for each in page],
            next=_cursor(page[-1]) if len(found) > limit else None,
        )

    @router.get("/{correction_id}", responses=responses(401, 404, 422, 503))
    async def get_correction(
        correction_id: Annotated[str, Path(max_length=36, pattern=TEXT)], store: TheStore
    ) -> CorrectionWithHistory:
        """Show a correction with its vetting and its history."""
        found, history = await store.read(lambda of: _with_history(of, problem, correction_id))
        if found is None:
            raise HTTPException(404, f"there is no correction {correction_id}")
        changes = [StateChange(**{name: getattr(each, name) for name in StateChange.model_fields}) for each in history]
        return CorrectionWithHistory(**_shown(found), history=changes)

    @router.post("/review", responses=responses(400, 401, 404, 409, 413, 415, 422, 503))
    async def post_review(body: ReviewBody, sender: TheSender, store: TheStore, outbox: TheOutbox) -> ReviewDone:
        """Approve or reject corrections in quarantine. An approved one goes on into fine-tuning, without vetting.

        A review that comes twice changes nothing. The first decision about a correction holds: `result` says so for
        each correction that this review did not decide. A review of one correction answers 404 or 409 instead.
        """
        review = CorrectionReview(DECISIONS[body.decision], sender.source, body.note)
        results = await store.write(lambda of: of.trust.reviews.decide(problem.name, body.ids, review))
        outbox.wake()
        shown = [DecisionResult(correction_id=each.id, result=each.result, detail=_said(each)) for each in results]
        if len(shown) == 1 and shown[0].result not in {"decided", "decided before"}:
            raise HTTPException(404 if shown[0].result == "unknown" else 409, shown[0].detail)
        return ReviewDone(corrections=shown)

    return router


def _with_history(
    store: Store, problem: Problem, correction_id: str
) -> tuple[VettedCorrection | None, Sequence[CorrectionEvent]]:
    return store.trust.reviews.get(problem.name, correction_id), store.trust.events.of(correction_id)


def _shown(found: VettedCorrection) -> dict[str, Any]:
    """Return the fields of a `ReviewedCorrection`."""
    correction = found.suggestion
    return {
        "correction_id": correction.id,
        "model_version": correction.trained_version,
        "number": found.number if found.number is not None and math.isfinite(found.number) else None,
        **{
            name: getattr(correction, name)
            for name in ("received_at", "features", "class_name", "prediction_id", "source", "state", "flow_run_id")
        },
        **{
            name: getattr(found, name)
            for name in ("reason", "rule", "details", "outcome", "reviewer", "reviewed_at", "note")
        },
    }


def _said(result: ReviewResult) -> str:
    """Return the result for one correction in words."""
    found = result.found
    if found is None:
        return f"there is no correction {result.id}"
    match result.result:
        case "decided":
            return "done"
        case "not in quarantine":
            return f"correction {result.id} is {found.suggestion.state}, and needs no review"
        case _:
            before = (
                f"{found.reviewer} {found.outcome} correction {result.id} at {found.reviewed_at:%Y-%m-%d %H:%M} UTC"
            )
            if result.result == "decided before":
                return before
            way = "withdraw it" if found.outcome == "approved" else "send it again"
            return f"{before}, and that holds; to change it, {way}"
