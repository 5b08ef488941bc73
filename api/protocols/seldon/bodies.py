"""Bodies of Seldon's protocol: rows and truths as `ndarray` or as `tensor`, and the answers to them."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, SkipValidation, create_model, model_validator
from pydantic_core import PydanticCustomError

from api.schemas.requests import MAX_ROWS, rows_type, sample_row, title
from common.problem import Problem

FORMS = ("ndarray", "tensor")
ONE_FORM = ConfigDict(json_schema_extra={"oneOf": [{"required": [form]} for form in FORMS]})

SingleNumber = Annotated[float, Field(strict=True)]
TruthValue = int | float | str
# `class_names` checks the values and stops at the first mistake. pydantic would report four errors for each value.
AnyTruth = Annotated[TruthValue | list[TruthValue], SkipValidation]


class Lenient(BaseModel):
    """A body with further fields: Seldon's clients send names, meta, a reward and the earlier response, too."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


class SeldonTensor(Lenient):
    """Numbers, row by row, and how many there are in each dimension: `[rows, columns]`, or `[rows]`."""

    shape: list[Annotated[int, Field(ge=1, strict=True)]] = Field(min_length=1, max_length=2)
    values: list[SingleNumber] = Field(min_length=1)


class InOneForm(Lenient):
    """Data as `ndarray` or as `tensor`; the missing one is empty."""

    model_config = ONE_FORM

    tensor: SeldonTensor = Field(default_factory=lambda: None)  # type: ignore[assignment]  # see the docstring

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        given = [form for form in FORMS if form in self.model_fields_set]
        if len(given) != 1:
            raise PydanticCustomError("form", "send ndarray or tensor, one of the two")
        return self


class TruthData(InOneForm):
    """The class of each row: `[2]` or `2` is its index, `["Iris-setosa"]` its name, `[0, 0, 1]` is one-hot."""

    ndarray: list[AnyTruth] = Field(default_factory=list, min_length=1, max_length=MAX_ROWS, examples=[[[2]]])


class OutputNdarray(BaseModel):
    """The probability of every class, for each row; or, for each row, the index of its class."""

    names: list[str] = Field(description="the classes of the probabilities; empty where the index of the class stands")
    ndarray: list[int] | list[list[float]]


class OutputTensor(BaseModel):
    """A tensor of the same numbers: `[rows, classes]`, or `[rows]`."""

    names: list[str]
    tensor: SeldonTensor


class Output(BaseModel):
    """Predictions. `meta.puid` is the id of the first row's prediction; `meta.tags.prediction_ids` has all ids.

    For a binary problem, `meta.metrics` has the counts of the champion's labelled answers.
    """

    data: OutputNdarray | OutputTensor
    meta: dict[str, Any]


class Judged(BaseModel):
    """The feedback is kept and counted."""

    data: dict[str, Any]
    meta: dict[str, Any]


def request_model(problem: Problem) -> type[BaseModel]:
    """Return the body of a prediction: `{"data": {"ndarray": [[…], …]}}`, each row the features in order.

    Where all features are numbers, `{"data": {"tensor": {"shape": [rows, features], "values": […]}}}` says the same.
    """
    data = _data_model(problem)
    return create_model(f"{title(problem)}SeldonRequest", __base__=Lenient, data=(data, ...))


def feedback_model(problem: Problem) -> type[BaseModel]:
    """Return the body of feedback: the request, and the ground truth of its rows."""
    name, request = f"{title(problem)}SeldonFeedback", request_model(problem)
    tensor = _tensor(f"{title(problem)}SeldonTruth", len(problem.target.classes))
    data = create_model(f"{title(problem)}SeldonTruth", __base__=TruthData, __doc__=TruthData.__doc__, tensor=tensor)
    truth = create_model(f"{title(problem)}SeldonTruthMessage", __base__=Lenient, data=(data, ...))
    return create_model(name, __base__=Lenient, request=(request, ...), truth=(truth, ...))


def _data_model(problem: Problem) -> type[BaseModel]:
    described: dict[str, Any] = {"min_length": 1, "max_length": MAX_ROWS, "examples": [sample_row(problem)]}
    name, rows = f"{title(problem)}SeldonData", rows_type(problem)
    if not problem.is_numeric:
        return create_model(name, __base__=Lenient, ndarray=(rows, Field(**described)))
    lists = rows, Field(default_factory=list, **described)
    return create_model(name, __base__=InOneForm, tensor=_tensor(name, len(problem.features)), ndarray=lists)


def _tensor(name: str, width: int) -> tuple[Any, Any]:
    """Return a field for a tensor of at most `MAX_ROWS` rows; pydantic stops at the first number beyond."""
    values = Annotated[list[SingleNumber], Field(min_length=1, max_length=MAX_ROWS * width, fail_fast=True)]
    tensor = create_model(f"{name}Tensor", __base__=SeldonTensor, __doc__=SeldonTensor.__doc__, values=(values, ...))
    return tensor, Field(default_factory=lambda: None)
