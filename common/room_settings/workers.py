"""The settings of `api/workers/`."""

from pydantic import BaseModel, Field


class WorkerSettings(BaseModel):
    """How many processes serve."""

    api_workers: int = Field(1, ge=1, le=128, description="number of processes that serve the api on its port")
