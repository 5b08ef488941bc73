"""Write new predictions to the external log in MLflow. After a crash, start the command again: it goes on."""

import argparse
import logging
import os
import sys

from common.registry.client import RegistryError, RegistryUnavailableError, check_mlflow
from common.settings import SettingsError, load_settings
from common.store import StoreError

ROWS = 50_000
# MLflow's client reads these at its import: no telemetry, and short time-outs in case that the server goes away.
ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


def main() -> None:
    """Write all predictions until now."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=_count, default=ROWS, help=f"the most rows of one export (default: {ROWS})")
    arguments = parser.parse_args()
    try:
        settings = load_settings()
        check_mlflow(settings.mlflow_uri)
        os.environ.update(ENVIRONMENT)
        logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
        # Imported after the check: the import of MLflow takes seconds, and the check should answer at once.
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
