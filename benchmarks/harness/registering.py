"""Registers versions with different answers, in a process of its own so that the clients keep their speed."""

import numpy as np
from onnx import ModelProto

from common.problem import Classifier, Problem, Table, get_problem
from common.settings import Settings
from common.table import read_table


def register(settings: Settings, seed: int) -> int:
    """Fit a model to rows drawn with `seed`, register both flavours, move the champion; return the number."""
    from common.bundle.export import export_onnx
    from common.bundle.outliers import fit_outlier_scorer

    problem = get_problem(settings.problem)
    table = read_table(settings.data_dir / "train.csv", problem, indices=True)
    drawn = np.random.default_rng(seed).choice(len(table.y), len(table.y))
    rows = Table(table.X[drawn], table.y[drawn])
    model = problem.candidates()[0].fit(rows.X, rows.y)
    return put(settings, problem, model, export_onnx(model, problem, rows, fit_outlier_scorer(rows, table)))


def put(settings: Settings, problem: Problem, model: Classifier, graph: ModelProto) -> int:
    """Register both flavours of a model, and move the champion; return the number."""
    import mlflow

    from common.registry import publish

    publish.use_mlflow(settings.mlflow_uri, problem.sklearn_name)
    with mlflow.start_run():
        return publish.register(problem, settings, model, graph, {}).number
