"""The settings of `common/keys/`."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field


class KeySettings(BaseModel):
    """The file of named keys."""

    keys_file: Path | None = Field(None, description="the file of named keys that `python -m scripts.keys` writes")

    @property
    def has_keys(self) -> bool:
        """Whether the lab has a key, named or not, so that only ground truths count that came with one."""
        lab: Any = self  # the class of all settings, which also has those of the loop
        # The place of the file without KEYS_FILE is that of `common.keys.keys_file.keys_path`; a test compares them.
        return bool(lab.api_key or self.keys_file or (lab.state_dir / "keys" / "keys.json").exists())
