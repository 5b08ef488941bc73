"""Bodies of responses, the same for every problem."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from common.store.suggestions import State
from common.store.tables import Role


class Prediction(BaseModel):
    """The prediction for one row. A value that the model does not give is null."""

    class_name: str
    probabilities: dict[str, float] | None = Field(description="by class")
    prediction_id: UUID = Field(description="keep it: `/feedback` needs it to record the ground truth")
    model_name: str
    model_version: int = Field(examples=[3])
    is_outlier: bool | None = Field(examples=[False], description="whether the row is unlike the training data")
    outlier_score: float | None = Field(
        examples=[0.71], description="as scikit-learn's decision_function: the lower, the less alike"
    )


class Predictions(BaseModel):
    """The predictions for the rows of a batch, in the same order, all by one version."""

    predictions: list[Prediction]


class RememberedPrediction(BaseModel):
    """A prediction as the log has it, with its ground truth and its use since then."""

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
    truth: str | None = Field(description="the class that the row really has; null until somebody sends it")
    exported: bool = Field(description="whether it is in the external log")
    trained_version: int | None = Field(description="the version that has learnt from a correction of it")


class Health(BaseModel):
    """Whether the service is well."""

    health: Literal["ok"] = "ok"


class Accepted(BaseModel):
    """The correction is kept; `GET /suggest/{suggestion_id}` shows its state."""

    suggestion_id: UUID


class VerdictOnCorrection(BaseModel):
    """The gate's verdict on the candidates that had learnt a correction."""

    verdict: str = Field(examples=["accepted"])
    reason: str
    figures: dict[str, Any] | None = Field(None, description="for clients with the key, if API_KEY is set")


class SuggestionStatus(BaseModel):
    """The state of a correction on its way into a model."""

    suggestion_id: UUID
    state: State
    detail: str = Field(examples=["waiting (3 of 5)"])
    flow_run_id: UUID | None = Field(None, description="its run in Prefect, once there is one")
    model_version: int | None = Field(None, description="the version that has learnt from it")
    judgement: VerdictOnCorrection | None = Field(None, description="the newest verdict, once there is one")


class Told(BaseModel):
    """The ground truth of a prediction is kept and counted."""

    prediction_id: UUID
    class_name: str
