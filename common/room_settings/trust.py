"""The settings of `trust/`."""

from typing import Literal

from pydantic import BaseModel, Field, SecretStr


class TrustSettings(BaseModel):
    """How corrections are vetted, and the key for reviewing them."""

    review_key: SecretStr | None = Field(None, description="key for reviewing corrections; default: API_KEY")
    vetting: Literal["on", "off"] = Field("on", description="whether corrections are vetted before they are learnt")
    vetting_neighbours: int = Field(10, ge=1, le=100, description="nearest rows that vetting looks at")
    vetting_probability: float = Field(0.175, ge=0, le=1, description="least probability of a correction's class")
    quotas: Literal["auto", "on", "off"] = Field("auto", description="the next three; auto: if REVIEW_KEY is set")
    quota_batch: int = Field(2, ge=1, le=5, description="corrections of one source in a batch of five")
    quota_day: int = Field(20, ge=1, le=100_000, description="corrections of one source in 24 hours")
    quota_share: float = Field(0.1, gt=0, le=10, description="unreviewed corrections, as a share of train.csv's rows")
