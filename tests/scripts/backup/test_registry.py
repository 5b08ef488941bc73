"""A registry with its database and artefacts goes through a backup: another MLflow has the same versions."""

from pathlib import Path

import httpx
import mlflow

from common.settings import Settings
from common.store import Store
from scripts.backup import restore, save
from scripts.parts import wait_for
from tests import servers
from tests.api.inference.test_prediction_log import by_hand
from tests.conftest import register_onnx, running_api, served_version, set_alias
from tests.scripts.backup.test_backup import ROOM, empty_lab, quiet
from tests.test_breaking import ROWS


def answered(api: httpx.Client, version: int) -> list[dict[str, object]]:
    """Return the answers of a version, without the ids."""
    wait_for("the version", lambda: served_version(api) == version)
    found = api.post("/predict", json={"data": list(ROWS)}).raise_for_status().json()["predictions"]
    return [{**each, "prediction_id": None} for each in found]


def test_the_version_of_a_restored_registry_answers_as_it_did(
    settings: Settings, mlflow_folder: Path, tmp_path: Path, bundle: bytes
) -> None:
    Store(settings.database_url).close()
    # The champion is neither the first version nor the last one, and these answer otherwise.
    numbers = [register_onnx(settings, content) for content in (by_hand(2.5, 4.8), bundle, by_hand(2.5, 4.8))]
    set_alias(settings, "champion", numbers[1])
    save.save(settings.model_copy(update={"lab_home": mlflow_folder}), tmp_path / "lab.zip", quiet)
    with running_api(settings) as api:
        expected = answered(api, numbers[1])
    back = empty_lab(settings, tmp_path / "back")
    restore.restore(back, tmp_path / "lab.zip", ROOM, quiet)
    assert not (back.state_dir / "served").exists()  # nothing but the registry has the version
    with servers.mlflow_server(back.lab_home) as uri:
        back = back.model_copy(update={"mlflow_uri": uri})
        versions = mlflow.MlflowClient(uri).search_model_versions("name = 'IrisModel'")
        assert sorted(int(each.version) for each in versions) == numbers
        with running_api(back) as api:
            assert answered(api, numbers[1]) == expected
