"""Feedback on predictions, and the predictions in the log, over HTTP."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, HTTPException

from api.corrections.ground_truth import check_class, record_feedback
from api.http.access import WITH_KEY, TheSender
from api.http.errors import responses
from api.routes.dependencies import TheChampion, TheLog, TheStore, router_for_bodies
from api.schemas.requests import truth_model
from api.schemas.responses import RememberedPrediction, Told
from common.problem import Problem
from common.store.predictions import LoggedPrediction


def feedback_router(problem: Problem) -> APIRouter:
    """Return the routes for feedback on `problem`'s predictions."""
    router = router_for_bodies(tags=["feedback"], dependencies=[WITH_KEY])
    # Made from the problem's classes at run time, so that a type checker cannot know it.
    Body: Any = truth_model(problem)

    @router.post("/feedback", responses=responses(400, 401, 404, 409, 413, 415, 422, 503))
    async def post_feedback(body: Body, sender: TheSender, champion: TheChampion, store: TheStore, log: TheLog) -> Told:
        """Store the ground truth of a prediction, whenever it is known. It is durable before the response.

        The same ground truth again changes nothing; another one needs `replace`.
        """
        check_class(body.class_name, champion.current, problem)
        prediction_id, class_name = body.prediction_id, body.class_name
        said = {"replace": body.replace, "source": sender.source, "trusted": sender.trusted}
        await record_feedback(
            prediction_id, lambda of: of.feedback.give(str(prediction_id), class_name, **said), store, log
        )
        return Told(prediction_id=prediction_id, class_name=class_name)

    @router.get("/predictions/{prediction_id}", responses=responses(401, 404, 422, 503))
    async def get_prediction(prediction_id: UUID, store: TheStore) -> list[RememberedPrediction]:
        """Show a prediction in the log: the champion's answer, and the challenger's if there was one."""
        found = await store.read(lambda of: of.predictions.get(str(prediction_id)))
        if not found:
            raise HTTPException(404, f"there is no prediction {prediction_id} (yet: the log may be 250 ms behind)")
        return [_shown(each) for each in found]

    return router


def _shown(found: LoggedPrediction) -> RememberedPrediction:
    row = {name: value for name, value in found.row.items() if name in RememberedPrediction.model_fields}
    return RememberedPrediction(
        prediction_id=UUID(found.row["id"]),
        truth=found.truth,
        exported=found.exported_at is not None,
        trained_version=found.trained_version,
        **row,
    )
