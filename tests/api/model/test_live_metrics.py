"""The labels of champion and challenger, while feedback arrives, are scikit-learn's confusion matrices.

Breast cancer from training to the monitor's `/metrics`; tests/prometheus compares the metrics that the recording rules
make of these labels.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import httpx
import pytest
from sklearn.metrics import confusion_matrix

from common.settings import Settings
from common.table import read_table
from monitor.monitor import create_app
from problems import breast_cancer
from scripts.parts import wait_for
from tests.api.challenger.test_shadow import remembered, serving
from tests.api.routes.test_feedback import tell
from tests.conftest import running_api, served
from tests.monitor.test_monitor import CELL, samples
from tests.training.test_search import with_data
from training.search import train

CANCER = breast_cancer.PROBLEM
CLASSES = CANCER.target.classes
ROLES = ("champion", "shadow")
ROWS = 300
HALF = ROWS // 2

Cells = Mapping[tuple[str, str], float]


@dataclass(frozen=True)
class Asked:
    """Rows that the api was asked for: their ids, their true classes, and the answers of each role."""

    ids: Sequence[str]
    truth: Sequence[str]
    answers: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Live:
    """A service with champion and challenger, and the monitor beside it."""

    api: httpx.Client
    monitor: httpx.Client
    numbers: Mapping[str, int]
    asked: Asked

    def tell(self, first: int, last: int) -> None:
        """Tell the truth about some of the rows."""
        for prediction_id, truth in zip(self.asked.ids[first:last], self.asked.truth[first:last], strict=True):
            tell(self.api, prediction_id, truth).raise_for_status()

    def cells(self) -> Mapping[tuple[str, ...], Cells]:
        """Return the exported labels: by model and role, those of each pair of true and predicted class."""
        found: dict[tuple[str, ...], dict[tuple[str, str], float]] = {}
        for (*model, true, predicted, correct), count in samples(self.monitor, "live_labels", *CELL).items():
            assert correct == str(true == predicted).lower()
            found.setdefault(tuple(model), {})[true, predicted] = count
        return found

    def expected(self, rows: int) -> Mapping[tuple[str, ...], Cells]:
        """Return scikit-learn's confusion matrices of the first rows."""
        found: dict[tuple[str, ...], Cells] = {}
        for role, answers in self.asked.answers.items():
            matrix = confusion_matrix(self.asked.truth[:rows], answers[:rows], labels=CLASSES)
            cells = dict(zip(itertools.product(CLASSES, CLASSES), matrix.ravel().tolist(), strict=True))
            found[CANCER.name, CANCER.onnx_name, str(self.numbers[role]), role] = cells
        return found


@pytest.fixture
def live(settings: Settings) -> Iterator[Live]:
    lab = with_data(settings, CANCER, CANCER.load(None))
    trained = train(CANCER, lab)
    assert trained.challenger is not None
    numbers = {"champion": trained.champion.number, "shadow": trained.challenger.number}
    with running_api(lab) as api, served(create_app(lab)) as monitor:
        wait_for("both versions", lambda: serving(api) == numbers)
        yield Live(api, monitor, numbers, ask(api, lab))


def ask(api: httpx.Client, lab: Settings) -> Asked:
    """Ask for rows that no model has learnt from, and wait until both roles' answers are remembered."""
    held_out = read_table(lab.data_dir / "test.csv", CANCER, indices=True)
    body = {"data": held_out.X[:ROWS].tolist()}
    answers = api.post("/predict", json=body).raise_for_status().json()["predictions"]
    ids = [answer["prediction_id"] for answer in answers]
    rows = [{row["role"]: row["class_name"] for row in remembered(api, each)} for each in ids]
    by_role = {role: [each[role] for each in rows] for role in ROLES}
    assert by_role["champion"] == [answer["class_name"] for answer in answers]
    return Asked(ids, [CANCER.target.classes[index] for index in held_out.y[:ROWS]], by_role)


def test_the_labels_of_both_roles_are_scikit_learns_and_follow_the_ground_truths(live: Live) -> None:
    assert {count for cells in live.cells().values() for count in cells.values()} <= {0}
    for first, last in ((0, HALF), (HALF, ROWS)):
        live.tell(first, last)
        assert live.cells() == live.expected(last)
    # Otherwise a mistake of one for the other would not be seen.
    assert len({tuple(cells.values()) for cells in live.cells().values()}) == len(ROLES)


def test_a_wrong_ground_truth_is_counted_until_it_is_replaced(live: Live) -> None:
    live.tell(0, HALF)
    prediction_id, truth = live.asked.ids[HALF], live.asked.truth[HALF]
    [wrong] = set(CLASSES) - {truth}
    tell(live.api, prediction_id, wrong).raise_for_status()
    assert live.cells() != live.expected(HALF + 1)
    tell(live.api, prediction_id, truth, replace=True).raise_for_status()
    assert live.cells() == live.expected(HALF + 1)
