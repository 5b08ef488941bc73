"""The whole loop on real servers, in a copy of the project under .demo/: `make demo`.

The loop closes once. Then the world changes, corrections bring the accuracy back, and a liar tries to spoil it. On a
terminal the servers then stay, with all that has happened on their pages, until Ctrl-C.
"""

import argparse
import signal
import subprocess
import sys
import webbrowser
from collections.abc import Mapping
from contextlib import ExitStack

import httpx
from rich.table import Table

from common.problem import Problem, ProblemError, get_problem
from common.settings import Settings, SettingsError, load_settings
from common.table import read_table
from scripts.demo_acts import CHANGES, Hops, begin, change_world, close_loop, console, lie
from scripts.demo_clients import Clients
from scripts.demo_copy import DEMO, copy_project, of_copy, running_stack, stack_log
from scripts.demo_picture import draw, story
from scripts.demo_steps import PATIENCE, DemoError, served_version
from scripts.parts import wait_for
from scripts.ports import PortInUseError, check_free
from scripts.stack import on_own_servers
from scripts.traffic import api_address, key_header

PICTURE = "demo.png"
OF_TERMINALS = {"www-browser", "links", "elinks", "lynx", "w3m"}  # by their names in the module `webbrowser`
MOVED = ("problem", "mlflow_port", "prefect_port", "api_port", "monitor_port")  # the settings of an address


def play(problem: Problem, settings: Settings, *, stays_open: bool, opens_page: bool) -> None:
    """Run the demo on a stack of its own, and print its results.

    Args:
        problem: the problem.
        settings: those of the stack.
        stays_open: whether the stack goes on after the results, until Ctrl-C.
        opens_page: whether the monitor's page is then opened in the browser.
    """
    hops = Hops()
    everything = "everything, start included" if stays_open else "everything, start and stop included"
    with ExitStack() as cleanup:
        with hops.hop(everything, announce=False):
            stack = cleanup.enter_context(running_stack(settings))
            begin(settings, stack, hops)
            clients = act(problem, settings, hops)
            if not stays_open:
                cleanup.close()
        show(clients, hops)
        pages = addresses(problem, settings, hops)
        if stays_open:
            keep_open(settings, stack, pages, pages["all of it, watched"] if opens_page else None)
        else:
            console.print(f"Everything is stopped. `{command_again(settings)}` starts it again, with these pages:")
            show_addresses(pages)


def act(problem: Problem, settings: Settings, hops: Hops) -> Clients:
    """Play the acts of a problem on a running stack; return the clients with all that they were answered."""
    rows = read_table(settings.data_dir / "data.csv", problem, indices=False)
    with httpx.Client(base_url=api_address(settings), headers=key_header(settings), timeout=10.0) as api:
        wait_for("serving", lambda: served_version(api), PATIENCE)
        with Clients(problem, settings, rows, hops.now) as clients:
            close_loop(settings, api, clients, hops)
            if problem.name in CHANGES:
                change_world(problem, settings, api, clients, hops)
                lie(problem, settings, api, clients, hops)
    return clients


def show(clients: Clients, hops: Hops) -> None:
    """Print events, accuracies and seconds, and draw a picture of them."""
    console.print(story(hops.events, clients.answered))
    table = Table(title="seconds", show_header=False)
    for name, seconds in hops.items():
        table.add_row(name, f"{seconds:.1f} s", style="dim")
    console.print(table)
    draw(DEMO / PICTURE, hops.events, clients.answered)
    console.print(f"picture of it:       {DEMO.name}/{PICTURE}")


def addresses(problem: Problem, settings: Settings, hops: Hops) -> dict[str, str]:
    """Return the pages that show what has happened, by what they show."""
    return {
        "versions in MLflow": f"{settings.mlflow_page}/#/models/{problem.onnx_name}",
        "last run in Prefect": f"{settings.prefect_page}/runs/flow-run/{hops.flow_run_id}",
        "the api, to try out": f"{api_address(settings)}/docs",
        "all of it, watched": f"{settings.monitor_page}/?problem={problem.name}&since={hops.began}",
    }


def show_addresses(pages: Mapping[str, str]) -> None:
    """Print the address of each page."""
    for name, address in pages.items():
        console.print(f"{name + ':':<20} {address}")


def command_again(settings: Settings) -> str:
    """Return the command that starts a stack in the copy at the same addresses."""
    moved = {name: getattr(settings, name) for name in MOVED}
    defaults = Settings.model_fields
    variables = [f"{name.upper()}={value} " for name, value in moved.items() if value != defaults[name].default]
    return f"cd {DEMO.name} && {''.join(variables)}make up"


def keep_open(settings: Settings, stack: subprocess.Popen[bytes], pages: Mapping[str, str], page: str | None) -> None:
    """Print where everything is, open a page if one is named, and wait for Ctrl-C.

    Raises:
        DemoError: the stack has ended before.
    """
    try:
        show_addresses(pages)
        console.print("[bold]Everything goes on running. Ctrl-C stops everything.[/]")
        if page and can_open_pages():
            webbrowser.open(page)
        stack.wait()
    except KeyboardInterrupt:
        # A second Ctrl-C must not leave half of the stack running.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        console.print(f"stopping … `{command_again(settings)}` opens the same pages again")
        return
    raise DemoError(f"the stack has ended: see {stack_log(settings)}")


def can_open_pages() -> bool:
    """Return whether this machine has a browser with windows: one in the terminal would hide the addresses."""
    try:
        found = webbrowser.get()
    except webbrowser.Error:
        return False
    return getattr(found, "name", "") not in OF_TERMINALS


def main() -> None:
    """Run the demo; exit 0 only if every hop ended well."""
    parser = argparse.ArgumentParser(prog="python -m scripts.demo", description=__doc__)
    parser.add_argument("--no-browser", action="store_true", help="do not open the monitor's page at the end")
    arguments = parser.parse_args()
    # Both become an exception, so that the stack is stopped, too: also when somebody closes the terminal.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # `nohup` ignores one of them
            signal.signal(number, lambda *_: sys.exit("demo: stopped"))
    try:
        chosen = on_own_servers(load_settings())
        problem = get_problem(chosen.problem)
        check_free(chosen)
        copy_project(DEMO)
        stays_open = sys.stdout.isatty()
        play(problem, of_copy(chosen), stays_open=stays_open, opens_page=stays_open and not arguments.no_browser)
    except TimeoutError as error:
        sys.exit(f"demo: {error}; the logs are in {DEMO / '.lab' / 'logs'}")
    except (DemoError, SettingsError, ProblemError, PortInUseError) as error:
        sys.exit(f"demo: {error}")
    except KeyboardInterrupt:
        sys.exit("demo: interrupted")


if __name__ == "__main__":
    main()
