"""Corrections over HTTP: receiving them, and showing their state."""

from operator import methodcaller
from typing import Any
from uuid import UUID

import uuid_utils.compat as uuid_utils
from fastapi import APIRouter, HTTPException

from api.corrections.ground_truth import check_class, record_feedback
from api.http.access import TheSender
from api.http.errors import responses
from api.routes.dependencies import FOR_CORRECTIONS, ServedModel, TheLog, TheOutbox, TheStore, router_for_bodies
from api.schemas.requests import row_reader, suggestion_model
from api.schemas.responses import Accepted, SuggestionStatus, VerdictOnCorrection
from common.judgement.gate import WORDS
from common.problem import Problem
from common.store import Store
from common.store.judgements import JudgementRecord
from common.store.suggestions import TRAIN_AT, Suggestion

# The detail of a state for clients that see no figures.
IN_WORDS = {
    "quarantined": "quarantined: a reviewer will look at it",
    "refused": "refused: no version will learn it",
    "withdrawn": "withdrawn: somebody took it back",
}


def suggest_router(problem: Problem) -> APIRouter:
    """Return the routes for corrections of `problem`'s predictions."""
    router = router_for_bodies(prefix="/suggest", tags=["suggest"])
    # Made from the problem's features at run time, so that a type checker cannot know it.
    Body: Any = suggestion_model(problem)
    features = row_reader(problem)

    @router.post(
        "",
        status_code=202,
        dependencies=FOR_CORRECTIONS,
        responses=responses(400, 401, 404, 409, 413, 415, 422, 429, 503),
    )
    async def post_suggest(  # noqa: PLR0913, PLR0917  # FastAPI gives each by its name
        body: Body, sender: TheSender, served: ServedModel, store: TheStore, log: TheLog, outbox: TheOutbox
    ) -> Accepted:
        """Store a correction to learn from. It is durable before the response.

        With a `prediction_id` it is also feedback, as `POST /feedback` takes it.
        """
        check_class(body.class_name, served, problem)
        suggestion_id = uuid_utils.uuid7()
        suggestion = Suggestion(
            id=str(suggestion_id),
            problem=problem.name,
            features=dict(zip(problem.columns, features(body), strict=True)),
            class_name=body.class_name,
            prediction_id=str(body.prediction_id) if body.prediction_id else None,
            source=sender.source,
            trusted=sender.trusted,
        )
        keep = methodcaller("correct", suggestion, replace=body.replace)
        await (record_feedback(body.prediction_id, keep, store, log) if body.prediction_id else store.write(keep))
        outbox.wake()
        return Accepted(suggestion_id=suggestion_id)

    @router.get("/{suggestion_id}", responses=responses(404, 422, 503))
    async def get_suggestion(suggestion_id: UUID, sender: TheSender, store: TheStore) -> SuggestionStatus:
        """Show the state of a correction, and the verdict on the candidates that had learnt it.

        If the service has a key, a client without it gets both in words, without figures.
        """
        return await store.read(lambda of: _status(of, str(suggestion_id), figures=sender.sees_figures))

    return router


def _status(store: Store, suggestion_id: str, *, figures: bool) -> SuggestionStatus:
    suggestion = store.suggestions.get(suggestion_id)
    if suggestion is None:
        raise HTTPException(404, f"there is no suggestion {suggestion_id}")
    judgement = store.judgements.of(suggestion.judgement_id) if suggestion.judgement_id else None
    # Reasons and errors have figures and addresses.
    detail = _detail(store, suggestion) if figures else IN_WORDS.get(suggestion.state, suggestion.state)
    return SuggestionStatus(
        suggestion_id=UUID(suggestion.id),
        state=suggestion.state,
        detail=f"{detail}{store.suggestions.tell_more(suggestion, figures)}",
        flow_run_id=UUID(suggestion.flow_run_id) if suggestion.flow_run_id else None,
        model_version=suggestion.trained_version,
        judgement=_verdict(judgement, figures=figures) if judgement else None,
    )


def _verdict(judgement: JudgementRecord, *, figures: bool) -> VerdictOnCorrection:
    details = dict(judgement.details) if figures else {"because": WORDS[judgement.verdict]}
    return VerdictOnCorrection(verdict=judgement.verdict, reason=details.pop("because"), figures=details or None)


def _detail(store: Store, suggestion: Suggestion) -> str:
    match suggestion.state:
        case "trained":
            return f"trained in version {suggestion.trained_version}"
        case "refused" | "quarantined" | "withdrawn" as end:
            return f"{end}: {getattr(suggestion, f'{end}_because')}"
        case "received":
            return f"not delivered yet: {suggestion.last_error}" if suggestion.last_error else "received"
        case "delivered":
            state = "delivered"
        case "waiting" if suggestion.judgement_id:
            state = "waiting: the last version that learnt it had no effect, and the next one will learn it again"
        case "waiting":
            state = f"waiting ({min(len(store.suggestions.unjudged(suggestion.problem)), TRAIN_AT)} of {TRAIN_AT})"
    return f"{state}, to be delivered anew: {suggestion.last_error}" if suggestion.last_error else state
