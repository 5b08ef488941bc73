"""The query parameters of the page's URLs."""

from datetime import date
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Query
from pydantic import BeforeValidator, Field, StringConstraints

from monitor.page.prediction_filter import PredictionFilter, blank

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2100, 1, 1)


Day = Annotated[date | None, Field(ge=FIRST_DAY, lt=LAST_DAY), BeforeValidator(blank)]
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
    since: Day = Field(None, description="first day in UTC; default: 29 days before the last one")
    until: Day = Field(None, description="last day in UTC, included; default: today")
    version: list[Version] = Field([], description="versions of the model; default: all")
    id: PredictionId = Field("", description="id of a prediction, or its beginning")
    rule: RuleName = Field("", description="rule of vetting whose corrections are to be reviewed; default: all")
    page: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        None, description="page of the corrections to review; default: 1"
    )
    correction: PredictionId = Field("", description="id of a correction whose history is to be shown")

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
