"""The settings of `api/spool/`."""

from pydantic import BaseModel, Field


class SpoolSettings(BaseModel):
    """How much is kept while the store is away."""

    spool_mb: int = Field(256, ge=0, le=2**20, description="most that the api keeps while the store is damaged or away")
