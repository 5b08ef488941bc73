"""Prefect, as the grader reads it: deployments and flow runs."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from lesson.grading.programs import HOST, Programs, free_port
from lesson.grading.registry import answers
from lesson.grading.scratch import Scratch

TERMINAL = {"COMPLETED", "FAILED", "CANCELLED", "CRASHED"}
PAGE = 200
BUSY_WAITS = (0.2, 0.5, 1.0, 2.0, 4.0)  # s


class FlowServer:
    """A client of one Prefect server."""

    def __init__(self, api: str) -> None:
        """Take the address of the server's API."""
        self.api = api
        self._known = {run["id"] for run in self._runs()}

    def deployments(self) -> list[str]:
        """Return the names of the deployments, as flow/deployment."""
        return [str(each["name"]) for each in self._post("/deployments/filter")]

    def flow_runs(self) -> list[dict[str, Any]]:
        """Return the runs that are new since this client began, or since `forget_runs`."""
        return [run for run in self._runs() if run["id"] not in self._known]

    def forget_runs(self) -> None:
        """Take all present runs for old ones."""
        self._known = {run["id"] for run in self._runs()}

    def all_ended(self) -> bool:
        """Return whether no new run is under way or late."""
        return all(run["state_type"] in TERMINAL for run in self.flow_runs() if not run.get("auto_scheduled"))

    def clear(self) -> None:
        """Delete the deployments and runs of an earlier grading on the same server."""
        for kind, found in (("flow_runs", self._runs()), ("deployments", self._post("/deployments/filter"))):
            for each in found:
                self._ask("DELETE", f"/{kind}/{each['id']}")

    def _runs(self) -> list[dict[str, Any]]:
        return self._post("/flow_runs/filter")

    def _post(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask("POST", path, {"limit": PAGE}).raise_for_status().json()
        return found

    def _ask(self, method: str, path: str, content: object = None) -> httpx.Response:
        """Ask the server, and again while it says that its database is busy."""
        for wait in BUSY_WAITS:
            answer = httpx.request(method, f"{self.api}{path}", json=content, timeout=10.0, trust_env=False)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(wait)
        return answer


def prefect_address() -> str:
    """Return the address of a server that is started later, on a free port."""
    return f"http://{HOST}:{free_port()}/api"


@contextmanager
def prefect_server(programs: Programs, scratch: Scratch, python: str, api: str) -> Iterator[None]:
    """Run an empty Prefect server of the grading's own, whose API has a given address."""
    folder = scratch.own / "prefect"
    folder.mkdir()
    url = httpx.URL(api)
    command = [python, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(url.port)]
    environment = {"PREFECT_HOME": str(folder), "PREFECT_UI_API_URL": api, "PREFECT_SERVER_UI_API_URL": api}
    with programs.background("Prefect", command, folder, environment) as server:
        programs.until_ready(server, lambda: answers(f"{api}/health"), programs.limits.start)
        yield
