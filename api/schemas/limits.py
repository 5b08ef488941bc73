"""The limits of plausibility of a problem's features, as types for JSON values."""

from typing import Annotated, Any

from pydantic import Field

from common.problem import TEXT, Feature, Problem

MAX_CATEGORY = 200  # characters


def feature_types(problem: Problem) -> tuple[Any, ...]:
    """Return a pydantic type with the limits for each feature; pydantic's words name each mistake."""
    return tuple(Annotated[_kind(feature), _field(feature)] for feature in problem.features)


def _kind(feature: Feature) -> type[float | str]:
    return float if feature.kind == "number" else str


def _field(feature: Feature) -> Any:
    limits: dict[str, Any]
    more: dict[str, Any]
    if feature.kind == "category":
        # No enumeration: the model answers a category that is new since training, too.
        text = f"{feature.description}; other values than the known `categories` are answered, and counted"
        limits = {"min_length": 1, "max_length": MAX_CATEGORY, "pattern": TEXT}
        more = {"categories": list(feature.categories)}
    else:
        text = f"{feature.description}, in {feature.unit}"
        limits, more = {"ge": feature.minimum, "le": feature.maximum}, {"unit": feature.unit}
    return Field(strict=True, description=text, examples=[feature.example], json_schema_extra=more, **limits)
