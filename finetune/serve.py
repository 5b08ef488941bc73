"""Serve the flow: wait for Prefect, register the deployment, run interrupted flow runs again, retry failed ones."""

import asyncio
import contextlib
import logging
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import DeploymentFilter, FlowRunFilter
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments.runner import DeploymentApplyError, RunnerDeployment
from prefect.exceptions import PrefectException
from prefect.flows import Flow
from prefect.runner import Runner
from prefect.states import Scheduled

from common.settings import Settings
from finetune.forks import fork_flow_runs  # room: forks

# The flow's module by its full name, because flow runs start in the project's folder and import it from there.
ENTRYPOINT = "finetune.finetune.finetune"
POLL_SECONDS = 1
LOOK_SECONDS = 10  # between two checks that Prefect still knows the deployment
FIRST_RETRY_SECONDS = 15
MAX_RETRY_SECONDS = 600
PREFECT_ERRORS = (httpx.HTTPError, PrefectException, DeploymentApplyError)

logger = logging.getLogger(__name__)


async def serve(flow: Flow[Any, Any], settings: Settings) -> None:
    """Execute flow runs, one at a time, as long as the process lives; a restart of Prefect does not end it."""
    while True:
        await _until_prefect_answers(settings.prefect_api_url)
        # The deployment has no schedules; to pause them, the runner would ask Prefect, which may just have gone away.
        runner = Runner(name=settings.deployment, limit=1, query_seconds=POLL_SECONDS, pause_on_shutdown=False)
        deployment = await flow.ato_deployment(name=settings.deployment)
        deployment.entrypoint = ENTRYPOINT
        try:
            deployment_id = await runner.aadd_deployment(deployment)
            await _reschedule_interrupted(deployment_id)
            print(f"serving {flow.name}/{settings.deployment}", flush=True)
            fork_flow_runs()  # room: forks
            keeping = asyncio.create_task(_keep_registered(runner, deployment, deployment_id))
            try:
                await runner.start()
            finally:
                keeping.cancel()
        # The runner raises errors of its tasks as groups.
        except (*PREFECT_ERRORS, ExceptionGroup) as error:
            logger.warning("Prefect went away (%r); the worker waits for it", error)
            await asyncio.sleep(POLL_SECONDS)
        else:
            return


async def _keep_registered(runner: Runner, deployment: RunnerDeployment, deployment_id: UUID) -> None:
    """Register the deployment again when Prefect has lost it, because somebody deleted it or Prefect's database."""
    name = f"{deployment.flow_name}/{deployment.name}"
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            async with get_client() as client:
                found = await client.read_deployments(deployment_filter=_only(deployment_id))
            if not found:
                logger.warning("Prefect does not know %s any more; the worker registers it again", name)
                deployment_id = await runner.aadd_deployment(deployment)
        except PREFECT_ERRORS as error:
            # The runner itself notices that Prefect is away, and ends.
            logger.warning("the worker could not check that Prefect knows %s, and checks again: %r", name, error)


def try_again_later(flow: Flow[Any, Any], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001  # Prefect names it
    """Schedule a failed or crashed flow run again, after pauses of 15 s to ten minutes; a refused one stays refused."""
    if state.name == "Refused":
        return
    wait = min(FIRST_RETRY_SECONDS * 2 ** (flow_run.run_count - 1), MAX_RETRY_SECONDS)
    again: State[Any] = Scheduled(
        scheduled_time=datetime.now(UTC) + timedelta(seconds=wait), message=f"failed, and tried again: {state.message}"
    )
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(flow_run.id, again, force=True)


async def _reschedule_interrupted(deployment_id: UUID) -> None:
    # A flow run that is running when the worker starts was interrupted by the end of the worker before. It may run
    # again from the beginning: each step notices which part of its work is done.
    running = FlowRunFilter.model_validate({"state": {"type": {"any_": ["RUNNING", "PENDING"]}}})
    async with get_client() as client:
        for run in await client.read_flow_runs(flow_run_filter=running, deployment_filter=_only(deployment_id)):
            await client.set_flow_run_state(run.id, Scheduled(message="the worker was restarted"), force=True)


def _only(deployment_id: UUID) -> DeploymentFilter:
    return DeploymentFilter.model_validate({"id": {"any_": [deployment_id]}})


async def _until_prefect_answers(api_url: str) -> None:
    async with httpx.AsyncClient(base_url=api_url, timeout=2.0) as client:
        reported = False
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if (await client.get("/health")).is_success:
                    return
            if not reported:
                print(f"waiting for Prefect at {api_url}", flush=True)
                reported = True
            await asyncio.sleep(POLL_SECONDS)
