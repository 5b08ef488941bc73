"""MLflow, as the grader reads it: the runs of a search, and the versions of the model."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from lesson.grading.programs import HOST, Programs, free_port
from lesson.grading.scratch import Scratch

NAME = "IrisModel"
LOGGED_MODEL = "models:/"
QUIET = {
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}


class ModelRegistry:
    """A client of one MLflow server; it sees the runs that began after it."""

    def __init__(self, address: str) -> None:
        """Begin to look at a server, which may not answer yet."""
        os.environ.update(QUIET)  # before the import, which would begin to send telemetry
        import mlflow

        self.address = address
        self._since = int(time.time() * 1000)
        self._mlflow: Any = mlflow
        self._client = mlflow.MlflowClient(address)

    def runs(self) -> list[Any]:
        """Return the runs that began since this client looks, of all experiments."""
        experiments = [each.experiment_id for each in self._client.search_experiments()]
        found: list[Any] = self._client.search_runs(
            experiments, f"attributes.start_time >= {self._since}", max_results=1000
        )
        return found

    def names(self) -> list[str]:
        """Return the names of all registered models."""
        return [each.name for each in self._client.search_registered_models()]

    def versions(self) -> list[Any]:
        """Return the versions of `IrisModel`, the oldest first."""
        found = self._client.search_model_versions(f"name = '{NAME}'")
        return sorted(found, key=lambda each: int(each.version))

    def newest(self) -> int:
        """Return the number of the newest version; 0 if there is none."""
        return max((int(each.version) for each in self.versions()), default=0)

    def download(self, number: int, folder: Path) -> Path:
        """Write the artefacts of a version to a new folder; return it."""
        uri = self._client.get_model_version_download_uri(NAME, str(number))
        folder.mkdir(parents=True)
        found = self._mlflow.artifacts.download_artifacts(
            artifact_uri=uri, dst_path=str(folder), tracking_uri=self.address
        )
        return Path(found)

    def register_copy(self, number: int, folder: Path | None = None) -> int:
        """Register a version again, with the same run and tags, and perhaps with other artefacts; return its number."""
        version: Any = self._client.get_model_version(NAME, str(number))
        source = str(version.source)
        # MLflow wants to be told the logged model that a source of this form names.
        model_id = source.removeprefix(LOGGED_MODEL) if source.startswith(f"{LOGGED_MODEL}m-") else None
        if folder:
            place = f"graded-{time.time_ns()}"
            self._client.log_artifacts(version.run_id, str(folder), place)
            source = f"{self._client.get_run(version.run_id).info.artifact_uri}/{place}"
            model_id = None
        made = self._client.create_model_version(
            NAME, source, version.run_id, tags=dict(version.tags), model_id=model_id, await_creation_for=0
        )
        return int(made.version)

    def delete(self, number: int) -> None:
        """Delete a version."""
        self._client.delete_model_version(NAME, str(number))


@contextmanager
def mlflow_server(programs: Programs, scratch: Scratch, python: str) -> Iterator[str]:
    """Start an empty MLflow server of the grading's own; yield its address, at which it does not answer at once."""
    port, folder = free_port(), scratch.own / "mlflow"
    folder.mkdir()
    command = [
        python, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1",
        "--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "artifacts"),
    ]  # fmt: skip
    with programs.background("MLflow", command, folder) as server:
        address = f"http://{HOST}:{port}"
        programs.until_ready(server, lambda: answers(f"{address}/health"), programs.limits.start)
        yield address


def answers(address: str) -> bool:
    """Return whether a server answers at an address, with a status of success."""
    try:
        return httpx.get(address, timeout=2.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False
