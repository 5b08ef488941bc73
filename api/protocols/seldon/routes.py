"""Predictions and feedback over HTTP as Seldon Core's v1 protocol has them."""

from functools import partial
from typing import Any

from fastapi import APIRouter, Depends

from api.http.access import WITH_KEY
from api.http.errors import responses
from api.http.json_bodies import BoundedRoute
from api.inference.predictor import answer
from api.protocols.seldon.types import Judged, Output, class_names, feedback_model, judged, output, request_model
from api.routes.dependencies import Offload, ServedModel, ThePredictor, TheStore
from common.problem import Problem


def seldon_router(problem: Problem) -> APIRouter:
    """Return the routes, at the root and under `/seldon/<namespace>/<deployment>`, where Seldon's gateway has them."""
    router = APIRouter(tags=["seldon"])
    protocol = _protocol(problem)
    router.include_router(protocol)
    router.include_router(protocol, prefix="/seldon/{namespace}/{deployment}", dependencies=[Depends(_deployment)])
    return router


def _protocol(problem: Problem) -> APIRouter:
    router = APIRouter(prefix="/api/v1.0", route_class=BoundedRoute)
    # Made at run time from the problem's features, so that a type checker cannot know them.
    Body: Any = request_model(problem)
    FeedbackBody: Any = feedback_model(problem)

    @router.post("/predictions", responses=responses(400, 413, 415, 422, 503))
    async def post_predictions(body: Body, served: ServedModel, predictor: ThePredictor, offload: Offload) -> Output:
        """Predict, as `POST /predict` does."""
        rows = body.data.ndarray
        found: Output = await offload(lambda: output(predictor.predict(served, rows)))
        return found

    @router.post("/feedback", dependencies=[WITH_KEY], responses=responses(400, 401, 413, 415, 422, 503))
    async def post_seldon_feedback(
        body: FeedbackBody, served: ServedModel, store: TheStore, predictor: ThePredictor, offload: Offload
    ) -> Judged:
        """Predict rows whose truth is known, and keep both, durably. There is no id: each call is a new prediction."""
        rows = body.request.data.ndarray
        truths = class_names(body.truth.data.ndarray, len(rows), served.model.classes)
        answered = await offload(partial(answer, served, rows))
        await store.write(lambda of: of.feedback.give_new(answered.log_rows(problem), truths))
        predictor.offer(answered)
        return judged(answered)

    return router


async def _deployment(namespace: str, deployment: str) -> None:
    """Take the names of a deployment: there is only this one, whatever it is called."""
