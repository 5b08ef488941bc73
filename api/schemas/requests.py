"""Bodies of requests and answers. Those that hold features are made from the problem."""

from collections.abc import Callable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, create_model

from common.evaluate import Estimate
from common.problem import TEXT, Feature, Problem, Value
from common.store.champions import How
from common.store.suggestions import State
from common.store.tables import Role

MAX_ROWS = 10_000
MAX_CATEGORY = 200  # characters
REPLACE = "whether another truth, told before about the same prediction, was wrong"

# Bodies that `/predict` takes, as the places of errors name them: no feature can be called so.
BODIES = ("<one row>", "<many rows>")

STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
# `model_` begins names of ours; pydantic would keep the prefix for itself.
ANSWER = ConfigDict(protected_namespaces=())


class Prediction(BaseModel):
    """The answer for one row. What a model does not give is null."""

    model_config = ANSWER

    class_name: str
    probabilities: dict[str, float] | None = Field(description="by class")
    prediction_id: UUID = Field(description="remember it: the truth about this prediction is told by it")
    model_name: str
    model_version: int = Field(examples=[3])
    is_outlier: bool | None = Field(examples=[False], description="whether the row is unlike the training data")
    outlier_score: float | None = Field(
        examples=[0.71], description="as scikit-learn's decision_function: the lower, the less alike"
    )


class Predictions(BaseModel):
    """The answers for the rows of a batch, in their order, all by one version."""

    predictions: list[Prediction]


class RememberedPrediction(BaseModel):
    """A prediction as it is logged, and what has become of it."""

    model_config = ANSWER

    prediction_id: UUID
    role: Role
    model_name: str
    model_version: int
    predicted_at: datetime
    features: dict[str, float | str]
    class_name: str
    probabilities: dict[str, float] | None
    confidence: float | None = Field(description="the probability of the class")
    is_outlier: bool | None
    outlier_score: float | None
    truth: str | None = Field(description="the class that it should have been; null until somebody tells")
    exported: bool = Field(description="whether it is in the external log")
    trained_version: int | None = Field(description="the version that has learnt from a correction of it")


class ClassStatistics(BaseModel):
    """How one class fares against the rest. Null where there are no data."""

    class_name: str
    true_pos: int
    false_pos: int
    true_neg: int
    false_neg: int
    precision: Estimate | None
    recall: Estimate | None
    specificity: Estimate | None
    f1: Estimate | None


class VersionStatistics(BaseModel):
    """What a version has answered in a role, and how it stands up to the truth. Null where there are no data."""

    model_config = ANSWER

    model_version: int
    role: Role
    predictions: int
    outliers: int
    labels: int = Field(description="predictions whose truth is known")
    accuracy: Estimate | None
    precision: float | None = Field(description="mean over the classes, as the next three; a mean has no interval")
    recall: float | None
    specificity: float | None
    f1: float | None
    classes: list[ClassStatistics]
    confusion: list[list[int]] = Field(description="counts by true class (rows) and predicted class, as in `classes`")


class Comparison(BaseModel):
    """Champion against challenger, on the labelled rows that both have answered."""

    champion: int
    challenger: int
    both_right: int
    only_champion_right: int
    only_challenger_right: int
    both_wrong: int
    p_value: float = Field(description="McNemar's exact test, two-sided: small if one of them is right more often")


class Reign(BaseModel):
    """A version that became champion."""

    model_config = ANSWER

    model_version: int
    since: datetime
    how: How


class Models(BaseModel):
    """The served versions, the live statistics of all, and who was champion when (oldest first)."""

    model_config = ANSWER

    model_name: str
    champion: int | None = Field(description="the version that answers")
    challenger: int | None = Field(description="the version that answers in its shadow")
    versions: list[VersionStatistics]
    comparison: Comparison | None
    history: list[Reign]


class MovedAliases(BaseModel):
    """The aliases as they are now in the registry; what is served follows within seconds."""

    model_config = ANSWER

    model_name: str
    champion: int | None
    challenger: int | None


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


class Truth(BaseModel):
    """What a prediction should have been."""

    model_config = STRICT

    prediction_id: UUID = Field(description="as `/predict` has given it")
    class_name: str
    replace: bool = Field(default=False, description=REPLACE)


