"""The settings of `api/class_names.py`."""

from pathlib import Path

from pydantic import BaseModel, Field


class ClassNameSettings(BaseModel):
    """The file of class names."""

    class_path: Path | None = Field(None, description="JSON list of class names for a model that has none")
