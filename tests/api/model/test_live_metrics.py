"""The metrics of champion and challenger, while feedback arrives, are the numbers that scikit-learn computes.

Breast cancer from training to the monitor's `/metrics`; what the recording rules make of it is tested in
tests/prometheus.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import httpx
import pytest
from sklearn.metrics import accuracy_score, precision_score, recall_score

from common.settings import Settings
from common.table import read_table
from monitor.monitor import create_app
from problems import breast_cancer
from scripts.parts import wait_for
from tests.api.challenger.test_shadow import both_rows, serving
from tests.api.routes.test_feedback import tell
from tests.conftest import running_api, served
from tests.monitor.test_monitor import CELL, samples
from tests.training.test_search import with_data
from training.search import Trained, train

CANCER = breast_cancer.PROBLEM
MALIGNANT, BENIGN = CANCER.target.classes
ROLES = ("champion", "shadow")
ROWS = 300
HALF = ROWS // 2

Metrics = Mapping[str, float]
Cells = Mapping[tuple[str, str], float]


@dataclass(frozen=True)
class Asked:
    """Rows that the api was asked for: their ids, their true classes, and what each role has answered."""

    ids: Sequence[str]
    truth: Sequence[str]
    answers: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Live:
    """A service with champion and challenger, and the monitor beside it."""

    api: httpx.Client
    monitor: httpx.Client
    trained: Trained
    asked: Asked

    def tell(self, first: int, last: int) -> None:
        """Tell the truth about some of the rows."""
        for prediction_id, truth in zip(self.asked.ids[first:last], self.asked.truth[first:last], strict=True):
            tell(self.api, prediction_id, truth).raise_for_status()

    def cells(self) -> Mapping[tuple[str, ...], Cells]:
        """Return what the monitor exports: by model and role, the labels of each pair of true and predicted class."""
        found: dict[tuple[str, ...], dict[tuple[str, str], float]] = {}
        for (*model, true, predicted, correct), count in samples(self.monitor, "live_labels", *CELL).items():
            assert correct == str(true == predicted).lower()
            found.setdefault(tuple(model), {})[true, predicted] = count
        return found

    def metrics(self) -> dict[str, dict[str, Metrics]]:
        """Return the metrics of each class, by role, that follow from what the monitor exports."""
        return {
            role: {name: metrics_of(cells, name) for name in CANCER.target.classes}
            for (*_, role), cells in self.cells().items()
        }

    def expected(self, rows: int) -> dict[str, dict[str, Metrics]]:
        """Return what scikit-learn says of the first rows."""
        truth = self.asked.truth[:rows]
        return {
            role: {name: by_scikit_learn(truth, answers[:rows], name) for name in CANCER.target.classes}
            for role, answers in self.asked.answers.items()
        }


def metrics_of(cells: Cells, name: str) -> Metrics:
    """Return the metrics of one class against the rest."""

    def count(*, true: bool, predicted: bool) -> float:
        return sum(n for (t, p), n in cells.items() if (t == name, p == name) == (true, predicted))

    true_pos, false_neg = count(true=True, predicted=True), count(true=True, predicted=False)
    false_pos, true_neg = count(true=False, predicted=True), count(true=False, predicted=False)
    return {
        "accuracy": (true_pos + true_neg) / (true_pos + true_neg + false_pos + false_neg),
        "precision": true_pos / (true_pos + false_pos),
        "recall": true_pos / (true_pos + false_neg),
        "specificity": true_neg / (true_neg + false_pos),
    }


def by_scikit_learn(truth: Sequence[str], answers: Sequence[str], name: str) -> Metrics:
    right, said = [each == name for each in truth], [each == name for each in answers]
    return {
        "accuracy": float(accuracy_score(right, said)),
        "precision": float(precision_score(right, said)),
        "recall": float(recall_score(right, said)),
        "specificity": float(recall_score(right, said, pos_label=False)),
    }


@pytest.fixture
def live(settings: Settings) -> Iterator[Live]:
    lab = with_data(settings, CANCER, CANCER.load(None))
    trained = train(CANCER, lab)
    assert trained.challenger is not None
    numbers = {"champion": trained.champion.number, "shadow": trained.challenger.number}
    with running_api(lab) as api, served(create_app(lab)) as monitor:
        wait_for("both versions", lambda: serving(api) == numbers)
        yield Live(api, monitor, trained, ask(api, lab))


def ask(api: httpx.Client, lab: Settings) -> Asked:
    """Ask for rows that no model has learnt from, and wait until both roles' answers are remembered."""
    held_out = read_table(lab.data_dir / "test.csv", CANCER, indices=True)
    body = {"data": held_out.X[:ROWS].tolist()}
    answers = api.post("/predict", json=body).raise_for_status().json()["predictions"]
    ids = [answer["prediction_id"] for answer in answers]
    remembered = [{row["role"]: row["class_name"] for row in both_rows(api, each)} for each in ids]
    by_role = {role: [each[role] for each in remembered] for role in ROLES}
    assert by_role["champion"] == [answer["class_name"] for answer in answers]
    return Asked(ids, [CANCER.target.classes[index] for index in held_out.y[:ROWS]], by_role)


