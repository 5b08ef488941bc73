"""Starts flow runs in Prefect for corrections."""

import httpx

from common.problem import Problem
from common.settings import Settings
from common.store.suggestions import Suggestion

PREFECT_ERRORS = (httpx.HTTPError, ValueError, KeyError, TypeError)  # Prefect is away, or another service answers


class FlowRuns:
    """Runs of a problem's deployment.

    Raises:
        one of PREFECT_ERRORS: from every method, when Prefect does not answer as it should.
    """

    def __init__(self, problem: Problem, settings: Settings) -> None:
        """Use the deployment of the settings."""
        self._problem = problem
        self._deployment = f"/deployments/name/finetune/{settings.deployment}"

    async def start(self, prefect: httpx.AsyncClient, suggestion: Suggestion) -> str:
        """Start a run for a suggestion, in place of the one that it has, if it has one; return the new one's id.

        Two calls, here or in another process, start one run.
        """
        columns = zip(self._problem.slugs, self._problem.columns, strict=True)
        parameters = {
            **{slug: suggestion.features[name] for slug, name in columns},
            "class_name": suggestion.class_name,
            "suggestion_id": suggestion.id,
        }
        before = f" after {suggestion.flow_run_id}" if suggestion.flow_run_id else ""
        run = await prefect.post(
            f"/deployments/{await self.deployment_id(prefect)}/create_flow_run",
            json={"parameters": parameters, "idempotency_key": f"{suggestion.id}{before}"},
        )
        return str(run.raise_for_status().json()["id"])

    async def deployment_id(self, prefect: httpx.AsyncClient) -> str:
        """Return the id of the deployment, which changes when a worker registers it again."""
        return str((await prefect.get(self._deployment)).raise_for_status().json()["id"])
