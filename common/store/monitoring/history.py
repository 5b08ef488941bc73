"""The roll-ups by day."""

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from common.store.champions import How
from common.store.database import StorePart
from common.store.statistics import LabelSum, Span, VolumeSum, sums
from common.store.tables import champions, confusion_counts, label_delays, prediction_counts


@dataclass(frozen=True)
class DayVolume(VolumeSum):
    """The volume of one day."""

    day: date


@dataclass(frozen=True)
class DayLabels(LabelSum):
    """The labels of one day."""

    day: date


@dataclass(frozen=True)
class DayDelay:
    """The ground truths of a day's predictions, and the sum of the seconds from prediction to ground truth."""

    day: date
    labels: int
    seconds: float

    @property
    def mean_seconds(self) -> float:
        """The mean time from prediction to ground truth, in seconds."""
        return self.seconds / self.labels


class History(StorePart):
    """The counts of each day."""

    def champion_changes(self) -> dict[tuple[str, How], int]:
        """Return how many periods began, by model name and by how they began."""
        c = champions.c
        query = sa.select(c.model_name, c.how, sa.func.count().label("periods")).group_by(c.model_name, c.how)
        return {(row["model_name"], row["how"]): row["periods"] for row in self._database.read(query)}

    def models(self) -> list[tuple[str, str]]:
        """Return the problems and model names that have predictions, in order."""
        return sorted(self.days())

    def days(self) -> dict[tuple[str, str], tuple[date, date]]:
        """Return the first and the last day with predictions, by problem and model name."""
        c = prediction_counts.c
        ends = sa.func.min(c.day).label("first"), sa.func.max(c.day).label("last")
        query = sa.select(c.problem, c.model_name, *ends).group_by(c.problem, c.model_name)
        return {(row["problem"], row["model_name"]): (row["first"], row["last"]) for row in self._database.read(query)}

    def volumes(self, span: Span) -> list[DayVolume]:
        """Return the volumes of a span, by day, version, role and class."""
        return sums(self._database, DayVolume, prediction_counts, span)

    def labels(self, span: Span) -> list[DayLabels]:
        """Return the labels of a span, by day, version, role, true and predicted class, without zeros."""
        return sums(self._database, DayLabels, confusion_counts, span)

    def delays(self, span: Span) -> list[DayDelay]:
        """Return how late the ground truths of each day came, for all versions together."""
        return sums(self._database, DayDelay, label_delays, span)

    def shadows(self, span: Span) -> dict[int, date]:
        """Return the last day on which each version answered as a challenger."""
        c = prediction_counts.c
        query = sa.select(c.model_version, sa.func.max(c.day).label("last")).where(
            *span.clauses(prediction_counts), c.role == "shadow"
        )
        return {row["model_version"]: row["last"] for row in self._database.read(query.group_by(c.model_version))}
