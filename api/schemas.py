"""Bodies of requests and answers. Those that hold features are made from the problem."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, create_model

from common.problem import Feature, Problem
from common.store import State

MAX_ROWS = 10_000

STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
# `model_` begins names of ours; pydantic would keep the prefix for itself.
ANSWER = ConfigDict(protected_namespaces=())


class Prediction(BaseModel):
    """The answer for one row. `probabilities` is null for a model that gives none."""

    model_config = ANSWER

    class_name: str = Field(examples=["Iris-setosa"])
    probabilities: dict[str, float] | None = Field(
        examples=[{"Iris-setosa": 0.98, "Iris-versicolor": 0.02, "Iris-virginica": 0.0}]
    )
    prediction_id: UUID = Field(description="remember it: the truth about this prediction is told by it")
    model_name: str = Field(examples=["IrisModel"])
    model_version: int = Field(examples=[3])


class Predictions(BaseModel):
    """The answers for the rows of a batch, in their order, all by one version."""

    predictions: list[Prediction]


class Tensor(BaseModel):
    """What goes into the model or comes out of it."""

    name: str = Field(examples=["input"])
    dtype: str = Field(examples=["float32"])
    shape: list[int | None] = Field(examples=[[None, 4]], description="null: any number of rows")
    columns: list[dict[str, Any]] = Field(description="the columns of the second dimension, in order")
    sample: list[Any] = Field(examples=[[[5.1, 3.5, 1.4, 0.2]]])


class Metadata(BaseModel):
    """Data type, structure and a sample of the model's input and output."""

    model_config = ANSWER

    model_name: str
    model_version: int
    inputs: list[Tensor]
    outputs: list[Tensor]


class Health(BaseModel):
    """Whether the service is well."""

    health: Literal["ok"] = "ok"


class Accepted(BaseModel):
    """A suggestion is kept; ask `GET /suggest/{suggestion_id}` what became of it."""

    suggestion_id: UUID


class SuggestionStatus(BaseModel):
    """Where a suggestion is on its way into a model."""

    model_config = ANSWER

    suggestion_id: UUID
    state: State
    detail: str = Field(examples=["waiting (3 of 5)"])
    flow_run_id: UUID | None = Field(None, description="its run in Prefect, once there is one")
    model_version: int | None = Field(None, description="the version that has learnt from it")


def instance_model(problem: Problem) -> type[BaseModel]:
    """Return the body for one row: a field per feature."""
    fields: dict[str, Any] = {feature.name: (float, _field(feature)) for feature in problem.features}
    return create_model(f"{_title(problem)}Features", __config__=STRICT, **fields)


def batch_model(problem: Problem) -> type[BaseModel]:
    """Return the body for many rows: `{"data": [[…], …]}`, each row the features in order."""
    columns = tuple(Annotated[float, _field(feature)] for feature in problem.features)
    row = tuple[columns]  # type: ignore[valid-type]  # the types are values here
    example = [[feature.example for feature in problem.features]]
    data = Field(
        min_length=1, max_length=MAX_ROWS, description="rows: " + ", ".join(problem.columns), examples=[example]
    )
    return create_model(f"{_title(problem)}Batch", __config__=STRICT, data=(list[row], data))


def predict_body(problem: Problem) -> Any:
    """Return the type of the body of `POST /predict`: one row or many."""
    one, many = instance_model(problem), batch_model(problem)
    return Annotated[Annotated[one, Tag("one")] | Annotated[many, Tag("many")], Discriminator(_one_or_many)]


def suggestion_model(problem: Problem) -> type[BaseModel]:
    """Return the body of `POST /suggest`: the features, the right class, and optionally the prediction's id."""
    return create_model(
        f"{_title(problem)}Suggestion",
        __base__=instance_model(problem),
        class_name=(str, Field(description="the right class", examples=[problem.target.classes[0]])),
        prediction_id=(UUID | None, Field(None, description="the prediction that this corrects")),
    )


def _field(feature: Feature) -> Any:
    return Field(
        strict=True,
        ge=feature.minimum,
        le=feature.maximum,
        description=f"{feature.description}, in {feature.unit}",
        examples=[feature.example],
        json_schema_extra={"unit": feature.unit},
    )


def _one_or_many(body: Any) -> str:
    many = isinstance(body, dict) and "data" in body
    return "many" if many else "one"


def _title(problem: Problem) -> str:
    return problem.onnx_name.removesuffix("Model")
