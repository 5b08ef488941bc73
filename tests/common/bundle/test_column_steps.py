"""Steps for mixed columns: their results for numbers, and that their graphs give the same."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest
from skl2onnx import to_onnx
from sklearn.pipeline import Pipeline

from common.bundle.column_steps import Grouped, Plausible, register_converters
from common.bundle.export import OPSET
from common.problem import Floats

EDGES = (21.0, 60.0)


def graph_of(step: Any, width: int) -> Callable[[Floats], Floats]:
    """Return the graph of a fitted step, as a function."""
    register_converters()
    graph = to_onnx(Pipeline([("step", step)]), np.zeros((1, width), dtype=np.float32), target_opset=OPSET)
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])

    def transform(X: Floats) -> Floats:
        (found,) = session.run(None, {"X": X})
        assert isinstance(found, np.ndarray)
        return found

    return transform


def beside(*edges: float) -> Floats:
    """Return each edge with the float32 numbers next to it, as a column."""
    exact = np.array(edges, dtype=np.float32)
    around = [np.nextafter(exact, np.float32(-np.inf)), exact, np.nextafter(exact, np.float32(np.inf))]
    return np.concatenate([*around, np.array([0.0, -0.0, -1e30, 1e30, 45.0], dtype=np.float32)]).reshape(-1, 1)


def test_values_below_the_minimum_become_the_median_of_the_others_and_values_above_the_maximum_are_cut() -> None:
    step = Plausible(minimum=0.0, maximum=90.0).fit(np.array([[-5.0], [0.0], [10.0], [30.0], [400.0], [-1.0]]))
    assert step.medians_.tolist() == [20.0]
    found = step.transform(np.array([[-0.5], [0.0], [89.0], [90.0], [91.0], [4881.0]]))
    assert found.ravel().tolist() == [20.0, 0.0, 89.0, 90.0, 90.0, 90.0]


def test_every_column_has_a_median_of_its_own() -> None:
    step = Plausible(minimum=0.0, maximum=90.0).fit(np.array([[1.0, -1.0], [3.0, 7.0], [-9.0, 8.0], [8.0, 9.0]]))
    assert step.medians_.tolist() == [3.0, 8.0]
    assert step.transform(np.array([[-1.0, -1.0], [2.0, -2.0]])).tolist() == [[3.0, 8.0], [2.0, 8.0]]


def test_a_median_above_the_maximum_is_cut_like_any_number() -> None:
    step = Plausible(minimum=0.0, maximum=90.0).fit(np.array([[100.0], [200.0], [300.0]]))
    assert step.transform(np.array([[-1.0]])).tolist() == [[90.0]]


@pytest.mark.parametrize(
    ("age", "group"), [(0.0, 0), (20.9, 0), (21.0, 0), (21.1, 1), (60.0, 1), (60.5, 2), (118.0, 2), (-1.0, 0)]
)
def test_a_group_ends_with_its_edge(age: float, group: int) -> None:
    assert Grouped(EDGES).fit(np.array([[age]])).transform(np.array([[age]])).tolist() == [[group]]


def test_numbers_that_are_the_same_in_single_precision_are_not_parted() -> None:
    almost = np.array([[21.0000000001], [-1e-50]])
    assert Grouped(EDGES).fit(almost).transform(almost).tolist() == [[0.0], [0.0]]
    step = Plausible(minimum=0.0, maximum=0.1).fit(np.array([[0.3]]))
    assert step.transform(almost).tolist() == [[float(np.float32(0.1))], [0.0]]


def test_columns_that_hold_objects_are_read_as_numbers() -> None:
    objects = np.array([[5, 30.0], [-2.0, 70]], dtype=object)
    plausible = Plausible(minimum=0.0, maximum=50.0).fit(objects)
    assert plausible.transform(objects).tolist() == [[5.0, 30.0], [5.0, 50.0]]
    assert Grouped(EDGES).fit(objects).transform(objects).tolist() == [[0.0, 1.0], [0.0, 2.0]]


@pytest.mark.parametrize("step", [Plausible(minimum=0.0, maximum=90.0), Grouped(EDGES), Grouped((7.5,))])
def test_the_graph_says_the_same_at_every_edge_and_beside_it(step: Any) -> None:
    X = beside(0.0, 7.5, 21.0, 60.0, 90.0)
    found = graph_of(step.fit(np.array([[3.0], [10.0], [-4.0]])), 1)(X)
    np.testing.assert_array_equal(found, step.transform(X).astype(np.float32))


@pytest.mark.parametrize("rows", [1, 1000])
@pytest.mark.parametrize("make", [lambda: Plausible(minimum=-10.0, maximum=40.5), lambda: Grouped((-3.0, 0.0, 30.0))])
def test_the_graph_says_the_same_of_several_columns(make: Callable[[], Any], rows: int) -> None:
    drawn = np.random.default_rng(0).normal(0, 30, (1000, 3)).astype(np.float32)
    step = make().fit(drawn)
    found = graph_of(step, 3)(drawn[:rows])
    assert (found.shape, str(found.dtype)) == ((rows, 3), "float32")
    np.testing.assert_array_equal(found, step.transform(drawn[:rows]).astype(np.float32))
