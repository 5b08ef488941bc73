"""Statistics of the training rows."""

import numpy as np
import pytest

from common.bundle.model import OnnxModel
from common.bundle.reference import reference_statistics
from common.problem import Problem, Table


def test_the_file_carries_the_statistics_of_the_training_rows(content: bytes, rows: Table, problem: Problem) -> None:
    reference = OnnxModel(content).metadata["reference"]
    assert reference["rows"] == len(rows.y) == 120
    assert reference["class_counts"] == [40, 40, 40]
    assert list(reference["features"]) == list(problem.columns)
    for name, column in zip(problem.columns, rows.X.T, strict=True):
        found = reference["features"][name]
        assert found["mean"] == pytest.approx(column.mean())
        assert found["std"] == pytest.approx(column.std())
        assert found["quantiles"] == pytest.approx(np.percentile(column, range(101)).tolist())
        edges, shares = found["bins"]["edges"], found["bins"]["shares"]
        assert 5 <= len(edges) <= 9
        assert min(shares) > 0
        upto = [float((column <= edge).mean()) for edge in edges]
        assert np.cumsum(shares).tolist() == pytest.approx([*upto, 1.0])


def test_bins_have_the_same_shares_when_measured_values_come_on_a_finer_scale(problem: Problem, rows: Table) -> None:
    finer = np.random.default_rng(3).uniform(-0.049, 0.049, rows.X.shape)  # the measurements are in tenths
    for name, coarse, column in zip(problem.columns, rows.X.T, (rows.X + finer).T, strict=True):
        bins = reference_statistics(problem, rows)["features"][name]["bins"]
        assert not np.isin(bins["edges"], coarse).any()
        counts = np.bincount(np.searchsorted(bins["edges"], column), minlength=len(bins["shares"]))
        assert (counts / len(column)).tolist() == pytest.approx(bins["shares"])


def test_a_class_without_training_rows_is_counted_as_zero(problem: Problem, rows: Table) -> None:
    some = Table(rows.X[rows.y != 2], rows.y[rows.y != 2])
    assert reference_statistics(problem, some)["class_counts"] == [40, 40, 0]
