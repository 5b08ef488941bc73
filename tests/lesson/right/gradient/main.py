"""A perceptron of one layer by stochastic gradients, behind a scaler; the class is a name in every file."""

import os

import mlflow
import pandas as pd
from skl2onnx import to_onnx
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import f1_score
from sklearn.model_selection import ParameterGrid, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

ORDER = ["sepal_length", "sepal_width", "petal_length", "petal_width"]


def rows(name):
    found = pd.read_csv(f"data/{name}.csv")
    return found[ORDER].to_numpy("float32"), found["class_name"].to_numpy(str)


def log_and_register(model, X):
    mlflow.sklearn.log_model(model, name="to-go-on", serialization_format="cloudpickle", pip_requirements=[])
    logged = mlflow.onnx.log_model(to_onnx(model, X[:1]), name="to-serve", pip_requirements=[])
    mlflow.register_model(logged.model_uri, "IrisModel")


def main():
    X, y = rows("train")
    tried = {}
    for parameters in ParameterGrid({"alpha": [1e-4, 1e-2, 10.0], "max_iter": [5, 1000]}):
        with mlflow.start_run() as run:
            mlflow.log_params(parameters)
            model = make_pipeline(
                PolynomialFeatures(2), StandardScaler(), SGDClassifier(loss="log_loss", random_state=3, **parameters)
            )
            score = f1_score(y, cross_val_predict(model, X, y, cv=4), average="macro")
            mlflow.log_metric("val_f1", score, step=0)
            tried[run.info.run_id] = (score, model)
    winner = max(tried, key=lambda run_id: tried[run_id][0])
    with mlflow.start_run(run_id=winner):
        log_and_register(tried[winner][1].fit(X, y), X)


mlflow.set_tracking_uri(os.environ.get("MLFLOW_URL"))
if __name__ == "__main__":
    main()
