"""The search of `main.py` as in tutorials, with MLflow's defaults for everything.

Autologging logs parameters, metrics and the scikit-learn model of every candidate; a second call logs its ONNX export.
For each logged model MLflow starts a process that loads the model, to find its requirements. The best candidate is
registered at the end.
"""

import mlflow
import mlflow.onnx
import numpy as np
import pandas as pd  # type: ignore[import-untyped]  # pandas ships no types
from skl2onnx import to_onnx
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from common.settings import load_settings
from problems.iris import EPOCHS, HIDDEN_LAYERS, LEARNING_RATE, NEURONS, SEED


def main() -> None:
    """Search, log and register."""
    from sklearn.neural_network import MLPClassifier

    settings = load_settings()
    mlflow.set_tracking_uri(settings.mlflow_uri)
    mlflow.set_experiment("Tutorial")
    mlflow.autolog()

    data = pd.read_csv(settings.data_dir / "train.csv", header=None)
    X, y = data.iloc[:, :-1].to_numpy(), data.iloc[:, -1].to_numpy()
    X_fit, X_val, y_fit, y_val = train_test_split(X, y, test_size=0.25, random_state=SEED, stratify=y)

    best_loss, best_run, best_onnx = np.inf, "", ""
    for layers in HIDDEN_LAYERS:
        for epochs in EPOCHS:
            with mlflow.start_run() as run:
                model = MLPClassifier(
                    hidden_layer_sizes=(NEURONS,) * layers,
                    max_iter=epochs,
                    learning_rate_init=LEARNING_RATE,
                    random_state=SEED,
                )
                model.fit(X_fit, y_fit)
                loss = log_loss(y_val, model.predict_proba(X_val))
                mlflow.log_metric("val_log_loss", loss)
                logged = mlflow.onnx.log_model(to_onnx(model, X_fit[:1].astype(np.float32)), name="onnx")
            if loss < best_loss:
                best_loss, best_run, best_onnx = loss, run.info.run_id, logged.model_uri
    mlflow.register_model(f"runs:/{best_run}/model", "TutorialDev")
    mlflow.register_model(best_onnx, "TutorialModel")


if __name__ == "__main__":
    main()
