"""Say which tasks of docs/lab.md the state of the lab shows as done, and change nothing: `make check-lab`."""

import argparse
import json
import sys
from dataclasses import asdict

from common.problem import ProblemError
from common.settings import SettingsError, load_settings
from common.store import StoreError
from scripts.check_lab.lab_state import read_state
from scripts.check_lab.tasks import MLFLOW_IS_AWAY, TaskReport, reports


def table(found: list[TaskReport]) -> str:
    """Return a line for each task, and one with the numbers of tasks by status."""
    width = max(len(each.title) for each in found)
    lines = [f"{each.number:2}  {each.title:{width}}  {each.status:8}  {each.line}" for each in found]
    numbers = {
        status: sum(each.status == status for each in found) for status in ("done", "begun", "not yet", "not seen")
    }
    away = [str(each.number) for each in found if MLFLOW_IS_AWAY in each.steps]
    note = [f"MLflow does not answer: with `make up` running, more can be seen of the tasks {', '.join(away)}."]
    counted = ", ".join(f"{number} {status}" for status, number in numbers.items())
    return "\n".join([*lines, *(note if away else []), counted])


def document(problem: str, found: list[TaskReport]) -> str:
    """Return the same as JSON, with all steps of each task."""
    tasks = [{**asdict(each), "status": each.status} for each in found]
    return json.dumps({"problem": problem, "tasks": tasks}, indent=2)


def main() -> None:
    """Print which tasks of docs/lab.md are done."""
    parser = argparse.ArgumentParser(prog="python -m scripts.check_lab", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON, with all steps")
    arguments = parser.parse_args()
    try:
        settings = load_settings()
        found = reports(read_state(settings))
    except (ProblemError, SettingsError, StoreError) as error:
        sys.exit(f"check_lab: {error}")
    print(document(settings.problem, found) if arguments.json else table(found))


if __name__ == "__main__":
    main()
