"""Seldon Core's protocol v1: predictions and feedback for clients that were written for it.

Source: Seldon Core's documentation, "External Prediction API", and its `prediction.proto`, of which this service
understands `ndarray` only.
"""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, SkipValidation, create_model

from api.http.access import WITH_KEY, TheSender
from api.http.errors import responses
from api.http.json_bodies import BoundedRoute
from api.inference.prediction_batch import PredictionBatch
from api.inference.predictor import answer
from api.routes.dependencies import Offload, ServedModel, ThePredictor, TheStore
from api.schemas.requests import MAX_ROWS, rows_type, sample_row, title
from common.problem import Problem

# Seldon's own clients send fields that this service does not use: names, meta, reward, the earlier response.
LENIENT = ConfigDict(extra="ignore", allow_inf_nan=False)
TRUTHS = ("truth", "data", "ndarray")

TruthValue = int | float | str
# `class_names` checks the values and stops at the first mistake. pydantic would report four errors for each value.
AnyTruth = Annotated[TruthValue | list[TruthValue], SkipValidation]


class TruthData(BaseModel):
    """The class of each row: `[2]` or `2` is its index, `["Iris-setosa"]` its name, `[0, 0, 1]` is one-hot."""

    model_config = LENIENT

    ndarray: list[AnyTruth] = Field(min_length=1, max_length=MAX_ROWS, examples=[[[2]]])


class TruthMessage(BaseModel):
    """The ground truth of the request's rows."""

    model_config = LENIENT

    data: TruthData


class OutputData(BaseModel):
    """The probability of every class, for each row; from a model without probabilities, the index of the class."""

    names: list[str]
    ndarray: list[list[float]]


class Output(BaseModel):
    """Predictions. `meta.puid` is the id of the first row's prediction; `meta.tags.prediction_ids` has all ids."""

    data: OutputData
    meta: dict[str, Any]


class Judged(BaseModel):
    """The feedback is kept and counted."""

    data: dict[str, Any]
    meta: dict[str, Any]


def seldon_router(problem: Problem) -> APIRouter:
    """Return the routes, at the root and under `/seldon/<namespace>/<deployment>`, where Seldon's gateway has them."""
    router = APIRouter(tags=["seldon"])
    protocol = _protocol(problem)
    router.include_router(protocol)
    router.include_router(protocol, prefix="/seldon/{namespace}/{deployment}", dependencies=[Depends(_deployment)])
    return router


def _protocol(problem: Problem) -> APIRouter:
    router = APIRouter(prefix="/api/v1.0", route_class=BoundedRoute)
    # A type checker cannot know these types, because they are made from the problem's features at run time.
    Body: Any = request_model(problem)
    FeedbackBody: Any = feedback_model(problem)

    @router.post("/predictions", responses=responses(400, 413, 415, 422, 503))
    async def post_predictions(body: Body, served: ServedModel, predictor: ThePredictor, offload: Offload) -> Output:
        """Predict, as `POST /predict` does."""
        rows = body.data.ndarray
        found: Output = await offload(lambda: output(predictor.predict(served, rows)))
        return found

    @router.post("/feedback", dependencies=[WITH_KEY], responses=responses(400, 401, 413, 415, 422, 503))
    async def post_seldon_feedback(  # noqa: PLR0913, PLR0917  # FastAPI gives each by its name
        body: FeedbackBody,
        sender: TheSender,
        served: ServedModel,
        store: TheStore,
        predictor: ThePredictor,
        offload: Offload,
    ) -> Judged:
        """Predict rows whose ground truth is known, and keep both, durably.

        The protocol has no id for a prediction, so each call makes new predictions.
        """
        rows = body.request.data.ndarray
        truths = class_names(body.truth.data.ndarray, len(rows), served.model.classes)
        answered = await offload(partial(answer, served, rows))
        source, trusted = sender.source, sender.trusted
        rows = answered.log_rows(problem)
        await store.write(lambda of: of.known_rows.write(rows, truths, source=source, trusted=trusted))
        predictor.offer(answered)
        return Judged(data={}, meta=_meta(answered))

    return router


async def _deployment(namespace: str, deployment: str) -> None:
    """Declare the path's parameters. All names lead to the one deployment that there is."""


def request_model(problem: Problem) -> type[BaseModel]:
    """Return the body of a prediction: `{"data": {"ndarray": [[…], …]}}`, each row the features in order."""
    rows = Field(min_length=1, max_length=MAX_ROWS, examples=[sample_row(problem)])
    data = create_model(f"{title(problem)}SeldonData", __config__=LENIENT, ndarray=(rows_type(problem), rows))
    return create_model(f"{title(problem)}SeldonRequest", __config__=LENIENT, data=(data, ...))


def feedback_model(problem: Problem) -> type[BaseModel]:
    """Return the body of feedback: the request, and the ground truth of its rows."""
    name, request = f"{title(problem)}SeldonFeedback", request_model(problem)
    return create_model(name, __config__=LENIENT, request=(request, ...), truth=(TruthMessage, ...))


def output(answered: PredictionBatch) -> Output:
    """Return predictions in Seldon's form."""
    model, probabilities = answered.served.model, answered.answer.probabilities
    if probabilities is not None:
        data = OutputData(names=list(model.classes), ndarray=probabilities.tolist())
    else:
        data = OutputData(names=["class"], ndarray=[[label] for label in answered.answer.labels.tolist()])
    tags = {"prediction_ids": answered.ids, "class_names": answered.class_names}
    return Output(data=data, meta=_meta(answered) | {"tags": tags})


def class_names(truths: Sequence[Any], rows: int, classes: Sequence[str]) -> list[str]:
    """Return the name of the class that each ground truth means.

    Args:
        truths: the values of the request, in any form of `TruthData`.
        rows: the number of rows that they are for.
        classes: the names of the model's classes, in order.

    Raises:
        RequestValidationError: there are more or fewer truths than rows, or a truth means no class.
    """
    if len(truths) != rows:
        raise _invalid(TRUTHS, f"{len(truths)} truths for {rows} rows")
    return [_class_name(truth, row, classes) for row, truth in enumerate(truths)]


def _class_name(truth: Any, row: int, classes: Sequence[str]) -> str:
    match truth:
        case list() if _is_one_hot(truth, len(classes)):
            return classes[truth.index(1)]
        # A bool is an int for Python, but no index here.
        case [int() | float() | str() as only] | (int() | float() | str() as only) if not isinstance(only, bool):
            if isinstance(only, str):
                if only in classes:
                    return only
            elif only in range(len(classes)):
                return classes[int(only)]
    raise _invalid((*TRUTHS, row), f"unknown class; known are {', '.join(classes)}, or 0 to {len(classes) - 1}")


def _is_one_hot(truth: Sequence[Any], classes: int) -> bool:
    if not 1 < len(truth) == classes or set(map(type, truth)) - {int, float}:
        return False
    return sorted(truth) == [0] * (classes - 1) + [1]


def _invalid(place: tuple[str | int, ...], message: str) -> RequestValidationError:
    return RequestValidationError([{"loc": ("body", *place), "msg": message}])


def _meta(answered: PredictionBatch) -> dict[str, Any]:
    version = answered.served.version
    return {"puid": answered.ids[0], "requestPath": {version.name: str(version.number)}}
