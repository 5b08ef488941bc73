"""The bodies of the live statistics, the same for every problem."""

from datetime import datetime

from pydantic import BaseModel, Field

from common.evaluate import Estimate
from common.store.champions import How
from common.store.tables import Role


class ClassStatistics(BaseModel):
    """The counts and rates of one class against all others. Null where there are no data."""

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
    """The predictions of a version in one role, compared with the ground truth. Null where there are no data."""

    model_version: int
    role: Role
    predictions: int
    outliers: int
    labels: int = Field(description="predictions whose ground truth is known")
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

    model_version: int
    since: datetime
    how: How


class Models(BaseModel):
    """The served versions, the live statistics of those and of the newest ones, and the champions (oldest first)."""

    model_name: str
    champion: int | None = Field(description="the version that answers")
    challenger: int | None = Field(description="the version that answers the same rows for comparison only")
    versions: list[VersionStatistics]
    comparison: Comparison | None
    history: list[Reign]
