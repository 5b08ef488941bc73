"""What happened day by day, from the roll-ups alone: it costs the same with a thousand predictions and a million."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from common.store.database import Database
from common.store.statistics import Paired, paired_of
from common.store.tables import Role, confusion_counts, label_delays, paired_counts, prediction_counts


@dataclass(frozen=True)
class Span:
    """Days of one model, in UTC, the last included; `versions` are the ones meant, all of them if it is empty."""

    problem: str
    model_name: str
    since: date
    until: date
    versions: Sequence[int] = ()


@dataclass(frozen=True)
class VolumeSum:
    """Rows that a version has answered in a role with a class, and how many of them were outliers."""

    model_version: int
    role: Role
    class_name: str
    predictions: int
    outliers: int


@dataclass(frozen=True)
class DayVolume(VolumeSum):
    """Those of a day."""

    day: date


@dataclass(frozen=True)
class LabelSum:
    """Rows by what a version has answered in a role and what it should have been."""

    model_version: int
    role: Role
    true_class: str
    predicted_class: str
    labels: int


@dataclass(frozen=True)
class DayLabels(LabelSum):
    """Those of a day."""

    day: date


# What is added up; by all that comes before, and the day.
VOLUME, LABELS = ("predictions", "outliers"), ("labels",)


@dataclass(frozen=True)
class DayDelay:
    """Truths about a day's predictions, and the mean seconds from prediction to truth."""

    day: date
    labels: int
    mean_seconds: float


class History:
    """Sums of the roll-ups by day."""

    def __init__(self, database: Database) -> None:
        """Read them from `database`."""
        self._database = database

    def days(self) -> dict[tuple[str, str], tuple[date, date]]:
        """Return the first and the last day with predictions, by problem and model name."""
        c = prediction_counts.c
        ends = sa.func.min(c.day).label("first"), sa.func.max(c.day).label("last")
        query = sa.select(c.problem, c.model_name, *ends).group_by(c.problem, c.model_name)
        return {(row["problem"], row["model_name"]): (row["first"], row["last"]) for row in self._database.read(query)}

    def volumes(self, span: Span) -> list[DayVolume]:
        """Return the volumes of a span, by day, version, role and class."""
        return [DayVolume(*row.values()) for row in self._read(prediction_counts, span, DayVolume)]

    def volume_sums(self, span: Span) -> list[VolumeSum]:
        """Return the volumes of all days of a span together, by version, role and class."""
        return [VolumeSum(*row.values()) for row in self._sum(prediction_counts, span, VolumeSum, VOLUME)]

    def labels(self, span: Span) -> list[DayLabels]:
        """Return the labels of a span, by day, version, role, true and predicted class, without zeros."""
        found = (DayLabels(*row.values()) for row in self._read(confusion_counts, span, DayLabels))
        return [each for each in found if each.labels]

    def label_sums(self, span: Span) -> list[LabelSum]:
        """Return the labels of all days of a span together, by version, role, true and predicted class."""
        found = (LabelSum(*row.values()) for row in self._sum(confusion_counts, span, LabelSum, LABELS))
        return [each for each in found if each.labels]

    def delays(self, span: Span) -> list[DayDelay]:
        """Return how late truths came about the days of a span, whatever the version."""
        c = label_delays.c
        query = sa.select(label_delays).where(*_days(label_delays, span)).order_by(c.day)
        found = self._database.read(query)
        return [DayDelay(row["day"], row["labels"], row["seconds"] / row["labels"]) for row in found if row["labels"]]

    def shadows(self, span: Span) -> dict[int, date]:
        """Return the last day on which each version has answered in the shadow."""
        c = prediction_counts.c
        query = sa.select(c.model_version, sa.func.max(c.day).label("last")).where(
            *_days(prediction_counts, span), *_versions(prediction_counts, span), c.role == "shadow"
        )
        return {row["model_version"]: row["last"] for row in self._database.read(query.group_by(c.model_version))}

    def paired(self, span: Span, champion: int, challenger: int) -> Paired:
        """Return how two versions compare on the labelled rows of the days that both have answered."""
        c = paired_counts.c
        versions = c.champion_version == champion, c.challenger_version == challenger
        query = sa.select(c.champion_right, c.challenger_right, sa.func.sum(c.labels).label("labels"))
        grouped = query.where(*_days(paired_counts, span), *versions).group_by(c.champion_right, c.challenger_right)
        return paired_of(self._database.read(grouped))

    def _read(self, table: sa.Table, span: Span, kind: Any) -> list[sa.RowMapping]:
        columns = [table.c[name] for name in kind.__dataclass_fields__]
        query = sa.select(*columns).where(*_days(table, span), *_versions(table, span))
        return self._database.read(query.order_by(table.c.day, *columns))

    def _sum(self, table: sa.Table, span: Span, kind: Any, counted: Sequence[str]) -> list[sa.RowMapping]:
        keys = [table.c[name] for name in kind.__dataclass_fields__ if name not in counted]
        sums = [sa.func.sum(table.c[name]).label(name) for name in counted]
        query = sa.select(*keys, *sums).where(*_days(table, span), *_versions(table, span))
        return self._database.read(query.group_by(*keys).order_by(*keys))


def _versions(table: sa.Table, span: Span) -> list[sa.ColumnElement[bool]]:
    return [table.c.model_version.in_(span.versions)] if span.versions else []


def _days(table: sa.Table, span: Span) -> tuple[sa.ColumnElement[bool], ...]:
    c = table.c
    model = c.problem == span.problem, c.model_name == span.model_name
    return (*model, c.day >= span.since, c.day <= span.until)
