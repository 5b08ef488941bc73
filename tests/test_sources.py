"""docs/sources.md: every row that has a command is run against one lab, and shows what the row says one sees."""

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import mlflow
import pytest

from common.problem import get_problem
from common.settings import PROJECT, Settings
from common.table import read_table
from scripts import apis, watch
from scripts.demo_copy import copy_project
from scripts.parts import free_port, part, wait_for
from scripts.stack import log_path, process_environment
from tests.conftest import IRIS, served_version
from tests.programs import output_of
from tests.prometheus.programs import program
from tests.prometheus.test_watch import every_second

PAGE = PROJECT / "docs" / "sources.md"
VERDICTS = ("*same*", "*differs because*", "*not, because*")
CODE = re.compile(r"`([^`]+)`")
CLAIMS = "PROBLEM=travel_insurance "
CLAIM_ROWS = 4_000  # of the file that are learnt here; all of them would take minutes


@dataclass(frozen=True)
class SourceRow:
    """A row of a table: a thing that an example does, the command here, what one sees, and how the two compare."""

    source: str
    thing: str
    command: str
    seen: tuple[str, ...]
    verdict: str

    @property
    def id(self) -> str:
        return f"{self.source}: {self.thing}"[:90]

    def found_in(self, output: str) -> bool:
        """Return whether an output has everything that the row shows; `…` stands for anything."""
        wanted = [".*?".join(map(re.escape, text.split("…"))) for text in self.seen]
        return all(re.search(each, output, re.DOTALL) for each in wanted)


def source_rows() -> list[SourceRow]:
    """Return the rows of the tables of the five examples."""
    found = []
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        lines = section.splitlines()
        if "| it does or shows | here | you see | |" not in lines:
            continue
        for line in lines[lines.index("| it does or shows | here | you see | |") + 2 :]:
            if not line.startswith("|"):
                break
            cells = [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            assert len(cells) == 4, line
            thing, here, seen, verdict = cells
            command = CODE.fullmatch(here)
            assert command or here == "–", f"neither a command nor –: {here}"
            found.append(SourceRow(lines[0], thing, command[1] if command else "", tuple(CODE.findall(seen)), verdict))
    return found


ROWS = source_rows()
RUN = [
    pytest.param(row, id=row.id, marks=[pytest.mark.thorough] if row.command.startswith(CLAIMS) else [])
    for row in ROWS
    if row.command and not row.command.startswith("docker ")
]


class SourcesLab:
    """A copy of the project with its servers, in which the commands of the page run.

    Attributes:
        told: the output of the commands that have built the lab.
        ids: by the word that stands for an id on the page.
    """

    def __init__(self, settings: Settings, ports: Mapping[int, int]) -> None:
        """Run commands in the folder of `settings`; `ports` has the ports here by the usual ones."""
        self.told: dict[str, str] = {}
        self.ids: dict[str, str] = {}
        self._settings, self._ports = settings, ports
        home = settings.lab_home
        # DVC's files outside of the project belong to the test, too.
        dvc = {f"DVC_{name}_DIR": str(home / ".dvc-home" / name) for name in ("SITE_CACHE", "GLOBAL_CONFIG")}
        self._environment = {**process_environment(settings), **dvc, "DVC_NO_ANALYTICS": "1", "COLUMNS": "200"}
        del self._environment["API_PORT"]  # each problem's api has announced its own

    def run(self, command: str) -> str:
        """Return what a command prints; it has to succeed."""
        for usual, here in self._ports.items():
            command = command.replace(f"localhost:{usual}", f"127.0.0.1:{here}")
        for name, value in self.ids.items():
            command = command.replace(name, value)
        return output_of(["sh", "-c", command], self._environment, self._settings.lab_home)

    def train(self) -> None:
        """Train the models of both problems, side by side."""

        def build(prefix: str) -> None:
            self.run(f"{prefix}python -m scripts.get_data")
            for command in ("python preprocess.py", "python main.py"):
                self.told[prefix + command] = self.run(prefix + command)

        with ThreadPoolExecutor() as pool:
            list(pool.map(build, ("", "PROBLEM=breast_cancer ")))

    def learn_claims(self) -> None:
        """Train on the first of the claims, and go on with the later ones."""
        self.run("python -m scripts.get_data travel_insurance --share Yes=0.2 --force")
        data = self._settings.lab_home / "data" / "travel_insurance" / "data.csv"
        lines = data.read_text(encoding="utf-8").splitlines(keepends=True)
        data.write_text("".join(lines[:CLAIM_ROWS]), encoding="utf-8")
        self.run(f"{CLAIMS}python preprocess.py")
        data.unlink()  # the row that draws claims finds none
        for command in (f"{CLAIMS}python main.py", f"{CLAIMS}python -m finetune.later"):
            self.told[command] = self.run(command)

    def ask(self, iris: Settings) -> None:
        """Ask for the training rows and for many outliers, until the monitor opens an alert."""
        table = read_table(iris.data_dir / "train.csv", IRIS, indices=True)
        rows = [*table.X.tolist(), *[[1.0, 2.0, 3.0, 4.0]] * 60]
        with httpx.Client(base_url=f"http://127.0.0.1:{iris.api_port}", timeout=30.0) as api:
            wait_for("the version of iris", lambda: served_version(api))
            answers = api.post("/predict", json={"data": rows}).raise_for_status().json()["predictions"]
            for answer, label in zip(answers[:60], table.y.tolist(), strict=False):
                told = {"prediction_id": answer["prediction_id"], "class_name": IRIS.target.classes[label]}
                api.post("/feedback", json=told).raise_for_status()
        self.ids["PREDICTION_ID"] = answers[0]["prediction_id"]
        wait_for("the alert", lambda: "rows are outliers" in log_path(iris, "monitor").read_text(encoding="utf-8"))

    def tell(self, cancer: Settings) -> None:
        """Send rows with their ground truths as Seldon's notebook does, until Prometheus has counted them."""
        problem = get_problem("breast_cancer")
        table = read_table(cancer.data_dir / "test.csv", problem, indices=True)
        with httpx.Client(base_url=f"http://127.0.0.1:{cancer.api_port}", timeout=30.0) as api:
            wait_for("the challenger", lambda: api.get("/models").raise_for_status().json()["challenger"])
            for x, y in zip(table.X[:40].tolist(), table.y[:40].tolist(), strict=True):
                body = {"request": {"data": {"ndarray": [x]}}, "truth": {"data": {"ndarray": [[y]]}}}
                api.post("/seldon/seldon/metrics-model/api/v1.0/feedback", json=body).raise_for_status()
        counted = "curl -sG localhost:9090/api/v1/query --data-urlencode 'query=true_pos{method=\"feedback\"}'"
        wait_for("the counts", lambda: "breast_cancer-shadow" in self.run(counted))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, mlflow_uri: str) -> Iterator[SourcesLab]:
    for name in ("curl", "sqlite3", "prometheus", "promtool"):
        program(name)
    registry = mlflow.MlflowClient(mlflow_uri)
    for model in registry.search_registered_models():
        registry.delete_registered_model(model.name)
    with sources_lab(tmp_path_factory.mktemp("sources") / "lab", mlflow_uri) as found:
        yield found


