"""Predictions over HTTP: right answers, one version an answer, clear errors."""

import httpx
import numpy as np

from common.onnx_io import OnnxModel
from common.problem import Problem
from common.settings import Settings
from common.table import read_table


def test_answers_equal_the_onnx_model_row_by_row(api: httpx.Client, settings: Settings, problem: Problem) -> None:
    test = read_table(settings.data_dir / "test.csv", problem, indices=True)
    expected = OnnxModel((settings.lab_home / "models/iris/model.onnx").read_bytes()).predict(test.X.astype(np.float32))
    assert expected.probabilities is not None
    for row, label, shares in zip(test.X, expected.labels, expected.probabilities, strict=True):
        answer = api.post("/predict", json=dict(zip(problem.columns, row.tolist(), strict=True))).json()
        assert answer["class_name"] == problem.target.classes[label]
        np.testing.assert_allclose(list(answer["probabilities"].values()), shares, atol=1e-6)
