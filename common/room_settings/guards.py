"""The settings of `api/guards/`."""

from pydantic import BaseModel, Field


class GuardSettings(BaseModel):
    """How often a client may send corrections."""

    suggest_rate: str = Field(
        "120/minute",
        pattern=r"^[1-9][0-9]*/(second|minute|hour|day)$",
        description="number of corrections that one client may send",
    )
