"""Starts flow runs in Prefect for corrections."""

from dataclasses import replace

from common.lean_httpx import httpx
from common.problem import Problem
from common.settings import Settings
from common.store.suggestions import Suggestion

OVER = ("COMPLETED", "FAILED", "CRASHED", "CANCELLING", "CANCELLED")  # a run in such a state does nothing more
PREFECT_ERRORS = (httpx.HTTPError, ValueError, KeyError, TypeError)  # Prefect is away, or another service answers


class FlowRuns:
    """Runs of a problem's deployment.

    Attributes:
        prefect: a client for Prefect's API.

    Raises:
        one of PREFECT_ERRORS: from every method, when Prefect does not answer as it should.
    """

    def __init__(self, problem: Problem, settings: Settings) -> None:
        """Use the deployment, and the Prefect, of the settings."""
        url, log_in, seconds = settings.prefect_api_url, settings.prefect_log_in, httpx.Timeout(10.0, connect=2.0)
        # Without https, the client need not load certificates, which take 1 MB of memory.
        self.prefect = httpx.AsyncClient(base_url=url, auth=log_in, timeout=seconds, verify=url.startswith("https:"))
        self._problem = problem
        self._deployment = f"/deployments/name/finetune/{settings.deployment}"

    async def start(self, suggestion: Suggestion) -> str:
        """Start a run for a suggestion, in place of the one that it has, if it has one; return the new one's id.

        Two calls, here or in another process, start one run, unless that is over meanwhile.
        """
        columns = zip(self._problem.slugs, self._problem.columns, strict=True)
        parameters = {
            **{slug: suggestion.features[name] for slug, name in columns},
            "class_name": suggestion.class_name,
            "suggestion_id": suggestion.id,
        }
        before = f" after {suggestion.flow_run_id}" if suggestion.flow_run_id else ""
        answer = await self.prefect.post(
            f"/deployments/{await self.deployment_id()}/create_flow_run",
            json={"parameters": parameters, "idempotency_key": f"{suggestion.id}{before}"},
        )
        run = answer.raise_for_status().json()
        # A correction that a reviewer has approved had a run before it went into quarantine.
        if run["state"]["type"] in OVER:
            return await self.start(replace(suggestion, flow_run_id=run["id"]))
        return str(run["id"])

    async def deployment_id(self) -> str:
        """Return the id of the deployment, which changes when a worker registers it again."""
        return str((await self.prefect.get(self._deployment)).raise_for_status().json()["id"])
