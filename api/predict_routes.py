"""Predictions over HTTP."""

from typing import Any

from fastapi import APIRouter

from api.dependencies import ServedModel, ThePredictor
from api.errors import responses
from api.predict import answer, sample_row
from api.schemas import Prediction, Predictions, predict_body, row_of
from common.problem import Problem


def predict_router(problem: Problem) -> APIRouter:
    """Return the routes that predict for `problem`."""
    router = APIRouter(tags=["predict"])
    # Made at run time from the problem's features, so that a type checker cannot know it.
    Body: Any = predict_body(problem)

    @router.post("/predict", responses=responses(400, 413, 415, 422, 503))
    async def post_predict(body: Body, served: ServedModel, predictor: ThePredictor) -> Prediction | Predictions:
        """Predict the class of one row, given by its fields, or of many, given as `data`. All are logged."""
        if "data" in type(body).model_fields:
            return Predictions(predictions=predictor.predict(served, body.data).predictions())
        return predictor.predict(served, [row_of(body, problem)]).predictions()[0]

    @router.get("/predict/test", summary="A sample prediction", responses=responses(503))
    async def test_predict(served: ServedModel) -> Prediction:
        """Predict the features' examples: a look whether all is well, which is neither counted nor logged."""
        return answer(served, sample_row(problem)).predictions()[0]

    return router
