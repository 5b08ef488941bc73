"""The model that the benchmarks of answers serve, as a scikit-learn model and as an ONNX bundle."""

from dataclasses import dataclass

from onnx import ModelProto

from common.bundle.export import export_onnx
from common.bundle.outliers import fit_outlier_scorer
from common.problem import Classifier, Problem, Table
from common.settings import Settings
from common.split import split
from common.table import read_table


@dataclass(frozen=True)
class Fitted:
    """A model fitted to the problem's training rows, and its bundle with and without an outlier scorer."""

    model: Classifier
    table: Table
    graph: ModelProto
    unscored: ModelProto

    @property
    def bundle(self) -> bytes:
        """The bundle with outlier scorer, as the bytes of its file."""
        return bytes(self.graph.SerializeToString())


def fit(problem: Problem, settings: Settings) -> Fitted:
    """Fit the last of the problem's candidates."""
    table = read_table(settings.data_dir / "train.csv", problem, indices=True)
    model = problem.candidates()[-1].fit(table.X, table.y)
    scorer = fit_outlier_scorer(*split(table))
    graph, unscored = (export_onnx(model, problem, table, each) for each in (scorer, None))
    return Fitted(model, table, graph, unscored)
