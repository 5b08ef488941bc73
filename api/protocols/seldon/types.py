"""The shapes of Seldon Core's v1 protocol, for clients that were written for it.

Source: Seldon Core's documentation, "External Prediction API", and its `prediction.proto`, of which only `ndarray` is
understood here.
"""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, SkipValidation, create_model

from api.inference.prediction_batch import PredictionBatch
from api.schemas.requests import MAX_ROWS, rows_type
from common.problem import Problem

# Seldon's own clients send more than is used here: names, meta, reward, the response that they had.
LENIENT = ConfigDict(extra="ignore", allow_inf_nan=False)
TRUTHS = ("truth", "data", "ndarray")

Truth = int | float | str
# Looked at by `class_names`, which stops at the first that is wrong: pydantic would tell four errors of each.
AnyTruth = Annotated[Truth | list[Truth], SkipValidation]


class TruthData(BaseModel):
    """One truth per row: `[2]` or `2` is the index of a class, `["Iris-setosa"]` its name, `[0, 0, 1]` one-hot."""

    model_config = LENIENT

    ndarray: list[AnyTruth] = Field(min_length=1, max_length=MAX_ROWS, examples=[[[2]]])


class TruthMessage(BaseModel):
    """What the rows of the request should have been."""

    model_config = LENIENT

    data: TruthData


class OutputData(BaseModel):
    """The probability of every class, per row; for a model that gives none, the index of the class."""

    names: list[str]
    ndarray: list[list[float]]


class Output(BaseModel):
    """An answer. `meta.puid` is the id of the first row's prediction, `meta.tags.prediction_ids` has all."""

    data: OutputData
    meta: dict[str, Any]


class Judged(BaseModel):
    """Feedback is kept and counted."""

    data: dict[str, Any]
    meta: dict[str, Any]


def request_model(problem: Problem) -> type[BaseModel]:
    """Return the body of a prediction: `{"data": {"ndarray": [[…], …]}}`, each row the features in order."""
    example = [[feature.example for feature in problem.features]]
    rows = Field(min_length=1, max_length=MAX_ROWS, examples=[example])
    title = problem.onnx_name.removesuffix("Model")
    data = create_model(f"{title}SeldonData", __config__=LENIENT, ndarray=(rows_type(problem), rows))
    return create_model(f"{title}SeldonRequest", __config__=LENIENT, data=(data, ...))


def feedback_model(problem: Problem) -> type[BaseModel]:
    """Return the body of feedback: the request, and the truth about its rows."""
    title = problem.onnx_name.removesuffix("Model")
    return create_model(
        f"{title}SeldonFeedback", __config__=LENIENT, request=(request_model(problem), ...), truth=(TruthMessage, ...)
    )


def output(answered: PredictionBatch) -> Output:
    """Return answers in Seldon's shape."""
    model, probabilities = answered.served.model, answered.answer.probabilities
    if probabilities is not None:
        data = OutputData(names=list(model.classes), ndarray=probabilities.tolist())
    else:
        data = OutputData(names=["class"], ndarray=[[label] for label in answered.answer.labels.tolist()])
    tags = {"prediction_ids": answered.ids, "class_names": answered.class_names}
    return Output(data=data, meta=_meta(answered) | {"tags": tags})


def judged(answered: PredictionBatch) -> Judged:
    """Return the answer to feedback."""
    return Judged(data={}, meta=_meta(answered))


def class_names(truths: Sequence[Any], rows: int, classes: Sequence[str]) -> list[str]:
    """Return the class that each truth means, for so many rows.

    Raises:
        RequestValidationError: there are more or fewer truths than rows, or one means no class.
    """
    if len(truths) != rows:
        raise _invalid(TRUTHS, f"{len(truths)} truths for {rows} rows")
    return [_class_name(truth, row, classes) for row, truth in enumerate(truths)]


def _class_name(truth: Any, row: int, classes: Sequence[str]) -> str:
    match truth:
        case list() if _is_one_hot(truth, len(classes)):
            return classes[truth.index(1)]
        # True is no index.
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
