"""Prefect's work pool for Kubernetes at a real Prefect server, as far as that goes without Kubernetes."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from common.settings import Settings
from deploy.work_pool import AT_A_TIME, POOL, TEMPLATE, register
from tests.deploy.rendering import rendered, schemas

PROBLEM = "travel_insurance"  # no other test serves its deployment


@pytest.fixture
def prefect(prefect_api_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=prefect_api_url) as client:
        yield client
        client.delete(f"/work_pools/{POOL}")
        found = client.get(f"/deployments/name/finetune/finetune-{PROBLEM}").json()
        client.delete(f"/deployments/{found['id']}")


@pytest.mark.thorough
def test_the_flow_is_registered_for_the_pool_and_a_second_time_changes_the_pool(
    prefect: httpx.Client, prefect_api_url: str
) -> None:
    settings = Settings(problem=PROBLEM, prefect_api_url=prefect_api_url)
    template = json.loads(TEMPLATE.read_text(encoding="utf-8"))
    other = json.loads(TEMPLATE.read_text(encoding="utf-8").replace("closed-loop-lab/finetune", "another/image"))
    asyncio.run(register(settings, other))
    asyncio.run(register(settings, template))
    pool = prefect.get(f"/work_pools/{POOL}").raise_for_status().json()
    assert (pool["type"], pool["base_job_template"], pool["concurrency_limit"]) == ("kubernetes", template, AT_A_TIME)
    deployment = prefect.get(f"/deployments/name/finetune/finetune-{PROBLEM}").raise_for_status().json()
    assert (deployment["work_pool_name"], deployment["entrypoint"]) == (POOL, "finetune.finetune.finetune")
    assert "sepal_length" not in deployment["parameter_openapi_schema"]["properties"]


def test_the_pod_of_a_flow_run_is_that_of_the_worker() -> None:
    job: dict[str, Any] = json.loads(TEMPLATE.read_text(encoding="utf-8"))["job_configuration"]["job_manifest"]
    schemas()({**job, "metadata": {"generateName": "finetune-"}}, "1.37")
    pod = job["spec"]["template"]["spec"]
    overlay = rendered("overlays/small")
    [worker] = [e for e in overlay if (e["kind"], e["metadata"]["name"]) == ("Deployment", "worker")]
    [settings] = [e["data"] for e in overlay if e["kind"] == "ConfigMap" and e["metadata"]["name"].startswith("lab-")]
    assert pod["securityContext"] == worker["spec"]["template"]["spec"]["securityContext"]
    [own], [other] = pod["containers"], worker["spec"]["template"]["spec"]["containers"]
    for same in ("image", "securityContext", "resources", "volumeMounts"):
        assert own[same] == other[same]
    given = {each["name"]: each.get("value") for each in own["env"]}
    # The component of PostgreSQL sets it; api and monitor look at the store's disk, and a flow run does not.
    assert settings.keys() - given.keys() == {"STORE_DISK"}
    assert settings.items() - {("STORE_DISK", settings["STORE_DISK"])} <= given.items()
    assert {each["name"] for each in other["env"]} <= set(given)
