"""What the page shows, as JSON has it: a tab's panels, and what can be asked for."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

from pydantic import BaseModel

from common.store.statistics import Span
from monitor.page.panels import Panel, Query, Tab
from monitor.page.source import Source
from monitor.page.tabs.scope import served


class ModelInfo(BaseModel):
    """A model that has answered: its versions, and the days that there is something of, in UTC."""

    name: str
    versions: list[int]
    first_day: date
    last_day: date


class ProblemInfo(BaseModel):
    """A problem that has predictions."""

    name: str
    models: list[ModelInfo]


class ServedVersions(BaseModel):
    """The versions of the model: who answers, and who is shown the same rows."""

    champion: int | None = None
    challenger: int | None = None


class TabData(BaseModel):
    """A tab: what was asked for, and its panels."""

    tab: str
    title: str
    problem: str
    since: date
    until: date
    versions: list[int]
    updated_at: datetime
    served: ServedVersions
    panels: list[Panel]


def known_problems(source: Source) -> list[ProblemInfo]:
    """Return the problems that have predictions, by name."""
    found: dict[str, list[ModelInfo]] = {}
    for (problem, model_name), (first, last) in sorted(source.store.history.days().items()):
        versions = sorted({live.model_version for live in source.store.statistics.live(problem, model_name)})
        model = ModelInfo(name=model_name, versions=versions, first_day=first, last_day=last)
        found.setdefault(problem, []).append(model)
    return [ProblemInfo(name=name, models=models) for name, models in found.items()]


def tab_data(source: Source, tab: Tab, query: Query, models: Sequence[ModelInfo]) -> TabData:
    """Return a tab of a problem with these models, as it is now."""
    return TabData(
        tab=tab.name,
        title=tab.title,
        updated_at=datetime.now(UTC),
        served=_served(source, query, models),
        panels=tab.build(source, query),
        **query.model_dump(include={"problem", "since", "until", "versions"}),
    )


def _served(source: Source, query: Query, models: Sequence[ModelInfo]) -> ServedVersions:
    if not models:
        return ServedVersions()
    # Whatever versions are looked at, these are the ones in their places.
    span = Span(query.problem, models[-1].name, query.since, query.until)
    found = served(source, span, source.store.statistics.volume_sums(span))
    return ServedVersions(champion=found.champion, challenger=found.challenger)
