"""The settings of retention, of the export before it, and of the sampling of the log."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, ValidationInfo

DAYS = re.compile(r"([1-9]\d{0,4})d")
SIZE = re.compile(r"([1-9]\d{0,5})(MB|GB|TB)")
BYTES = {"MB": 10**6, "GB": 10**9, "TB": 10**12}


def days_of(text: str) -> int | None:
    """Return the number of days in a text like `90d`; None for any other text."""
    found = DAYS.fullmatch(text)
    return int(found[1]) if found else None


def bytes_of(text: str) -> int | None:
    """Return the number of bytes in a text like `20GB`; None for any other text."""
    found = SIZE.fullmatch(text)
    return int(found[1]) * BYTES[found[2]] if found else None


def _days_or_size(value: str) -> str:
    if value and days_of(value) is None and bytes_of(value) is None:
        raise ValueError(f"{value!r} is neither a number of days, like 90d, nor a size, like 500MB, 20GB or 1TB")
    return value


def _folder_or_size(value: str) -> str:
    if value and bytes_of(value) is None and not value.startswith("/"):
        raise ValueError(f"{value!r} is neither a folder, like /lab/.lab, nor a size, like 500MB, 20GB or 1TB")
    return value


def _days(value: str, info: ValidationInfo) -> str:
    if value and days_of(value) is None:
        raise ValueError(f"{value!r} is not a number of days, like 400d")
    if value and (days_of(value) or 0) < (days_of(info.data.get("retain_predictions", "")) or 0):
        raise ValueError("must not be shorter than RETAIN_PREDICTIONS: a ground truth needs its prediction")
    return value


class RetentionSettings(BaseModel):
    """How long rows of the prediction log stay, where they go before, and how full the disk may become."""

    retain_predictions: Annotated[str, AfterValidator(_days_or_size)] = Field(
        "", description="how long predictions without ground truth stay: days (90d), or a size (20GB); empty: for ever"
    )
    retain_ground_truths: Annotated[str, AfterValidator(_days)] = Field(
        "", description="how long predictions with ground truth stay: days (400d); empty: for ever"
    )
    export_predictions: str = Field(
        "", description="a folder, or s3://BUCKET/FOLDER: each day goes there as Parquet before its rows are deleted"
    )
    store_disk: Annotated[str, AfterValidator(_folder_or_size)] = Field(
        "", description="the disk of a store in PostgreSQL: a folder on it (/lab/.lab), or its size (100GB)"
    )
    disk_limit_percent: int = Field(
        90, ge=1, le=100, description="fill level of the disk from which the log keeps one row of ten; 100: never"
    )
