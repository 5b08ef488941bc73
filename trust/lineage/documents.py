"""The answers about lineage, as JSON has them."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from common.problem import Value
from common.store.champions import ChampionPeriod
from common.store.tables import Role
from common.store.trust.history import CorrectionEvent
from common.store.trust.lineage import DayCount, Review, SourcedCorrection, SourcedTruth, TakenBack

MOST_VERSIONS = 100  # of a correction
MOST_DAYS = 200  # rows of a count of answers


class RegistryDetails(BaseModel):
    """The registry's tags of a version; null for tags that it does not have."""

    run_id: str | None = Field(description="the run in MLflow that made the version")
    git_commit: str | None = Field(description="the commit of the lab's code")
    data_md5: dict[str, str] = Field(description="hashes of the files that it has learnt, by the kind of their rows")
    continued_from: str | None = Field(description="the scikit-learn version of the training that it started from")
    verdict: str | None = Field(description="the gate's verdict")


class TracedVerdict(BaseModel):
    """The gate's judgement that led to a version."""

    judged_at: datetime
    verdict: str
    because: str | None
    candidate: str = Field(description="how the registered candidate has learnt")
    candidates: dict[str, Any] = Field(description="the figures of all candidates")
    champion: int | None = Field(description="the version that was champion then")
    anchor: int | None = Field(description="the version that was the anchor then")
    outcome: str | None = Field(description="what later ground truths decided")
    flow_run_id: str | None


class AnswersGiven(BaseModel):
    """The number of rows that versions answered. Erased predictions count, too."""

    total: dict[Role, int]
    newest: list[DayCount] = Field(description=f"the newest days; at most {MOST_DAYS} rows")


class TracedPage(BaseModel):
    """Some of the corrections, oldest first."""

    total: int
    corrections: list[SourcedCorrection]
    next: str | None = Field(description="the value of `after` for the next page; null if there is none")


class VersionLineage(BaseModel):
    """Where a version comes from."""

    model_name: str
    model_version: int
    registry: RegistryDetails | None = Field(description="null if the registry did not answer or has no such version")
    judgement: TracedVerdict | None
    champion: list[ChampionPeriod] = Field(description="the times at which it became champion")
    answers: AnswersGiven
    learnt: TracedPage
    not_known: list[str] = Field(description="in words")


class TracedAnswer(BaseModel):
    """A version's answer to the row of a prediction."""

    role: Role
    model_name: str
    model_version: int
    predicted_at: datetime
    class_name: str
    confidence: float | None
    is_outlier: bool | None


class PredictionLineage(BaseModel):
    """Where the answers of a prediction come from, and the corrections that they led to."""

    prediction_id: str
    features: dict[str, Value]
    answers: list[TracedAnswer]
    truth: SourcedTruth | None
    corrections: TracedPage = Field(description="the corrections that name this prediction")
    versions: list[VersionLineage] = Field(description="the versions that gave the answers")


class CorrectionLineage(BaseModel):
    """Where a correction comes from, and where it led."""

    correction: SourcedCorrection
    history: list[CorrectionEvent]
    vetting: Review | None
    withdrawal: TakenBack | None
    versions: list[int] = Field(description=f"the newest versions that have learnt it, at most {MOST_VERSIONS}")
    version_count: int
    answers: AnswersGiven = Field(description="the answers of these versions")
    not_known: list[str] = Field(description="in words")
