"""Task 3: a service that answers with the newest version of `IrisModel`."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    """Settings of the service, from the environment."""

    # The address of MLflow, from the variable MLFLOW_URL, with its default.


class PredictInput(BaseModel):
    """The body of a request."""

    # The four measurements.


class PredictOutput(BaseModel):
    """The body of an answer."""

    # The name of the class.


# Everything that a request needs and that does not come with it: the session of ONNX Runtime, the class names, …
state: dict[str, Any] = {}


def init() -> None:
    """Put the newest version of `IrisModel` into `state`."""
    # 1. Ask MLflow for the newest version.
    # 2. Download its file, and make a session of it.
    # 3. Get the class names in the order that this version was trained with.


app = FastAPI(title="Iris")

# Call `init` when the application starts, not when this file is imported.
# The route POST /predict takes a PredictInput and returns a PredictOutput.
# Task 4: a counter, and the route GET /metrics.
# Task 5: the route POST /suggest, and a look for newer versions while the service runs.
