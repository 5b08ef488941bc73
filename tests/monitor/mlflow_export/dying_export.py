"""An export that is killed at a point: `python -m tests.monitor.mlflow_export.dying_export POINT ROWS`."""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from common.settings import load_settings
from common.store.monitoring import exports
from common.store.monitoring.exports import Exports
from monitor.mlflow_export.exporting import export_all
from monitor.mlflow_export.mlflow_runs import DayRuns

# What is called when, and whether the end comes before or after it has done its work; in the order of an export.
POINTS: dict[str, tuple[Any, str, str]] = {
    "within a claim": (exports, "_take", "after"),
    "between claim and run": (DayRuns, "of", "before"),
    "between run and numbers": (DayRuns, "log", "before"),
    "between numbers and artefacts": (DayRuns, "log", "after"),
    "between artefacts and finish": (Exports, "finish", "before"),
    "after finish": (Exports, "finish", "after"),
}


def dying(work: Callable[..., Any], when: str) -> Callable[..., Any]:
    def work_and_die(*arguments: Any) -> Any:
        if when == "after":
            work(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    return work_and_die


def main() -> None:
    point, rows = sys.argv[1:]
    owner, name, when = POINTS[point]
    exports.ROWS_AT_ONCE = 2
    setattr(owner, name, dying(getattr(owner, name), when))
    export_all(load_settings(), int(rows))


if __name__ == "__main__":
    main()
