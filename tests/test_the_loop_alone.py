"""Ring 0 alone: with every room deleted, the loop closes on iris."""

import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import httpx
import pytest
from honcho.environ import parse_procfile

from common.settings import Settings
from scripts.demo_copy import copy_project
from scripts.parts import answers, process, wait_for
from scripts.stack import health_checks, log_path, on_own_servers, process_environment
from tests.conftest import served_version
from tests.programs import run_python
from tests.servers import free_ports
from tests.test_layers import RING_1, WIRING
from tests.test_loop import correction, rows, suggest, versions, wait_for_details

ROOM = re.compile(r"# room: .+$")
PARTS = ("mlflow", "prefect", "worker", "api")


def delete_rooms(folder: Path) -> None:
    """Delete everything of ring 1 from a copy of the project, and the lines that wire it to ring 0."""
    for name in RING_1:
        room = folder / name
        if room.is_dir():
            shutil.rmtree(room)
        else:
            room.unlink()
    for name in WIRING:
        file = folder / name
        kept = [line for line in file.read_text(encoding="utf-8").splitlines() if not ROOM.search(line)]
        file.write_text("\n".join([*kept, ""]), encoding="utf-8")


@pytest.fixture
def alone(tmp_path: Path) -> Settings:
    """The settings of a copy of the project that holds ring 0 only."""
    copy_project(tmp_path)
    delete_rooms(tmp_path)
    return on_own_servers(
        Settings(
            problem="iris",
            lab_home=tmp_path,
            database_url=f"sqlite:///{tmp_path}/data/lab.db",
            **free_ports(),
        )
    )


def run(settings: Settings, *command: str) -> str:
    """Run a Python program of the copy to its end; return its output."""
    ended = run_python(*command, environment=process_environment(settings), folder=settings.lab_home)
    assert ended.returncode == 0, f"{' '.join(command)}\n{ended.stdout}{ended.stderr}"
    return ended.stdout


@pytest.fixture
def api(alone: Settings) -> Iterator[httpx.Client]:
    """A client of the copy's api; the other servers of the copy run, too."""
    commands = parse_procfile((alone.lab_home / "Procfile").read_text(encoding="utf-8")).processes
    with ExitStack() as stack:
        for name in PARTS:
            command = ["sh", "-c", f"exec {commands[name]}"]
            log = log_path(alone, name)
            stack.enter_context(process(command, log, process_environment(alone), alone.lab_home))
        for name in PARTS:
            wait_for(name, partial(answers, health_checks(alone)[name]))
        yield stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{alone.api_port}", timeout=30.0))


def test_without_every_room_the_loop_closes(alone: Settings, api: httpx.Client) -> None:
    run(alone, "-m", "scripts.get_data", "iris")
    run(alone, "preprocess.py", "iris")
    assert "registered IrisModel version 1" in run(alone, "main.py")
    wait_for("version 1", lambda: served_version(api) == 1)

    features = correction(0)
    class_name = features.pop("class_name")
    prediction = api.post("/predict", json=features).raise_for_status().json()
    feedback = {"prediction_id": prediction["prediction_id"], "class_name": class_name}
    assert prediction["class_name"] == class_name
    assert api.post("/feedback", json=feedback).is_success

    ids = suggest(api, range(5))
    wait_for_details(api, ids, "trained in version 2")
    wait_for("version 2", lambda: served_version(api) == 2)
    assert len(rows(alone)) == 5
    assert versions(alone) == versions(alone, "IrisDev") == [1, 2]
