"""Serving the flow: waiting for Prefect, registering, taking up what a worker left, and trying failed runs again."""

import asyncio
import contextlib
import logging
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.deployments.runner import DeploymentApplyError, RunnerDeployment
from prefect.exceptions import PrefectException
from prefect.flows import Flow
from prefect.runner import Runner
from prefect.states import Scheduled

from common.settings import Settings

# By module, so that the worker's folder is found as a package, from the folder that the worker was started in.
ENTRYPOINT = "finetune.finetune.finetune"
POLL_SECONDS = 1
LOOK_SECONDS = 10  # between two looks whether Prefect still knows the deployment
FIRST_RETRY_SECONDS = 15
MAX_RETRY_SECONDS = 600
PREFECT_ERRORS = (httpx.HTTPError, PrefectException, DeploymentApplyError)

logger = logging.getLogger(__name__)


async def serve(flow: Flow[Any, Any], entrypoint: str, settings: Settings) -> None:
    """Run the flow's runs one at a time, for as long as the process lives, also across restarts of Prefect."""
    while True:
        await _until_prefect_answers(settings.prefect_api_url)
        # To pause schedules, which it has none of, it would ask Prefect when that has just gone away.
        runner = Runner(name=settings.deployment, limit=1, query_seconds=POLL_SECONDS, pause_on_shutdown=False)
        deployment = await flow.ato_deployment(name=settings.deployment)
        deployment.entrypoint = entrypoint
        try:
            deployment_id = await runner.aadd_deployment(deployment)
            await _reschedule_interrupted(deployment_id)
            print(f"serving {flow.name}/{settings.deployment}", flush=True)
            keeping = asyncio.create_task(_keep_registered(runner, deployment, deployment_id))
            try:
                await runner.start()
            finally:
                keeping.cancel()
        # The runner puts what it meets into groups.
        except (*PREFECT_ERRORS, ExceptionGroup) as error:
            logger.warning("Prefect went away (%r); the worker waits for it", error)
            await asyncio.sleep(POLL_SECONDS)
        else:
            return


async def _keep_registered(runner: Runner, deployment: RunnerDeployment, deployment_id: UUID) -> None:
    """Register the deployment again when Prefect has lost it: somebody deleted it, or replaced Prefect's database."""
    name = f"{deployment.flow_name}/{deployment.name}"
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            async with get_client() as client:
                found = await client.read_deployments(
                    deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment_id]))
                )
            if not found:
                logger.warning("Prefect does not know %s any more; the worker registers it again", name)
                deployment_id = await runner.aadd_deployment(deployment)
        except PREFECT_ERRORS as error:
            # The runner notices by itself when Prefect is away.
            logger.warning("whether Prefect knows %s is looked up later: %r", name, error)


def try_again_later(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001  # Prefect names it
    """Schedule a failed or crashed run again: soon at first, then every ten minutes. What was refused stays so."""
    if state.name == "Refused":
        return
    wait = min(FIRST_RETRY_SECONDS * 2 ** (flow_run.run_count - 1), MAX_RETRY_SECONDS)
    again: State[Any] = Scheduled(
        scheduled_time=datetime.now(UTC) + timedelta(seconds=wait), message=f"failed, and tried again: {state.message}"
    )
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(flow_run.id, again, force=True)


async def _reschedule_interrupted(deployment_id: UUID) -> None:
    # Runs are one at a time, so what is under way when the worker starts was under way when the last one ended.
    # Every step may be run again: what it had done is noticed.
    under_way = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.PENDING]))
    )
    of_ours = DeploymentFilter(id=DeploymentFilterId(any_=[deployment_id]))
    async with get_client() as client:
        for run in await client.read_flow_runs(flow_run_filter=under_way, deployment_filter=of_ours):
            await client.set_flow_run_state(run.id, Scheduled(message="the worker was restarted"), force=True)


async def _until_prefect_answers(api_url: str) -> None:
    async with httpx.AsyncClient(base_url=api_url, timeout=2.0) as client:
        told = False
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if (await client.get("/health")).is_success:
                    return
            if not told:
                print(f"waiting for Prefect at {api_url}", flush=True)
                told = True
            await asyncio.sleep(POLL_SECONDS)
