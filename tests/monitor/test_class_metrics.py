"""The metrics of the classes: the positive one of two, and the rows that the served version has learnt."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from common.problem import Problem, Table
from common.store import Store
from monitor.metrics.class_metrics import class_metrics
from monitor.statistics.reference import Reference
from tests.common.store.rows import MODEL, SETOSA, VERSICOLOR, VIRGINICA
from tests.monitor.references import knowing, reference_of

NOWHERE = "a_problem_without_a_file"


@pytest.fixture
def one_store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(f"sqlite:///{tmp_path}/lab.db")) as store:
        yield store


def found(store: Store, name: str, models: dict[str, str], reference: Reference | None = None) -> dict[str, float]:
    """Return the values of a metric by the class."""
    families = {family.name: family for family in class_metrics(knowing(store, reference), models)}
    return {sample.labels["class_name"]: sample.value for sample in families[name].samples}


def test_of_two_classes_in_the_bundle_the_second_is_positive_whatever_the_file_says(one_store: Store) -> None:
    bundle = Reference(1, ("sick", "well"), {"sick": 3, "well": 4}, {}, None, None)
    for problem in ("iris", "breast_cancer", NOWHERE):
        assert found(one_store, "positive_class", {problem: MODEL}, bundle) == {"well": 1}


def test_of_a_version_without_a_reference_the_problems_file_says_it(one_store: Store) -> None:
    assert found(one_store, "positive_class", {"breast_cancer": "BreastCancerModel"}) == {"benign": 1}
    assert found(one_store, "positive_class", {"travel_insurance": "TravelInsuranceModel"}) == {"Yes": 1}


def test_of_three_classes_and_of_a_problem_without_a_file_none_is_positive(one_store: Store) -> None:
    assert found(one_store, "positive_class", {"iris": MODEL, NOWHERE: "SomeModel"}) == {}


def test_the_learnt_rows_are_counted_by_class(one_store: Store, problem: Problem) -> None:
    rows = Table(np.full((9, 4), 2.0), np.array([0] * 2 + [1] * 3 + [2] * 4))
    counts = found(one_store, "learnt_rows", {"iris": MODEL}, reference_of(problem, rows))
    assert counts == {SETOSA: 2, VERSICOLOR: 3, VIRGINICA: 4}
    assert found(one_store, "learnt_rows", {"iris": MODEL}) == {}