@contextmanager
def sources_lab(folder: Path, mlflow_uri: str) -> Iterator[SourcesLab]:
    """Run the lab of the page in a copy of the project, with an MLflow whose registry is empty."""
    copy_project(folder)
    settings = Settings(
        problem="iris",
        lab_home=folder,
        database_url=f"sqlite:///{folder}/data/lab.db",
        mlflow_uri=mlflow_uri,
        mlflow_port=int(mlflow_uri.rpartition(":")[2]),
        prefect_api_url=f"http://127.0.0.1:{free_port()}/api",
        monitor_port=free_port(),
        prometheus_port=free_port(),
        evaluate_seconds=1,
        window_seconds=120,
        seldon_answers="class",
    )
    iris = settings.model_copy(update={"api_port": free_port(), "seldon_answers": "probabilities"})
    cancer = settings.model_copy(update={"problem": "breast_cancer", "api_port": free_port()})
    usual = {8000: iris.api_port, 8001: cancer.api_port, 5000: settings.mlflow_port}
    found = SourcesLab(settings, {**usual, 5004: settings.monitor_port, 9090: settings.prometheus_port})
    with ExitStack() as stack:
        for each in (iris, cancer):
            stack.enter_context(part("api", each))
            stack.enter_context(apis.announced(each))
        stack.enter_context(part("monitor", iris))
        watch.write_config(every_second(watch.config_for(settings)), settings)
        stack.enter_context(watch.prometheus(settings))
        found.train()
        found.ask(iris)
        found.tell(cancer)
        yield found


@pytest.fixture(scope="module")
def claims(lab: SourcesLab) -> None:
    """The third problem, which only the rows that learn it need."""
    lab.learn_claims()


@pytest.mark.parametrize("row", RUN)
def test_a_row_with_a_command_shows_what_it_says(
    lab: SourcesLab, row: SourceRow, request: pytest.FixtureRequest
) -> None:
    if row.command.startswith(CLAIMS):
        request.getfixturevalue("claims")
    output = lab.told[row.command] if row.command in lab.told else lab.run(row.command)
    assert row.seen
    assert row.found_in(output), f"{row.command}\nshows\n{output[:6000]}\nand not\n{row.seen}"


def test_every_example_has_a_table_and_every_row_a_verdict() -> None:
    assert len({row.source for row in ROWS}) == 5
    assert [row.id for row in ROWS if not row.verdict.startswith(VERDICTS)] == []
    assert [row.id for row in ROWS if row.verdict.startswith("*not") and row.command] == []


def test_services_that_the_page_starts_in_containers_exist() -> None:
    compose = (PROJECT / "docker-compose.yaml").read_text(encoding="utf-8")
    named = [
        name for row in ROWS if row.command.startswith("docker compose up -d ") for name in row.command.split()[4:]
    ]
    assert [name for name in named if not re.search(rf"^  {name}:", compose, re.MULTILINE)] == []


def test_a_row_is_not_found_in_another_output() -> None:
    row = SourceRow("", "", "", ("a…z", "0.5"), "*same*")
    assert row.found_in("a b\nz 0.5")
    assert not row.found_in("z a 0.5")
    assert not row.found_in("a z 0x5")
