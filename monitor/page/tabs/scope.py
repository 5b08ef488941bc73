"""What a tab is about: the model of the problem, its classes, and the versions that are in its places."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from common.store.monitoring.exports import day_bounds
from common.store.statistics import Span, VolumeSum
from common.store.tables import Role
from monitor.page.panels import Query
from monitor.page.source import Source

# The places, and what people call who is in them.
PLACES: dict[Role, str] = {"champion": "Champion", "shadow": "Challenger"}


@dataclass(frozen=True)
class Served:
    """The versions that are champion and challenger; None where there is none."""

    champion: int | None
    challenger: int | None

    def places(self) -> list[tuple[Role, int]]:
        """Return the places that are taken, and by which version."""
        pairs: list[tuple[Role, int | None]] = [("champion", self.champion), ("shadow", self.challenger)]
        return [(role, version) for role, version in pairs if version is not None]


def span_of(source: Source, query: Query) -> Span:
    """Return the days that are asked for, of the problem's model; of no model if it has not answered yet."""
    models = [model_name for problem, model_name in source.store.history.models() if problem == query.problem]
    return Span(query.problem, models[-1] if models else "", query.since, query.until, tuple(query.versions))


def bounds_of(query: Query) -> tuple[datetime, datetime]:
    """Return the first moment of the days that are asked for, and the first one after them."""
    return day_bounds(query.since)[0], day_bounds(query.until)[1]


def known_classes(source: Source, span: Span) -> tuple[str, ...]:
    """Return the classes of the served version, in its order; none while it is not known."""
    reference = source.references.of(span.model_name)
    return reference.classes if reference else ()


def served(source: Source, span: Span, volumes: Iterable[VolumeSum]) -> Served:
    """Return who was champion and challenger at the end of a span, whose volumes are given.

    At this moment it is as the registry's aliases say; while the registry has not said it, the champion is told as of
    the past, and no challenger. What was before, the aliases do not tell. Champion: of the versions that are meant,
    the last one to have become it by then; if nobody has noted that, the newest that has answered in its place.
    Challenger: the version that has answered in the shadow last, of two on one day the newer, unless it has become
    champion on a later day.
    """
    end = day_bounds(span.until)[1]
    past = _served_until(source, span, volumes, end)
    if end <= datetime.now(UTC):
        return past
    aliases = source.references.aliases(span.model_name)
    if aliases is None:
        return Served(past.champion, None)
    return Served(_meant(span, aliases.champion) or past.champion, _meant(span, aliases.challenger))


def _meant(span: Span, version: int | None) -> int | None:
    return version if not span.versions or version in span.versions else None


def _served_until(source: Source, span: Span, volumes: Iterable[VolumeSum], end: datetime) -> Served:
    reigns = [reign for reign in source.store.champions.history(span.model_name) if reign.since < end]
    crowned = [reign.model_version for reign in reigns if not span.versions or reign.model_version in span.versions]
    answered = (each.model_version for each in volumes if each.role == "champion")
    champion = crowned[-1] if crowned else max(answered, default=None)
    became = {reign.model_version: reign.since.date() for reign in reigns}
    shadows = source.store.history.shadows(span).items()
    challengers = [(day, each) for each, day in shadows if each != champion and became.get(each, date.min) <= day]
    return Served(champion, max(challengers)[1] if challengers else None)
