"""The settings of `api/version_check/`."""

from pydantic import BaseModel, Field


class VersionCheckSettings(BaseModel):
    """Limits for the process that checks a version."""

    model_memory_mb: int = Field(2048, ge=256, le=2**20, description="address space for the check of a version")
    model_run_seconds: float = Field(
        1.0, gt=0, le=60, description="time limit for a version's answer to 1, 2 or 64 rows before it serves"
    )
