"""The loop on the manifests of `deploy/`, started by podman."""

import os
from collections.abc import Iterator

import httpx
import pytest

from scripts.parts import wait_for
from tests.containers import loop
from tests.containers.kube import SERVERS, Cluster, running_cluster
from tests.containers.stack import PASSWORD, engine

pytestmark = pytest.mark.skipif(
    os.environ["LAB_ENGINE"] != "podman", reason="only podman starts manifests of Kubernetes"
)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("kube"), PASSWORD) as found:
        for name in SERVERS:
            found.start(name)
            if name not in {"worker", "monitor", "api"}:
                found.ready(name)
        yield found


def test_five_corrections_become_the_version_that_answers_in_pods(cluster: Cluster) -> None:
    with httpx.Client(base_url=cluster.address("api"), timeout=20.0) as api:
        wait_for("the api", lambda: api.get("/livez").is_success, loop.PATIENCE)
        assert api.get("/readyz").status_code == 503
        cluster.once("train")
        cluster.ready("api")
        assert loop.predict(api)["model_version"] == 1
        loop.ask(api)
        loop.correct(api, range(5))
        loop.served(api, 2)
    for name in SERVERS:
        cluster.ready(name)


@pytest.mark.parametrize("name", SERVERS)
def test_a_pod_runs_with_the_rights_that_its_manifest_gives_it(cluster: Cluster, name: str) -> None:
    limits = cluster.pods[name]["spec"]["containers"][0]["resources"]["limits"]
    container = f"{name}-{name}"
    assert engine("exec", container, "id", "-u").strip() != "0"
    assert "\nCapEff:\t0000000000000000\n" in engine("exec", container, "cat", "/proc/1/status")
    memory = engine("inspect", "--format", "{{.HostConfig.Memory}} {{.HostConfig.ReadonlyRootfs}}", container)
    assert memory.split() == [str(_bytes(limits["memory"])), "true"]


def _bytes(quantity: str) -> int:
    return int(quantity[:-2]) * {"Mi": 2**20, "Gi": 2**30}[quantity[-2:]]
