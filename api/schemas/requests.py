"""Bodies of requests. pydantic models are made from the problem's features, so that no file names a feature."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, create_model

from api.schemas.limits import feature_types
from common.problem import Problem, Value

MAX_ROWS = 10_000  # of one request
REPLACE = "whether to replace a different ground truth that was sent before for the same prediction"

# The two bodies of `/predict`, as pydantic names them in the places of errors. No feature can have such a name.
BODIES = ("<one row>", "<many rows>")

STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


class Truth(BaseModel):
    """The ground truth of a prediction: the class that its row really has."""

    model_config = STRICT

    prediction_id: UUID = Field(description="the id that `/predict` has returned")
    class_name: str
    replace: bool = Field(default=False, description=REPLACE)


def instance_model(problem: Problem) -> type[BaseModel]:
    """Return the body for one row: a field for each feature."""
    # A field cannot have the feature's name, which may be that of a method of pydantic, such as `json` or `copy`.
    fields: dict[str, Any] = {
        _attribute(index): (kind, Field(alias=name))
        for index, (name, kind) in enumerate(zip(problem.columns, feature_types(problem), strict=True))
    }
    return create_model(f"{title(problem)}Features", __config__=STRICT, **fields)


def row_reader(problem: Problem) -> Callable[[BaseModel], Sequence[Value]]:
    """Return a function that reads the features, in their order, from a body made by `instance_model`."""
    names = [_attribute(index) for index in range(len(problem.features))]
    if len(names) == 1:
        return lambda body: (getattr(body, names[0]),)
    return attrgetter(*names)


def rows_type(problem: Problem) -> Any:
    """Return the type of rows that are given as lists: each has the features in order."""
    # The errors of the first wrong row are enough: a body may have a hundred thousand of them.
    return Annotated[list[tuple[feature_types(problem)]], Field(fail_fast=True)]  # type: ignore[misc]  # the types are values


def batch_model(problem: Problem) -> type[BaseModel]:
    """Return the body for many rows: `{"data": [[…], …]}`, each row the features in order."""
    described = "rows: " + ", ".join(problem.columns)
    data = Field(min_length=1, max_length=MAX_ROWS, description=described, examples=[sample_row(problem)])
    return create_model(f"{title(problem)}Batch", __config__=STRICT, data=(rows_type(problem), data))


def predict_body(problem: Problem) -> Any:
    """Return the type of the body of `POST /predict`: one row or many."""
    one, many = instance_model(problem), batch_model(problem)
    row, rows = BODIES
    return Annotated[Annotated[one, Tag(row)] | Annotated[many, Tag(rows)], Discriminator(_one_or_many)]


def suggestion_model(problem: Problem) -> type[BaseModel]:
    """Return the body of `POST /suggest`: the features, the right class, and optionally the prediction's id."""
    return create_model(
        f"{title(problem)}Suggestion",
        __base__=instance_model(problem),
        class_name=(str, Field(description="the right class", examples=[problem.target.classes[0]])),
        prediction_id=(UUID | None, Field(None, description="the prediction that this corrects")),
        replace=(bool, Field(default=False, description=REPLACE)),
    )


def truth_model(problem: Problem) -> type[Truth]:
    """Return the body of `POST /feedback`, with a class of the problem as its example."""
    class_name = (str, Field(examples=[problem.target.classes[0]]))
    return create_model("Truth", __base__=Truth, class_name=class_name, __doc__=Truth.__doc__)


def sample_row(problem: Problem) -> list[list[Value]]:
    """Return the features' examples as a batch of one row."""
    return [[feature.example for feature in problem.features]]


def title(problem: Problem) -> str:
    """Return how the names of a problem's bodies begin in OpenAPI, such as `Iris`."""
    return problem.onnx_name.removesuffix("Model")


def _attribute(index: int) -> str:
    return f"feature_{index}"


def _one_or_many(body: Any) -> str:
    return BODIES[isinstance(body, dict) and "data" in body]
