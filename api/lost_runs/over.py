"""Whether a flow run in Prefect will do nothing more."""

import httpx

from api.corrections.flow_runs import OVER, FlowRuns


async def why_over(runs: FlowRuns, run_id: str) -> str | None:
    """Return the reason, in words, why a run will do nothing more; None if it will do something.

    One look is not enough: the run may just have ended well, or be scheduled again after a failure.

    Raises:
        one of PREFECT_ERRORS: Prefect does not answer as it should.
    """
    response = await runs.prefect.get(f"/flow_runs/{run_id}")
    if response.status_code == httpx.codes.NOT_FOUND:
        return "is gone"
    run = response.raise_for_status().json()
    if run["state"]["type"] in OVER:
        return f"is {run['state']['type'].lower()}"
    # The worker looks for runs of the deployment that it registered last.
    same = run["deployment_id"] == await runs.deployment_id()
    return None if same else "is of a deployment that is gone"
