"""Exit 0 if the worker has asked Prefect for work within the last minute: the health check of the worker's image."""  # noqa: INP001  # a program

import sys
from datetime import UTC, datetime

import httpx

from common.settings import Settings, load_settings

PATIENCE_SECONDS = 60.0


def silent_for(settings: Settings) -> float:
    """Return the seconds since a worker last asked Prefect for runs of the deployment."""
    address = f"{settings.prefect_api_url}/deployments/name/finetune/{settings.deployment}"
    answer = httpx.get(address, auth=settings.prefect_log_in, timeout=5.0).raise_for_status()
    return (datetime.now(UTC) - datetime.fromisoformat(answer.json()["last_polled"])).total_seconds()


if __name__ == "__main__":
    seconds = silent_for(load_settings())
    if seconds > PATIENCE_SECONDS:
        sys.exit(f"the worker has not asked for work for {seconds:.0f} s")
