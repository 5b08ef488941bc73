"""The query parameters of the page's URLs."""

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlencode

from fastapi import Query
from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from monitor.page.prediction_filter import PredictionFilter, blank

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2100, 1, 1)
DAY_LENGTH = len("2000-01-01")


def _time(value: Any) -> Any:
    """Return a day, or a moment in UTC; a form sends "" for an empty field, and no time zone."""
    if not isinstance(value, str):
        return value
    if not (text := value.strip()):
        return None
    try:
        found = date.fromisoformat(text) if len(text) <= DAY_LENGTH else _moment(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        raise ValueError("must be a day or a moment, like 2026-11-28 or 2026-11-28T10:15Z") from None
    if not str(FIRST_DAY) <= str(found) < str(LAST_DAY):
        raise ValueError(f"must be from {FIRST_DAY} to before {LAST_DAY}")
    return found


def _moment(found: datetime) -> datetime:
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


Time = Annotated[datetime | date | None, BeforeValidator(_time)]
SpanName = Annotated[Literal["15m", "1h", "24h", "7d", "30d", "90d"] | None, BeforeValidator(blank)]
Version = Annotated[int, Field(ge=1, lt=2**31)]
# PostgreSQL text cannot contain the character 0.
PredictionId = Annotated[str, StringConstraints(strip_whitespace=True, max_length=64, pattern=r"^[^\x00]*$")]
RuleName = Annotated[str, StringConstraints(strip_whitespace=True, max_length=32, pattern=r"^[^\x00]*$")]


# Parameters of one tab, which the others do not keep.
OF_ONE_TAB = ("id", "rule", "page", "correction", *PredictionFilter.model_fields)


class PageQuery(PredictionFilter):
    """The query parameters of a tab."""

    problem: str | None = Field(
        None, description="default: the configured problem, or the first one by name if that has no predictions"
    )
    span: SpanName = Field(None, description="time that ends now; `since` and `until` have precedence")
    since: Time = Field(None, description="first day or minute, in UTC unless it has an offset; default: 30 days")
    until: Time = Field(None, description="last day or minute, included; default: now")
    version: list[Version] = Field([], description="versions of the model; default: all")
    id: PredictionId = Field("", description="id of a prediction, or its beginning")
    rule: RuleName = Field("", description="rule of vetting whose corrections are to be reviewed; default: all")
    page: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="page of the corrections to review; default: 1"
    )
    correction: PredictionId = Field("", description="id of a correction whose history is to be shown")

    @model_validator(mode="after")
    def _one_time(self) -> Self:
        if self.since or self.until:
            self.span = None
        return self

    def suffix(self, **other: Any) -> str:
        """Return the query as the end of a URL, with some parameters replaced."""
        parameters = {**self.model_dump(mode="json"), **other}
        query = urlencode(
            {name: value for name, value in parameters.items() if value not in (None, "", [])}, doseq=True
        )
        return f"?{query}" if query else ""

    def for_other_tabs(self) -> str:
        """Return the end of a URL without the parameters that only one tab has."""
        return self.suffix(**dict.fromkeys(OF_ONE_TAB))


FromUrl = Annotated[PageQuery, Query()]
