"""A log of four days with most of its truths, and the same as plain lists, for scikit-learn to look at."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

from common.store import Store
from common.store.predictions import PredictionRow
from common.store.tables import Role
from monitor.page.panels import Cell, Panel
from monitor.page.view import Selection
from tests.common.store.rows import CLASSES, prediction

FIRST = date(2026, 3, 1)
LAST = date(2026, 3, 4)
ROWS_A_DAY = 60
# Champion and challenger of each day; the last day has no challenger.
VERSIONS = ((1, 2), (1, 2), (2, 3), (2, None))
HITS = {1: 0.75, 2: 0.85, 3: 0.6}  # how often a version is right


@dataclass(frozen=True)
class Row:
    """A logged answer and its truth, None if nobody has told it."""

    day: date
    role: Role
    version: int
    predicted: str
    truth: str | None
    is_outlier: bool
    id: str


@dataclass(frozen=True)
class Log:
    """The rows that were written."""

    rows: list[Row]

    def of(self, role: Role, selection: "Selection | None" = None, version: int | None = None) -> list[Row]:
        """Return the rows in a role that a selection contains."""
        asked = selection or asking()
        return [
            row
            for row in self.rows
            if row.role == role
            and asked.since <= row.day <= asked.until
            and (not asked.versions or row.version in asked.versions)
            and version in (None, row.version)
        ]

    def labelled(
        self, role: Role, selection: "Selection | None" = None, version: int | None = None
    ) -> tuple[list[str], list[str]]:
        """Return the true and the predicted classes of those whose truth is known."""
        return pairs(self.of(role, selection, version))


def pairs(rows: list[Row]) -> tuple[list[str], list[str]]:
    """Return the true and the predicted classes of the rows whose truth is known."""
    known = [(row.truth, row.predicted) for row in rows if row.truth is not None]
    return [truth for truth, _ in known], [predicted for _, predicted in known]


def asking(since: date = FIRST, until: date = LAST, *versions: int, prediction_id: str = "") -> Selection:
    """Ask for these days and versions of the problem."""
    return Selection(problem="iris", since=since, until=until, versions=list(versions), id=prediction_id)


def today(*versions: int) -> Selection:
    """Ask for today and for yesterday, in case that the day ends meanwhile."""
    day = datetime.now(UTC).date()
    return asking(day - timedelta(days=1), day, *versions)


def write_log(store: Store) -> Log:
    """Write the log: some truths before the challenger's answers, some after; some are replaced."""
    random = np.random.default_rng(7)
    rows: list[Row] = []
    for number, versions in enumerate(VERSIONS):
        day = _day(random, FIRST + timedelta(days=number), versions)
        _write(store, random, day)
        rows += day
    # Another problem's, which must not be counted.
    store.predictions.write([prediction("other", problem="other", at=_moment(FIRST, 0))])
    return Log(rows)


def _day(random: np.random.Generator, day: date, versions: tuple[int, int | None]) -> list[Row]:
    roles: tuple[Role, Role] = ("champion", "shadow")
    # Truths are scarce on the third day, and there are none on the last.
    known = {1: 0.9, 2: 0.7, 3: 0.2, 4: 0.0}[day.day]
    rows = []
    for index in range(ROWS_A_DAY):
        truth, told = str(random.choice(CLASSES, p=(0.5, 0.3, 0.2))), bool(random.random() < known)
        for role, version in zip(roles, versions, strict=True):
            if version is not None:
                answer, is_outlier = _answer(random, truth, version), bool(random.random() < 0.1)
                rows.append(Row(day, role, version, answer, truth if told else None, is_outlier, f"{day.day}-{index}"))
    return rows


def _write(store: Store, random: np.random.Generator, rows: list[Row]) -> None:
    written = {(row.id, row.role): _as_written(row, _moment(row.day, random.uniform(0, 86_400))) for row in rows}
    truths = {row.id: row.truth for row in rows if row.truth is not None}
    early = [name for name in truths if random.random() < 0.8]
    if early:
        store.known_rows.write([written[name, "champion"] for name in early], [truths[name] for name in early])
    store.predictions.write(list(written.values()))
    for name in truths.keys() - set(early):
        store.feedback.give(name, CLASSES[0])
        store.feedback.give(name, truths[name], replace=True)


def _answer(random: np.random.Generator, truth: str, version: int) -> str:
    if random.random() < HITS[version]:
        return truth
    return str(random.choice([name for name in CLASSES if name != truth]))


def _as_written(row: Row, at: datetime) -> PredictionRow:
    written = prediction(row.id, row.predicted, role=row.role, version=row.version, at=at)
    return written | {"is_outlier": row.is_outlier}


def _moment(day: date, second: float) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=second)


def cells(panel: Panel) -> list[dict[str, Cell]]:
    """Return a panel's rows, each by the names of its columns."""
    names = [column.name for column in panel.columns]
    return [dict(zip(names, row, strict=True)) for row in panel.rows]


def table(panel: Panel, key: str = "") -> dict[Cell, dict[str, Cell]]:
    """Return a panel's rows by their cell of a column, which is the first by default."""
    found = {row[key or panel.columns[0].name]: row for row in cells(panel)}
    assert len(found) == len(panel.rows)
    return found


def by_id(panels: list[Panel]) -> dict[str, Panel]:
    """Return panels by their ids."""
    found = {panel.id: panel for panel in panels}
    assert len(found) == len(panels)
    return found
