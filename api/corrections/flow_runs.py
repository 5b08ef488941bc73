"""Flow runs in Prefect: starting one for a correction, and seeing whether it will still do something."""

import httpx

from common.problem import Problem
from common.settings import Settings
from common.store.suggestions import Suggestion

PREFECT_ERRORS = (httpx.HTTPError, ValueError, KeyError, TypeError)  # Prefect is away, or somebody else answers
OVER = ("COMPLETED", "FAILED", "CRASHED", "CANCELLING", "CANCELLED")


class FlowRuns:
    """Runs of a problem's deployment.

    Raises:
        one of PREFECT_ERRORS: from every method, when Prefect does not answer as it should.
    """

    def __init__(self, problem: Problem, settings: Settings) -> None:
        """Take the deployment of the settings."""
        self._problem = problem
        self._deployment = f"/deployments/name/finetune/{settings.deployment}"

    async def start(self, prefect: httpx.AsyncClient, suggestion: Suggestion) -> str:
        """Start a run for a suggestion, in place of the one that it has, if it has one; return the new one's id.

        To do it twice, here or in another process, starts one.
        """
        columns = zip(self._problem.slugs, self._problem.columns, strict=True)
        parameters = {
            **{slug: suggestion.features[name] for slug, name in columns},
            "class_name": suggestion.class_name,
            "suggestion_id": suggestion.id,
        }
        before = f" after {suggestion.flow_run_id}" if suggestion.flow_run_id else ""
        run = await prefect.post(
            f"/deployments/{await self._deployment_id(prefect)}/create_flow_run",
            json={"parameters": parameters, "idempotency_key": f"{suggestion.id}{before}"},
        )
        return str(run.raise_for_status().json()["id"])

    async def how_over(self, prefect: httpx.AsyncClient, run_id: str) -> str | None:
        """Return in words how it comes that a run will do nothing more; None if it will."""
        answer = await prefect.get(f"/flow_runs/{run_id}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return "is gone"
        run = answer.raise_for_status().json()
        if run["state"]["type"] in OVER:
            return f"is {run['state']['type'].lower()}"
        # The worker looks for runs of the deployment that it has registered last.
        return None if run["deployment_id"] == await self._deployment_id(prefect) else "is of a deployment that is gone"

    async def _deployment_id(self, prefect: httpx.AsyncClient) -> str:
        return str((await prefect.get(self._deployment)).raise_for_status().json()["id"])
