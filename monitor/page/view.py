"""A view: the problem, days and versions of one request, and everything that its panels read from the store."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from common.store import Store
from common.store.monitoring.exports import day_bounds
from common.store.statistics import LabelSum, Span, VolumeSum
from common.store.tables import Role
from monitor.follow_registry import References
from monitor.page.prediction_filter import PredictionFilter
from monitor.storage import Storage

Row = TypeVar("Row", bound=VolumeSum | LabelSum)

AUTO = "auto"
# The names of the stored roles on the page.
ROLE_NAMES: dict[Role, str] = {"champion": "Champion", "shadow": "Challenger"}


@dataclass(frozen=True)
class FeedbackApi:
    """The address of the api to which the page sends ground truths, and the api's problem."""

    url: str
    problem: str


@dataclass(frozen=True)
class Backends:
    """Where the panels have their data from.

    Attributes:
        store: the store.
        references: those of the served versions.
        mlflow_url: the address of MLflow's page.
        prefect_url: the address of Prefect's page.
        feedback: where ground truths go; None if the page takes none.
        trusted_only: whether the api has a key, so that only ground truths count that came with it.
        vetting: whether corrections are vetted before they are learnt.
        storage: the figures of the disk; None if the page shows none.
    """

    store: Store
    references: References
    mlflow_url: str
    prefect_url: str
    feedback: FeedbackApi | None = None
    trusted_only: bool = False
    vetting: bool = True
    storage: Storage | None = None


class Selection(BaseModel):
    """The problem, the days in UTC, the last one included, and the versions that a request asks for.

    Attributes:
        span: the name of a span that ends now, "" for the given days, or `AUTO`: the timeline chooses its own, since
            nobody has asked for anything.
        begins: the exact begin, if it is within the first day.
        ends: the exact end, if it is within the last day; without it the day counts whole, as far as it has come.
        versions: numbers of the selected versions; empty for all.
        id: the id of a prediction or its beginning, for the tab of the predictions.
        rule: the rule of vetting whose corrections are to be reviewed; "" for all.
        page: of the corrections to review, from 1.
        correction: the id of the correction whose history is to be shown; "" for none.
        filter: the predictions that the tab of the predictions shows.
    """

    problem: str
    since: date
    until: date
    span: str = ""
    begins: datetime | None = None
    ends: datetime | None = None
    versions: list[int] = []
    id: str = ""
    rule: str = ""
    page: int = 1
    correction: str = ""
    filter: PredictionFilter = PredictionFilter()


class ServedVersions(BaseModel):
    """The versions of the model that are champion and challenger."""

    champion: int | None = None
    challenger: int | None = None

    def by_role(self) -> list[tuple[Role, int]]:
        """Return each stored role that a version has, with the version."""
        pairs: list[tuple[Role, int | None]] = [("champion", self.champion), ("shadow", self.challenger)]
        return [(role, version) for role, version in pairs if version is not None]


@dataclass(frozen=True)
class View:
    """One request's selection; each property is read from the store once, when a panel first needs it."""

    backends: Backends
    selection: Selection

    @property
    def store(self) -> Store:
        """The store."""
        return self.backends.store

    @property
    def takes_forms(self) -> bool:
        """Whether the page sends ground truths and reviews of the selected problem on to its api."""
        api = self.backends.feedback
        return api is not None and api.problem == self.selection.problem

    @cached_property
    def models(self) -> list[str]:
        """The names of the problem's models that have answered, in order; empty before the first prediction."""
        return [name for problem, name in self.store.history.models() if problem == self.selection.problem]

    @cached_property
    def span(self) -> Span:
        """The selection as the store takes it; before the first prediction, the model is that of the settings."""
        chosen = self.selection
        name = self.models[-1] if self.models else self.backends.references.model_of(chosen.problem)
        return Span(chosen.problem, name, chosen.since, chosen.until, tuple(chosen.versions))

    @property
    def bounds(self) -> tuple[datetime, datetime]:
        """The first moment of the selected time, and the first moment after it."""
        chosen = self.selection
        return chosen.begins or day_bounds(chosen.since)[0], chosen.ends or day_bounds(chosen.until)[1]

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of the served version, in its order; empty while its reference is unknown."""
        reference = self.backends.references.of(self.span.model_name)
        return reference.classes if reference else ()

    @cached_property
    def volume_sums(self) -> list[VolumeSum]:
        """Predictions and outliers of all selected days together."""
        return self.store.statistics.volume_sums(self.span)

    @cached_property
    def label_sums(self) -> list[LabelSum]:
        """Predictions with ground truth of all selected days together."""
        return self.store.statistics.label_sums(self.span)

    @cached_property
    def champion_since(self) -> dict[int, tuple[datetime, str]]:
        """When and how each version last became champion by the end of the days, in order of its first time."""
        periods = self.store.champions.history(self.span.model_name)
        return {each.model_version: (each.since, each.how) for each in periods if each.since < self.bounds[1]}

    @cached_property
    def served(self) -> ServedVersions:
        """The champion and the challenger at the end of the selected days.

        For the present, the registry's aliases are right. Before the registry has been read, the champion is taken from
        the past, without a challenger. For the past, the aliases say nothing: then the champion is the selected version
        that last became champion, or the newest one that answered as champion if nobody has noted that. The challenger
        is the version that last answered as challenger, of two on one day the newer, unless it became champion later.
        """
        if self.bounds[1] <= datetime.now(UTC):
            return self._served_in_past
        aliases = self.backends.references.aliases(self.span.model_name)
        champion = self._selected(aliases.champion if aliases else None) or self._served_in_past.champion
        return ServedVersions(champion=champion, challenger=self._selected(aliases.challenger if aliases else None))

    def _selected(self, version: int | None) -> int | None:
        return version if not self.span.versions or version in self.span.versions else None

    @cached_property
    def _served_in_past(self) -> ServedVersions:
        since = {version: at for version, (at, _) in self.champion_since.items()}
        crowned = [version for version in since if self._selected(version)]
        answered = [each.model_version for each in self.volume_sums if each.role == "champion"]
        champion = max(crowned, key=lambda version: since[version]) if crowned else max(answered, default=None)
        challengers = [
            (day, version)
            for version, day in self.store.history.shadows(self.span).items()
            if version != champion and (version not in since or since[version].date() <= day)
        ]
        return ServedVersions(champion=champion, challenger=max(challengers)[1] if challengers else None)

    def version_link(self, version: int | None, model_name: str | None = None) -> str | None:
        """Return a link to a version in MLflow; `model_name` is the model of the selection unless given."""
        name = self.span.model_name if model_name is None else model_name
        if version is None or not name:
            return f"version {version}" if version else None
        return f"version {version}|{self.backends.mlflow_url}/#/models/{quote(name)}/versions/{version}"

    def flow_run_link(self, flow_run_id: str | None) -> str | None:
        """Return a link to a flow run in Prefect."""
        return f"flow run|{self.backends.prefect_url}/runs/flow-run/{quote(flow_run_id)}" if flow_run_id else None


def of_champion(rows: Sequence[Row]) -> list[Row]:
    """Return the rows that were answered as champion."""
    return [each for each in rows if each.role == "champion"]
