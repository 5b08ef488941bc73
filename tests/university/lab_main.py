"""The registration of a model as students write it in the university's lab, in skl2onnx' and MLflow's defaults."""

import mlflow
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType

from common.problem import Classifier


def register(uri: str, model: Classifier) -> int:
    """Export, log and register a model as the newest version of `IrisModel`; return its number."""
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("IrisDev")
    with mlflow.start_run() as run:
        onnx = convert_sklearn(model, initial_types=[("input", FloatTensorType([None, 4]))])
        assert [output.name for output in onnx.graph.output] == ["output_label", "output_probability"]
        mlflow.onnx.log_model(onnx, name="onnx")
    tags = {"test_accuracy": 0.9, "epochs": 500, "hidden_layers": 2}
    return int(mlflow.register_model(f"runs:/{run.info.run_id}/onnx", "IrisModel", tags=tags).version)
