"""The one reader of the roll-ups: a query costs the same with a thousand predictions and a million."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Self

import sqlalchemy as sa

from common.store.database import Database, Record, StorePart, records
from common.store.tables import Role, confusion_counts, paired_counts, prediction_counts

# A lab that fine-tunes for years has thousands of versions. Pages, metrics and answers show those that answered last.
MOST_VERSIONS = 100


@dataclass(frozen=True)
class Span:
    """Days of one model in UTC, the last one included: all days, unless the caller limits them.

    `versions` limits the versions; all of them count if it is empty.
    """

    problem: str
    model_name: str
    since: date = date.min
    until: date = date.max
    versions: Sequence[int] = ()

    def clauses(self, table: sa.Table) -> list[sa.ColumnElement[bool]]:
        """Return the span as conditions on a roll-up."""
        c = table.c
        found = [c.problem == self.problem, c.model_name == self.model_name, c.day.between(self.since, self.until)]
        if self.versions and "model_version" in c:
            found.append(c.model_version.in_(self.versions))
        return found


@dataclass(frozen=True)
class VolumeSum:
    """The rows that a version answered in a role with a class, and how many of them were outliers."""

    model_version: int
    role: Role
    class_name: str
    predictions: int
    outliers: int


@dataclass(frozen=True)
class LabelSum:
    """The rows with a known ground truth that a version answered in a role, by true and predicted class."""

    model_version: int
    role: Role
    true_class: str
    predicted_class: str
    labels: int


@dataclass(frozen=True)
class _PairSum:
    champion_right: bool
    challenger_right: bool
    labels: int


@dataclass
class LiveCounts:
    """The answers of a version in one role: volumes by predicted class, labels by true and predicted class."""

    model_version: int
    role: Role
    volumes: dict[str, VolumeSum] = field(default_factory=dict)
    labels: Sequence[LabelSum] = ()

    @property
    def predictions(self) -> int:
        """The number of rows that the version answered."""
        return sum(volume.predictions for volume in self.volumes.values())

    @property
    def outliers(self) -> int:
        """The number of outliers among them."""
        return sum(volume.outliers for volume in self.volumes.values())


@dataclass(frozen=True)
class Paired:
    """The rows with a known ground truth that two versions both answered, by which of them was right."""

    both_right: int = 0
    only_champion_right: int = 0
    only_challenger_right: int = 0
    both_wrong: int = 0

    @classmethod
    def of(cls, labels: Mapping[tuple[bool, bool], int]) -> Self:
        """Return the counts of labels, given by whether the champion and whether the challenger was right."""
        rights = ((True, True), (True, False), (False, True), (False, False))
        return cls(*(labels.get(right, 0) for right in rights))


class Statistics(StorePart):
    """Sums over the roll-ups."""

    def newest_versions(self, problem: str, model_name: str, most: int = MOST_VERSIONS) -> list[int]:
        """Return the versions that answered last, at most `most`, in the order of their numbers."""
        c = prediction_counts.c
        query = sa.select(c.model_version).where(*Span(problem, model_name).clauses(prediction_counts))
        newest = query.group_by(c.model_version).order_by(sa.func.max(c.day).desc(), c.model_version.desc())
        return sorted(row["model_version"] for row in self._database.read(newest.limit(most)))

    def live(self, problem: str, model_name: str, versions: Sequence[int] = ()) -> list[LiveCounts]:
        """Return the counts of each version and role that has predictions, by version and role.

        Empty `versions` stand for all versions.
        """
        span = Span(problem, model_name, versions=versions)
        # Labels first: a row that has a label by then is certainly among the volumes, which are read afterwards.
        labels: defaultdict[tuple[int, Role], list[LabelSum]] = defaultdict(list)
        for each in self.label_sums(span):
            labels[each.model_version, each.role].append(each)
        found: dict[tuple[int, Role], LiveCounts] = {}
        for volume in self.volume_sums(span):
            key = volume.model_version, volume.role
            found.setdefault(key, LiveCounts(*key, labels=labels[key])).volumes[volume.class_name] = volume
        return list(found.values())

    def volume_sums(self, span: Span) -> list[VolumeSum]:
        """Return the volumes of a span, by version, role and class."""
        return sums(self._database, VolumeSum, prediction_counts, span)

    def label_sums(self, span: Span) -> list[LabelSum]:
        """Return the labels of a span, by version, role, true and predicted class, without zeros."""
        return sums(self._database, LabelSum, confusion_counts, span)

    def paired(self, span: Span, champion: int, challenger: int) -> Paired:
        """Return how two versions compare on the rows that both answered and whose ground truth is known."""
        c = paired_counts.c
        versions = c.champion_version == champion, c.challenger_version == challenger
        found = sums(self._database, _PairSum, paired_counts, span, *versions)
        return Paired.of({(each.champion_right, each.challenger_right): each.labels for each in found})


def sums(
    database: Database, kind: type[Record], table: sa.Table, span: Span, *conditions: sa.ColumnElement[bool]
) -> list[Record]:
    """Return sums of a roll-up's rows, without those whose first sum is zero.

    Args:
        database: where to read.
        kind: the dataclass to return. Its fields are columns of `table`. The ones in the primary key group and order
            the rows, the day before the others; the rest is added up.
        table: the roll-up.
        span: the days, the model and the versions.
        conditions: further conditions.
    """
    columns = [table.c[each.name] for each in fields(kind)]
    keys = sorted((column for column in columns if column.primary_key), key=lambda column: column.name != "day")
    totals = {column.name: sa.func.sum(column) for column in columns if not column.primary_key}
    query = sa.select(*keys, *(total.label(name) for name, total in totals.items()))
    grouped = query.where(*span.clauses(table), *conditions).group_by(*keys).order_by(*keys)
    return records(kind, database.read(grouped.having(next(iter(totals.values())) > 0)))
