"""Reading the roll-ups: what costs the same with a thousand predictions and a million."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import sqlalchemy as sa

from common.problem import Ints
from common.store.database import Database
from common.store.tables import Role, confusion_counts, paired_counts, prediction_counts

Cells = dict[tuple[str, str], int]


@dataclass(frozen=True)
class Volume:
    """Rows that were answered with one class, and how many of them were outliers."""

    predictions: int
    outliers: int


@dataclass
class Live:
    """What a version has answered in one role, and how it stood up to the truth.

    `volumes` are by predicted class, `labels` are counts by (true class, predicted class).
    """

    model_version: int
    role: Role
    volumes: dict[str, Volume] = field(default_factory=dict)
    labels: Cells = field(default_factory=dict)

    @property
    def predictions(self) -> int:
        """All rows that were answered."""
        return sum(volume.predictions for volume in self.volumes.values())

    @property
    def outliers(self) -> int:
        """Those of them that were outliers."""
        return sum(volume.outliers for volume in self.volumes.values())

    def matrix(self, classes: tuple[str, ...]) -> Ints:
        """Return the confusion matrix of `classes`: row is the true class, column the predicted one."""
        counts = [[self.labels.get((true, predicted), 0) for predicted in classes] for true in classes]
        return np.array(counts, dtype=np.int64)

    @property
    def classes(self) -> set[str]:
        """The classes that occur in the labels."""
        return {name for cell in self.labels for name in cell}


@dataclass(frozen=True)
class Paired:
    """Labelled rows that two versions have both answered, by who was right."""

    both_right: int = 0
    only_champion_right: int = 0
    only_challenger_right: int = 0
    both_wrong: int = 0


class Statistics:
    """Sums over the roll-ups."""

    def __init__(self, database: Database) -> None:
        """Read them from `database`."""
        self._database = database

    def models(self) -> list[tuple[str, str]]:
        """Return the problems and model names that have answered."""
        c = prediction_counts.c
        query = sa.select(c.problem, c.model_name).distinct().order_by(c.problem, c.model_name)
        return [(row["problem"], row["model_name"]) for row in self._database.read(query)]

    def live(self, problem: str, model_name: str) -> list[Live]:
        """Return the statistics of every version and role that has answered, by version and role."""
        cells: defaultdict[tuple[int, Role], Cells] = defaultdict(dict)
        # Before the volumes: what is labelled by now has been counted by then.
        for row in self._database.read(_confusions(problem, model_name)):
            cells[row["model_version"], row["role"]][row["true_class"], row["predicted_class"]] = int(row["labels"])
        found: dict[tuple[int, Role], Live] = {}
        for row in self._database.read(_volumes(problem, model_name)):
            key = row["model_version"], row["role"]
            live = found.setdefault(key, Live(*key, labels=cells[key]))
            live.volumes[row["class_name"]] = Volume(int(row["predictions"]), int(row["outliers"]))
        return [found[key] for key in sorted(found)]

    def paired(self, problem: str, model_name: str, champion: int, challenger: int) -> Paired:
        """Return how two versions compare on the labelled rows that both have answered."""
        c = paired_counts.c
        total = sa.func.sum(c.labels).label("labels")
        query = sa.select(c.champion_right, c.challenger_right, total).where(
            *(c.problem == problem, c.model_name == model_name),
            *(c.champion_version == champion, c.challenger_version == challenger),
        )
        return paired_of(self._database.read(query.group_by(c.champion_right, c.challenger_right)))


def paired_of(found: Sequence[sa.RowMapping]) -> Paired:
    """Return sums of the paired roll-up, which were grouped by who was right, as one."""
    counts = {(row["champion_right"], row["challenger_right"]): int(row["labels"]) for row in found}
    return Paired(*(counts.get((a, b), 0) for a, b in ((True, True), (True, False), (False, True), (False, False))))


def _volumes(problem: str, model_name: str) -> sa.Select[tuple[int, str, str, int, int]]:
    c = prediction_counts.c
    sums = sa.func.sum(c.predictions).label("predictions"), sa.func.sum(c.outliers).label("outliers")
    columns = (c.model_version, c.role, c.class_name)
    query = sa.select(*columns, *sums).where(c.problem == problem, c.model_name == model_name)
    return query.group_by(*columns)


def _confusions(problem: str, model_name: str) -> sa.Select[tuple[int, str, str, str, int]]:
    c = confusion_counts.c
    columns = (c.model_version, c.role, c.true_class, c.predicted_class)
    # What has been corrected since leaves zeros.
    query = sa.select(*columns, sa.func.sum(c.labels).label("labels")).having(sa.func.sum(c.labels) > 0)
    return query.where(c.problem == problem, c.model_name == model_name).group_by(*columns)
