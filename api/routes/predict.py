"""Predictions over HTTP."""

from typing import Any

from fastapi import APIRouter, Response

from api.http.errors import responses
from api.inference.prediction_batch import PredictionBatch
from api.inference.predictor import answer
from api.routes.dependencies import Offload, ServedModel, ThePredictor, router_for_bodies
from api.schemas.requests import predict_body, row_reader, sample_row
from api.schemas.responses import Prediction, Predictions
from common.problem import Problem


def predict_router(problem: Problem) -> APIRouter:
    """Return the routes that predict for `problem`."""
    router = router_for_bodies(tags=["predict"])
    # Made at run time from the problem's features, so that a type checker cannot know it.
    Body: Any = predict_body(problem)
    features = row_reader(problem)

    @router.post("/predict", response_model=Prediction | Predictions, responses=responses(400, 413, 415, 422, 503))
    async def post_predict(body: Body, served: ServedModel, predictor: ThePredictor, offload: Offload) -> Response:
        """Predict the class of one row, given by its fields, or of many, given as `data`. All are logged."""
        if "data" in type(body).model_fields:
            response: Response = await offload(lambda: _many(predictor.predict(served, body.data)))
            return response
        return _one(predictor.predict(served, [features(body)]))

    @router.get("/predict/test", summary="A sample prediction", response_model=Prediction, responses=responses(503))
    async def test_predict(served: ServedModel) -> Response:
        """Predict the features' examples: a look whether all is well, which is neither counted nor logged."""
        return _one(answer(served, sample_row(problem)))

    return router


def _many(batch: PredictionBatch) -> Response:
    return _json(batch, batch.json_batch())


def _one(batch: PredictionBatch) -> Response:
    return _json(batch, batch.json_rows()[0])


def _json(batch: PredictionBatch, content: bytes) -> Response:
    return Response(content, media_type="application/json", headers={"server-timing": batch.server_timing})