def test_before_any_truth_is_told_there_are_no_labels(live: Live) -> None:
    assert {count for cells in live.cells().values() for count in cells.values()} <= {0}


def test_every_metric_of_both_roles_is_scikit_learns_and_moves_with_the_truth(live: Live) -> None:
    live.tell(0, HALF)
    half = live.metrics()
    live.tell(HALF, ROWS)
    whole = live.metrics()
    assert half.keys() == whole.keys() == set(ROLES)
    for found, rows in ((half, HALF), (whole, ROWS)):
        for role, classes in live.expected(rows).items():
            for name, metrics in classes.items():
                assert found[role][name] == pytest.approx(metrics), (role, name)
    unmoved = [
        (role, name, metric)
        for role, classes in half.items()
        for name, metrics in classes.items()
        for metric, value in metrics.items()
        if value == whole[role][name][metric]
    ]
    assert unmoved == []


def test_the_labels_are_those_of_each_versions_own_answers(live: Live) -> None:
    live.tell(0, ROWS)
    challenger = live.trained.challenger
    assert challenger is not None
    numbers = {"champion": live.trained.champion.number, "shadow": challenger.number}
    expected = {
        (CANCER.name, CANCER.onnx_name, str(numbers[role]), role): {
            (true, said): sum(pair == (true, said) for pair in zip(live.asked.truth, answers, strict=True))
            for true in (MALIGNANT, BENIGN)
            for said in (MALIGNANT, BENIGN)
        }
        for role, answers in live.asked.answers.items()
    }
    assert live.cells() == expected
    # Otherwise a mistake of one for the other would not be seen.
    assert len({tuple(cells.values()) for cells in expected.values()}) == len(ROLES)


def test_a_truth_that_was_wrong_is_counted_as_what_replaces_it(live: Live) -> None:
    live.tell(0, HALF)
    wrong = BENIGN if live.asked.truth[HALF] == MALIGNANT else MALIGNANT
    tell(live.api, live.asked.ids[HALF], wrong).raise_for_status()
    assert live.metrics() != live.expected(HALF + 1)
    tell(live.api, live.asked.ids[HALF], live.asked.truth[HALF], replace=True).raise_for_status()
    assert live.metrics() == live.expected(HALF + 1)


def test_the_api_itself_says_the_same_of_both(live: Live) -> None:
    live.tell(0, ROWS)
    versions = live.api.get("/models").raise_for_status().json()["versions"]
    found = {
        each["role"]: {
            one["class_name"]: {name: one[name]["value"] for name in ("precision", "recall", "specificity")}
            for one in each["classes"]
        }
        for each in versions
    }
    for role, classes in live.expected(ROWS).items():
        for name, metrics in classes.items():
            assert found[role][name] == pytest.approx({each: metrics[each] for each in found[role][name]})
