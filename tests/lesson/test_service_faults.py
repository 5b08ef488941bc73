"""The grader finds and names each planted mistake of tasks 3 and 4."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mlflow
import pytest

from lesson.grading.grade import Conditions
from tests.lesson.conftest import assert_found, delete_versions, graded
from tests.lesson.faults import SERVICE_FAULTS, WATCHING_FAULTS, Fault, planted
from tests.prometheus.programs import program


@pytest.mark.parametrize("fault", planted(*SERVICE_FAULTS, *WATCHING_FAULTS))
def test_the_grader_finds_and_names(
    fault: Fault, with_fault: Callable[[Fault], Path], trained: Conditions, mlflow_uri: str, tmp_path: Path
) -> None:
    if fault in WATCHING_FAULTS:
        program("prometheus")
    delete_versions(mlflow_uri, after=1)
    given = replace(trained, limits=replace(trained.limits, start=fault.start_seconds))
    project = with_fault(fault)
    if fault.with_model:
        [version] = mlflow.MlflowClient(mlflow_uri).search_model_versions("name = 'IrisModel'")
        source = mlflow.MlflowClient(mlflow_uri).get_model_version_download_uri("IrisModel", version.version)
        found = mlflow.artifacts.download_artifacts(source, dst_path=str(tmp_path), tracking_uri=mlflow_uri)
        shutil.copyfile(Path(found) / "model.onnx", project / "model.onnx")
    assert_found(fault, graded(project, [fault.task], given))
