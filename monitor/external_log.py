"""Write the predictions that are not in the external log yet to MLflow; started again after a crash, go on."""

import argparse
import logging
import os
import sys

from common.registry.client import RegistryError, RegistryUnavailableError, check_mlflow
from common.settings import SettingsError, load_settings
from common.store import StoreError

ROWS = 50_000
# For what is imported later: it speaks with nobody but our MLflow, and gives up in time if that goes away.
ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


def main() -> None:
    """Write all that has been predicted until now."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=_count, default=ROWS, help=f"of one export at most (default: {ROWS})")
    arguments = parser.parse_args()
    try:
        settings = load_settings()
        check_mlflow(settings.mlflow_uri)
        os.environ.update(ENVIRONMENT)
        logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
        # Importing MLflow takes longer than an answer to "is MLflow there?" may.
        from monitor.mlflow_export.exporting import export_all

        print(export_all(settings, arguments.rows))
    except (StoreError, RegistryUnavailableError, RegistryError, SettingsError) as error:
        sys.exit(f"external_log: {error}")


def _count(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError
    return number


if __name__ == "__main__":
    main()
