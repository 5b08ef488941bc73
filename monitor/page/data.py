"""The JSON of the page: the problems that it knows, and a tab with its panels."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

from pydantic import BaseModel

from monitor.page.panels import Panel, Tab
from monitor.page.view import Backends, Selection, ServedVersions, View


class ModelInfo(BaseModel):
    """A model with predictions: its versions, and the first and the last day with predictions, in UTC."""

    name: str
    versions: list[int]
    first_day: date
    last_day: date


class ProblemInfo(BaseModel):
    """A problem that has predictions."""

    name: str
    models: list[ModelInfo]


class TabData(BaseModel):
    """A tab: the selection, the served versions, and the panels; of a tab that can be searched also the classes."""

    tab: str
    title: str
    problem: str
    since: date
    until: date
    versions: list[int]
    updated_at: datetime
    served: ServedVersions
    classes: list[str] = []
    panels: list[Panel]


def known_problems(backends: Backends, chosen: Sequence[int] = ()) -> list[ProblemInfo]:
    """Return the problems that have predictions, by name, each with the versions that answered last.

    Those of the `chosen` versions that have ever answered are there, too.
    """
    statistics = backends.store.statistics
    found: dict[str, list[ModelInfo]] = {}
    for (problem, model_name), (first, last) in sorted(backends.store.history.days().items()):
        older = statistics.live(problem, model_name, chosen) if chosen else ()
        versions = {*statistics.newest_versions(problem, model_name), *(each.model_version for each in older)}
        model = ModelInfo(name=model_name, versions=sorted(versions), first_day=first, last_day=last)
        found.setdefault(problem, []).append(model)
    return [ProblemInfo(name=name, models=models) for name, models in found.items()]


def tab_data(backends: Backends, tab: Tab, selection: Selection) -> TabData:
    """Return a tab with the present data of a selection."""
    view = View(backends, selection)
    # The page's header shows the served versions, whichever versions are selected.
    whole = View(backends, selection.model_copy(update={"versions": []})) if selection.versions else view
    return TabData(
        tab=tab.name,
        title=tab.title,
        updated_at=datetime.now(UTC),
        served=whole.served,
        classes=_classes(whole) if tab.searchable else [],
        panels=tab.build(view),
        **selection.model_dump(include={"problem", "since", "until", "versions"}),
    )


def _classes(view: View) -> list[str]:
    """Return the classes of the served version, and others that were answered in the chosen time."""
    return list(dict.fromkeys([*view.classes, *sorted({each.class_name for each in view.volume_sums})]))