class Told(BaseModel):
    """The truth about a prediction is kept and counted."""

    prediction_id: UUID
    class_name: str


def instance_model(problem: Problem) -> type[BaseModel]:
    """Return the body for one row: a field per feature."""
    fields: dict[str, Any] = {
        _attribute(index): (_type(feature), _field(feature, alias=feature.name))
        for index, feature in enumerate(problem.features)
    }
    return create_model(f"{_title(problem)}Features", __config__=STRICT, **fields)


def row_reader(problem: Problem) -> Callable[[BaseModel], Sequence[Value]]:
    """Return what reads the features, in their order, from a body that `instance_model` has made."""
    names = [_attribute(index) for index in range(len(problem.features))]
    if len(names) == 1:
        return lambda body: (getattr(body, names[0]),)
    return attrgetter(*names)


def rows_type(problem: Problem) -> Any:
    """Return the type of rows that are given as lists: each the features in order."""
    columns = tuple(Annotated[_type(feature), _field(feature)] for feature in problem.features)
    # The errors of the first wrong row say enough: a body may have a hundred thousand.
    return Annotated[list[tuple[columns]], Field(fail_fast=True)]  # type: ignore[valid-type]  # the types are values


def batch_model(problem: Problem) -> type[BaseModel]:
    """Return the body for many rows: `{"data": [[…], …]}`, each row the features in order."""
    example = [[feature.example for feature in problem.features]]
    data = Field(
        min_length=1, max_length=MAX_ROWS, description="rows: " + ", ".join(problem.columns), examples=[example]
    )
    return create_model(f"{_title(problem)}Batch", __config__=STRICT, data=(rows_type(problem), data))


def predict_body(problem: Problem) -> Any:
    """Return the type of the body of `POST /predict`: one row or many."""
    one, many = instance_model(problem), batch_model(problem)
    row, rows = BODIES
    return Annotated[Annotated[one, Tag(row)] | Annotated[many, Tag(rows)], Discriminator(_one_or_many)]


def suggestion_model(problem: Problem) -> type[BaseModel]:
    """Return the body of `POST /suggest`: the features, the right class, and optionally the prediction's id."""
    return create_model(
        f"{_title(problem)}Suggestion",
        __base__=instance_model(problem),
        class_name=(str, Field(description="the right class", examples=[problem.target.classes[0]])),
        prediction_id=(UUID | None, Field(None, description="the prediction that this corrects")),
        replace=(bool, Field(default=False, description=REPLACE)),
    )


def truth_model(problem: Problem) -> type[Truth]:
    """Return the body of `POST /feedback`, with a class of the problem as its example."""
    return create_model(
        "Truth", __base__=Truth, class_name=(str, Field(examples=[problem.target.classes[0]])), __doc__=Truth.__doc__
    )


def _attribute(index: int) -> str:
    # Not the feature's name, which may be that of one of pydantic's methods, such as `json` or `copy`.
    return f"feature_{index}"


def _type(feature: Feature) -> type[Value]:
    return float if feature.kind == "number" else str


def _field(feature: Feature, alias: str | None = None) -> Any:
    if feature.kind == "category":
        # Not as an enumeration: a category that is new since training is answered, too.
        known: dict[str, Any] = {"categories": list(feature.categories)}
        return Field(
            alias=alias,
            strict=True,
            min_length=1,
            max_length=MAX_CATEGORY,
            pattern=TEXT,
            description=f"{feature.description}; others than the known `categories` are answered, and counted",
            examples=[feature.example],
            json_schema_extra=known,
        )
    return Field(
        alias=alias,
        strict=True,
        ge=feature.minimum,
        le=feature.maximum,
        description=f"{feature.description}, in {feature.unit}",
        examples=[feature.example],
        json_schema_extra={"unit": feature.unit},
    )


def _one_or_many(body: Any) -> str:
    return BODIES[isinstance(body, dict) and "data" in body]


def _title(problem: Problem) -> str:
    return problem.onnx_name.removesuffix("Model")


def sample_row(problem: Problem) -> list[list[Value]]:
    """Return the features' examples as one row."""
    return [[feature.example for feature in problem.features]]
