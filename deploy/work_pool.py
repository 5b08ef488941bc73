"""Make Prefect's work pool for Kubernetes, and let its workers run the flow: `python -m deploy.work_pool`.

A pod starts for each flow run, and ends with it. The worker of `deploy/base` must not run at the same time: it would
register the flow for itself again.
"""

import asyncio
import json
import sys
from typing import Any

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import ObjectAlreadyExists, PrefectException
from prefect.settings import PREFECT_API_URL, temporary_settings

from common.settings import PROJECT, Settings, SettingsError, load_settings
from finetune.finetune import finetune_flow
from finetune.serve import ENTRYPOINT

POOL = "lab"
TEMPLATE = PROJECT / "deploy" / "work-pool" / "base-job-template.json"
AT_A_TIME = 1  # flow runs: each waits for the lock of finetune.csv


async def register(settings: Settings, template: dict[str, Any]) -> None:
    """Make or change the work pool, and register the flow's deployment for it; both may be repeated.

    Raises:
        PrefectException, httpx.HTTPError: Prefect does not answer, or refuses the template.
    """
    with temporary_settings({PREFECT_API_URL: settings.prefect_api_url}):
        async with get_client() as client:
            try:
                new = WorkPoolCreate(
                    name=POOL, type="kubernetes", base_job_template=template, concurrency_limit=AT_A_TIME
                )
                await client.create_work_pool(new)
            except ObjectAlreadyExists:
                changed = WorkPoolUpdate(base_job_template=template, concurrency_limit=AT_A_TIME)
                await client.update_work_pool(POOL, changed)
        deployment = await finetune_flow(settings).ato_deployment(name=settings.deployment, work_pool_name=POOL)
        deployment.entrypoint = ENTRYPOINT
        await deployment.aapply(work_pool_name=POOL)


def main() -> None:
    """Register at the Prefect server of the settings."""
    try:
        settings = load_settings()
        asyncio.run(register(settings, json.loads(TEMPLATE.read_text(encoding="utf-8"))))
    except (SettingsError, PrefectException, httpx.HTTPError) as error:
        sys.exit(f"work_pool: {error}")
    print(f"flow runs of finetune/{settings.deployment} go to the work pool {POOL}")


if __name__ == "__main__":
    main()
