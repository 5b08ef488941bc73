"""The monitor's process: its memory after the start, after a large window, and after requests for every tab."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psutil

from benchmarks.harness import lab
from benchmarks.harness.report import Claim, Report, ratio
from benchmarks.harness.running import resident
from benchmarks.more.problems import of
from benchmarks.more.windows import ROWS, prepared
from common.problem import get_problem
from common.settings import Settings
from common.store import Store
from monitor.page.tabs import TABS
from scripts.parts import answers, free_port, part, process, wait_for
from scripts.ports import HOST
from scripts.stack import log_path, process_environment

PROBLEMS = ("iris", "breast_cancer")
ROUNDS = 5
MAX_MB = 200
TEXT = (
    "The monitor under uvicorn, on SQLite, with MLflow and a champion whose bundle has a reference. Its resident "
    f"memory when it is ready; after it has evaluated a window of {ROWS:,} predictions; and after {ROUNDS} requests "
    f"for each of the {len(TABS)} tabs and for the metrics. *Peak* is the largest resident memory at any time. The "
    "unit is an empty FastAPI application."
)


def measure() -> Report:
    """Start the monitor for a problem with four features, and for one with thirty."""
    with lab.lab() as settings, part("mlflow", settings):
        unit = _empty(settings)
        found = {name: _of_problem(of(get_problem(name), settings)) for name in PROBLEMS}
    rows, most = [_row(each, name, unit) for name, each in found.items()], max(max(each) for each in found.values())
    header = ("", "ready", "after the window", "after the tabs", "peak", "ratio", f"under {MAX_MB} MB")
    against, limit = "an empty application", header[-1]
    claim = Claim("memory of the monitor", f"{most:.0f} MB", ratio(most, unit), against, limit, met=most < MAX_MB)
    return Report("The monitor's process", TEXT, header, rows, [claim])


def _row(found: Sequence[float], name: str, unit: float) -> tuple[str, ...]:
    most = max(found)
    shown = (f"{each:.0f} MB" for each in found)
    return (name, *shown, ratio(most, unit), "yes" if most < MAX_MB else "**no**")


def _empty(settings: Settings) -> float:
    lab.say("an empty application")
    command = lab.uvicorn("benchmarks.headline.empty_app:app", settings.api_port)
    with process(command, log_path(settings, "empty"), process_environment(settings)) as started:
        wait_for("the empty application", lambda: answers(f"http://{HOST}:{settings.api_port}/readyz"))
        return resident(started.pid)


def _of_problem(settings: Settings) -> list[float]:
    """Return the monitor's memory in MB when it is ready, after the window, after the tabs, and at its peak."""
    port = free_port()
    changes = {"monitor_port": port, "evaluate_seconds": 2, "window_seconds": 3600, "export_seconds": 604_800}
    fast = settings.model_copy(update=changes)
    lab.say(f"{settings.problem}: a champion, and {ROWS} predictions")
    for program in (("-m", "scripts.get_data"), ("preprocess.py",), ("main.py",)):
        lab.python(fast, *program)
    with part("monitor", fast) as started, httpx.Client(base_url=f"http://{HOST}:{port}", timeout=30.0) as http:
        ready = resident(started.pid)
        _write(fast)
        lab.say("the window")
        wait_for("the window", lambda: _evaluated(http, fast.problem), within=120.0)
        after_window = resident(started.pid)
        lab.say("the tabs")
        for _ in range(ROUNDS):
            for path in ("/metrics", "/", *(f"/tab/{tab.name}" for tab in TABS[1:])):
                http.get(path, params={"problem": fast.problem}, headers={"Accept": "text/html"}).raise_for_status()
        return [ready, after_window, resident(started.pid), _most(started.pid)]


def _write(settings: Settings) -> None:
    problem = get_problem(settings.problem)
    _, rows = prepared(problem)
    now = datetime.now(UTC)
    store = Store(settings.database_url)
    for number, row in enumerate(rows):
        row["predicted_at"] = now - timedelta(seconds=number / len(rows))
    store.predictions.write(rows)
    store.close()


def _evaluated(http: httpx.Client, problem: str) -> bool:
    """Return whether the newest window has all rows and drift verdicts."""
    text = http.get("/metrics").raise_for_status().text
    whole = f'window_predictions{{problem="{problem}"}} {float(ROWS)}' in text
    return whole and f'window_drift_verdict{{problem="{problem}"' in text


def _most(pid: int) -> float:
    """Return the peak of a process's resident memory in MB; its present memory where the system keeps no peak."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
        [most] = [line for line in status if line.startswith("VmHWM")]
        return int(most.split()[1]) * 1024 / 1e6
    except FileNotFoundError:
        return float(psutil.Process(pid).memory_info().rss / 1e6)
