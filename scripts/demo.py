"""The whole loop once, on real servers, in a copy of the project under .demo/: `make demo`."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from common.problem import Problem, ProblemError, get_problem
from common.settings import PROJECT, Settings, SettingsError, load_settings
from common.store.suggestions import TRAIN_AT
from scripts.demo_steps import (
    PATIENCE,
    TRAFFIC,
    DemoError,
    accuracy_over_http,
    challenge,
    correct,
    judged_models,
    least_sure,
    rows_of,
    send_traffic,
    served_version,
    serving,
)
from scripts.parts import process, wait_for
from scripts.ports import PortInUseError, check_free
from scripts.stack import on_own_servers, process_environment, wait_until_ready
from scripts.traffic import api_address, key_header

DEMO = PROJECT / ".demo"
console = Console(soft_wrap=True)


@dataclass(frozen=True)
class Outcome:
    """The results of the loop.

    Attributes:
        versions: the versions that have served, each with its accuracy on the test rows.
        flow_run_id: the flow run that made the second version.
        models: the answer of `GET /models` at the end.
    """

    versions: tuple[tuple[int, float], ...]
    flow_run_id: str
    models: dict[str, Any]


class Hops(dict[str, float]):
    """The steps of the loop, each with the seconds it took."""

    @contextmanager
    def hop(self, name: str, *, announce: bool = True) -> Iterator[None]:
        """Time one step, and print its name at its begin."""
        if announce:
            console.print(f"[bold]▶ {name}[/]")
        start = time.monotonic()
        yield
        self[name] = time.monotonic() - start


def copy_project(target: Path) -> None:
    """Copy the project's files as they are now, without those that git ignores, to a fresh `target`."""
    shutil.rmtree(target, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (PROJECT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, target / name)
    (target / ".venv").symlink_to(Path(sys.prefix))
    # DVC looks for a git repository by default, and the copy has none.
    (target / ".dvc" / "config.local").write_text("[core]\n    no_scm = true\n", encoding="utf-8")


@contextmanager
def running_stack(settings: Settings, environment: dict[str, str]) -> Iterator[None]:
    """Start the stack in the copy and wait until it is ready; stop all of it at the end, also after an error."""
    command, log = [sys.executable, "-m", "scripts.stack"], settings.state_dir / "stack.log"
    with process(command, log, environment, DEMO) as stack:
        wait_until_ready(settings, stopped=lambda: stack.poll() is not None)
        yield


def run(command: list[str], environment: dict[str, str]) -> None:
    """Run a command in the copy, its output on the screen."""
    if subprocess.run(command, cwd=DEMO, env=environment, check=False).returncode:
        raise DemoError(f"`{' '.join(command)}` failed; the logs are in {DEMO / '.lab' / 'logs'}")


def close_loop(problem: Problem, settings: Settings, environment: dict[str, str], hops: Hops) -> Outcome:
    """Go through the loop once, from the data to the next version."""
    with hops.hop("prepare the data: get_data, dvc repro"):
        run(["python", "-m", "scripts.get_data"], environment)
        run(["dvc", "repro", f"preprocess@{problem.name}"], environment)
    rows = rows_of(settings.data_dir / "test.csv", problem)
    learnt = rows_of(settings.data_dir / "train.csv", problem)
    with hops.hop("train: python main.py"):
        run(["python", "main.py"], environment)
    with httpx.Client(base_url=api_address(settings), headers=key_header(settings), timeout=10.0) as api:
        with hops.hop(f"the api serves it; {len(rows)} test rows over HTTP"):
            first = wait_for("serving the trained version", lambda: served_version(api), PATIENCE)
            before = accuracy_over_http(api, rows)
        with hops.hop(f"{TRAIN_AT} corrections become the next version, served without a restart"):
            status = correct(api, least_sure(api, learnt))
            second = wait_for(
                "serving the fine-tuned version",
                lambda: version if (version := served_version(api)) == status["model_version"] else None,
                PATIENCE,
            )
        after = accuracy_over_http(api, rows)
        with hops.hop(f"{TRAFFIC.seconds:.0f} s of traffic, labels, outliers; version {first} is the challenger"):
            challenge(api, first)
            send_traffic(problem, settings)
            models = judged_models(api)
    return Outcome(((first, before), (second, after)), status["flow_run_id"], models)


def live_table(models: dict[str, Any]) -> Table:
    """Return the live statistics of champion and challenger after the traffic, side by side."""
    first, second = sorted(serving(models), key=lambda each: str(each["role"]))
    paired = models["comparison"]
    table = Table("live", title="by ground truth", title_justify="left")
    for each, name in ((first, "champion"), (second, "challenger")):
        table.add_column(f"{name}, version {each['model_version']}", justify="right")
    for name in ("predictions", "labels", "outliers"):
        table.add_row(f"{name} received" if name == "labels" else name, str(first[name]), str(second[name]))
    interval = "{value:.3f} ({low:.3f} to {high:.3f})"
    table.add_row("accuracy (95 %)", *(interval.format(**each["accuracy"]) for each in (first, second)))
    table.add_row("right, the other wrong", *(str(paired[f"only_{name}_right"]) for name in ("champion", "challenger")))
    table.caption = f"McNemar's exact test: p = {paired['p_value']:.2f}"
    return table


def show(problem: Problem, settings: Settings, outcome: Outcome, hops: Hops) -> None:
    """Print versions, accuracies and seconds, and the addresses of their pages."""
    table = Table(title="the loop is closed", show_header=False)
    for (number, accuracy), made in zip(outcome.versions, ("trained", "fine-tuned"), strict=True):
        table.add_row(f"{problem.onnx_name} version {number} ({made}), accuracy over HTTP", f"{accuracy:.3f}")
    for name, seconds in hops.items():
        table.add_row(name, f"{seconds:.1f} s", style="dim")
    console.print(table)
    console.print(live_table(outcome.models))
    console.print(f"versions in MLflow:  {settings.mlflow_page}/#/models/{problem.onnx_name}")
    console.print(f"last run in Prefect: {settings.prefect_page}/runs/flow-run/{outcome.flow_run_id}")
    console.print(f"all of it, watched:  {settings.monitor_page}/?problem={problem.name}")
    console.print(f"Everything is stopped; `cd {DEMO.name} && make up` opens those pages.")


def play(problem: Problem, settings: Settings) -> None:
    """Run the loop on a stack of its own, and print its results."""
    hops = Hops()
    environment = process_environment(settings)
    with hops.hop("everything, start and stop included", announce=False), ExitStack() as cleanup:
        with hops.hop("start MLflow, Prefect, the worker, the api, the monitor"):
            cleanup.enter_context(running_stack(settings, environment))
        outcome = close_loop(problem, settings, environment, hops)
    show(problem, settings, outcome, hops)


def main() -> None:
    """Run the demo; exit 0 only if every hop ended well."""
    # SIGTERM becomes an exception, so that the stack is stopped, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("demo: stopped"))
    try:
        chosen = on_own_servers(load_settings())
        problem = get_problem(chosen.problem)
        check_free(chosen)
        copy_project(DEMO)
        # The copy has a store of its own, so DATABASE_URL does not count.
        play(problem, chosen.model_copy(update={"lab_home": DEMO, "database_url": f"sqlite:///{DEMO}/data/lab.db"}))
    except TimeoutError as error:
        sys.exit(f"demo: {error}; the logs are in {DEMO / '.lab' / 'logs'}")
    except (DemoError, SettingsError, ProblemError, PortInUseError) as error:
        sys.exit(f"demo: {error}")
    except KeyboardInterrupt:
        sys.exit("demo: interrupted")


if __name__ == "__main__":
    main()
