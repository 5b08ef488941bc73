"""The settings of `common/keys/`."""

from pathlib import Path

from pydantic import BaseModel, Field


class KeySettings(BaseModel):
    """The file of named keys."""

    keys_file: Path | None = Field(None, description="the file of named keys that `python -m scripts.keys` writes")
