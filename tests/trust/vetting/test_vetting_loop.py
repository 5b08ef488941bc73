"""Vetting in the whole loop, on real servers and both databases: the api, Prefect, the worker and MLflow."""

from collections.abc import Iterator, Mapping

import httpx
import pytest
from filelock import FileLock

from common.registry.client import Version
from common.settings import Settings
from scripts.parts import wait_for
from tests import servers
from tests.conftest import StartApi, served_version
from tests.test_loop import CLASSES, correction, forget_runs, rows, suggest, versions, wait_for_details, wait_until_over

FAR_OUT = {"sepal_length": 25.0, "sepal_width": 25.0, "petal_length": 25.0, "petal_width": 25.0}


@pytest.fixture
def lab(settings: Settings, trained: Version, prefect_api_url: str, either_url: str) -> Iterator[Settings]:
    """A lab with version 1 and all servers, that vets what comes."""
    assert trained.number == 1
    changes = {"prefect_api_url": prefect_api_url, "database_url": either_url, "vetting": "on"}
    lab = settings.model_copy(update=changes)
    forget_runs(lab)
    yield lab
    forget_runs(lab)


def send(api: httpx.Client, features: Mapping[str, object], class_name: str) -> str:
    body = {**features, "class_name": class_name}
    return str(api.post("/suggest", json=body).raise_for_status().json()["suggestion_id"])


def state(api: httpx.Client, name: str) -> str:
    return str(api.get(f"/suggest/{name}").raise_for_status().json()["state"])


def test_lies_wait_and_good_corrections_become_a_version_without_them(lab: Settings, start_api: StartApi) -> None:
    with servers.worker(lab), start_api(lab) as api:
        wait_for("a version", lambda: served_version(api))
        good = correction(0)
        flip = {name: value for name, value in good.items() if name != "class_name"}
        with FileLock(lab.data_dir / "finetune.lock"):
            lies = [send(api, FAR_OUT, CLASSES[0]), send(api, flip | {"sepal_width": 3.45}, CLASSES[2])]
            ids = suggest(api, range(5))
            [again] = suggest(api, range(1))
        wait_for_details(api, ids, "trained in version 2", within=240)
        wait_for("version 2", lambda: served_version(api) == 2)
        wait_until_over(lab)
        assert [state(api, each) for each in lies] == ["quarantined"] * 2
        assert "0 of the 10 nearest" in api.get(f"/suggest/{lies[1]}").json()["detail"]
        assert state(api, again) == "refused"
    assert len(rows(lab)) == 5
    assert versions(lab) == [1, 2]
