"""Erase predictions from the days that retention has exported: `python -m monitor.erase_exported ID …`.

`DELETE /predictions/{prediction_id}` erases rows of the store; this command does it where retention has moved them to.
"""

import argparse
import sys

from common.exported_days import ExportError, erase_rows
from common.settings import SettingsError, load_settings


def main() -> None:
    """Erase the predictions that the command line names; end with 1 if no file has any of them."""
    parser = argparse.ArgumentParser(
        prog="python -m monitor.erase_exported", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("prediction_id", nargs="+", metavar="ID", help="the id of a prediction")
    parser.add_argument("--problem", help="a file of problems/; default: PROBLEM")
    parser.add_argument("--exported", metavar="FOLDER", help="default: EXPORT_PREDICTIONS")
    asked = parser.parse_args()
    try:
        settings = load_settings()
        folder = asked.exported or settings.export_predictions
        if not folder:
            parser.error("no folder is named: use --exported FOLDER, or set EXPORT_PREDICTIONS")
        erased = erase_rows(folder, asked.problem or settings.problem, set(asked.prediction_id))
    except (ExportError, SettingsError) as error:
        sys.exit(f"erase: {error}")
    if not erased:
        sys.exit(f"erase: no file of {folder} has such a prediction")
    print(f"rows erased from {folder}: {erased}")


if __name__ == "__main__":
    main()
