"""The version that answers: the api follows the registry, serves no bad version, and may lose MLflow."""

import http.server
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import mlflow
import numpy as np
import onnx
import pytest

from api.model.follower import one_line
from common.bundle.export import export_onnx
from common.bundle.model import OnnxModel
from common.problem import Floats, Problem, Table
from common.registry.client import REFUSED
from common.settings import Settings
from common.table import read_table
from scripts.parts import answers, wait_for
from tests import servers
from tests.api.metrics.test_declared import samples
from tests.api.odd_models import flat_probabilities, looped
from tests.common.bundle.graphs import bare
from tests.conftest import IRIS, KEPT, keep_copy, register_onnx, running_api, served_version, set_alias

ROW = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


def reload_failures(api: httpx.Client) -> float:
    return samples(api, "model_reload_failures_total")[()]


def wait_for_version(api: httpx.Client, number: int) -> None:
    wait_for(f"version {number}", lambda: served_version(api) == number, within=15)


def wait_for_failure(api: httpx.Client, before: float) -> None:
    wait_for("a failed reload", lambda: reload_failures(api) > before, within=15)


def with_metadata(content: bytes, **changes: Any) -> bytes:
    """Return a bundle with some of its metadata replaced; None takes a key away."""
    graph = onnx.load_from_string(content)
    kept = [p for p in graph.metadata_props if p.key not in changes]
    del graph.metadata_props[:]
    graph.metadata_props.extend(kept)
    for key, value in changes.items():
        if value is not None:
            graph.metadata_props.add(key=key, value=json.dumps(value))
    return bytes(graph.SerializeToString())


def fitted(rows: Table, index: int, problem: Problem = IRIS) -> bytes:
    return bytes(export_onnx(problem.candidates()[index].fit(rows.X, rows.y), problem, rows).SerializeToString())


@pytest.fixture
def rows(offline: Settings) -> Table:
    return read_table(offline.data_dir / "train.csv", IRIS, indices=True)


def test_a_reason_is_one_line_of_at_most_500_characters() -> None:
    assert one_line("first\n  second\t\n") == "first second"
    assert one_line(ValueError()) == "ValueError()"
    assert one_line("x" * 501) == "x" * 499 + "…"


def test_the_first_and_the_next_version_are_picked_up_without_a_restart_or_a_champion(
    settings: Settings, bundle: bytes
) -> None:
    with running_api(settings) as api:
        assert api.get("/readyz").status_code == 503
        register_onnx(settings, bundle)
        wait_for_version(api, 1)
        assert api.get("/readyz").status_code == 200
        assert api.post("/predict", json=ROW).json()["model_version"] == 1
        register_onnx(settings, bundle)
        wait_for_version(api, 2)


def test_moving_the_champion_back_is_followed(settings: Settings, rows: Table) -> None:
    models = [OnnxModel(content) for content in (fitted(rows, 0), fitted(rows, 1))]
    register_onnx(settings, fitted(rows, 0))
    register_onnx(settings, fitted(rows, 1))
    set_alias(settings, "champion", 2)
    with running_api(settings) as api:
        for number in (2, 1, 2):
            set_alias(settings, "champion", number)
            wait_for_version(api, number)
            shares = models[number - 1].predict(np.array([list(ROW.values())], dtype=np.float32)).probabilities
            assert shares is not None
            answered = api.post("/predict", json=ROW).json()["probabilities"]
            assert list(answered.values()) == pytest.approx(shares[0].tolist(), abs=1e-6)


def test_the_same_model_registered_again_is_served_under_its_new_number(settings: Settings, bundle: bytes) -> None:
    register_onnx(settings, bundle)
    client = mlflow.MlflowClient(settings.mlflow_uri)
    (first,) = client.search_model_versions(f"name = '{IRIS.onnx_name}'")
    with running_api(settings) as api:
        wait_for_version(api, 1)
        client.create_model_version(IRIS.onnx_name, str(first.source), first.run_id)
        wait_for_version(api, 2)


def narrow(_: bytes) -> bytes:
    """Return a model of iris' first three features."""
    rows = IRIS.load(None)
    return fitted(Table(rows.X[:, :3], rows.y), 0, replace(IRIS, features=IRIS.features[:3]))


GARBAGE: dict[str, Callable[[bytes], bytes]] = {
    "no ONNX at all": lambda _: b"garbage",
    "an empty file": lambda _: b"",
    "half a file": lambda content: content[: len(content) // 2],
    "another answer than its golden row": lambda content: with_metadata(
        content, golden={"input": [list(ROW.values())], "label": [2], "probabilities": [[0, 0, 1]]}
    ),
    "golden rows of another width": lambda content: with_metadata(
        content, golden={"input": [[1.0]], "label": [0], "probabilities": [[1, 0, 0]]}
    ),
    "golden rows without answers": lambda content: with_metadata(content, golden={"input": [list(ROW.values())]}),
    "golden rows that are none": lambda content: with_metadata(content, golden=7),
    "class names that are none": lambda content: with_metadata(content, classes=3),
    "another width": narrow,
    "a name too few": lambda content: with_metadata(content, classes=["a", "b"]),
    "a name too few, and no golden rows": lambda content: with_metadata(content, classes=["a", "b"], golden=None),
    "a name too many, and no golden rows": lambda content: with_metadata(content, classes=list("abcd"), golden=None),
}


@pytest.mark.parametrize("spoil", GARBAGE.values(), ids=GARBAGE)
def test_a_version_that_cannot_be_served_is_not_taken_and_the_next_good_one_is(
    settings: Settings, bundle: bytes, spoil: Callable[[bytes], bytes]
) -> None:
    register_onnx(settings, bundle)
    with running_api(settings) as api:
        wait_for_version(api, 1)
        register_onnx(settings, spoil(bundle))
        wait_for_failure(api, 0)
        assert api.post("/predict", json=ROW).json()["model_version"] == 1
        register_onnx(settings, bundle)
        wait_for_version(api, 3)


def tags_of(settings: Settings, number: int) -> dict[str, str]:
    return dict(mlflow.MlflowClient(settings.mlflow_uri).get_model_version(IRIS.onnx_name, str(number)).tags)


def test_a_version_that_never_ends_or_is_odd_is_refused_visibly_and_the_next_good_one_is_served(
    settings: Settings, bundle: bytes
) -> None:
    register_onnx(settings, bundle)
    limited = settings.model_copy(update={"model_check_seconds": 3.0, "model_file_mb": 1})
    odd = {
        "it was not checked within MODEL_CHECK_SECONDS": looped(2**62),
        "the probabilities [rows, classes] have the shape (1,)": flat_probabilities(),
        "is larger than 1 MB": bundle + bytes(2 * 2**20),
    }
    with running_api(limited) as api:
        wait_for_version(api, 1)
        for failures, (reason, content) in enumerate(odd.items()):
            number = register_onnx(settings, content)
            wait_for_failure(api, failures)
            wait_for(
                f"the tag: {reason}",
                lambda number=number, reason=reason: (  # type: ignore[misc]
                    reason in tags_of(settings, number).get(REFUSED, "")
                ),
            )
            assert api.post("/predict", json=ROW).json()["model_version"] == 1
        wait_for_version(api, register_onnx(settings, bundle))


def test_a_refusal_is_paused_and_its_tag_goes_when_the_version_can_be_served_after_all(
    settings: Settings, bundle: bytes
) -> None:
    names = settings.lab_home / "names.json"
    names.write_text(json.dumps(["a", "a", "c"]))
    register_onnx(settings, with_metadata(bundle, classes=None, golden=None))
    with running_api(settings.model_copy(update={"class_path": names})) as api:
        wait_for("the tag", lambda: REFUSED in tags_of(settings, 1), within=15)
        names.write_text(json.dumps(["a", "b", "c"]))
        wait_for_version(api, 1)
        wait_for("the end of the tag", lambda: REFUSED not in tags_of(settings, 1))
        assert reload_failures(api) <= 4


def test_a_version_without_its_file_is_not_taken(settings: Settings, bundle: bytes) -> None:
    register_onnx(settings, bundle)
    client = mlflow.MlflowClient(settings.mlflow_uri)
    with running_api(settings) as api:
        wait_for_version(api, 1)
        run = client.create_run("0")
        client.create_model_version(IRIS.onnx_name, f"{run.info.artifact_uri}/nothing", run.info.run_id)
        wait_for_failure(api, 0)
        assert served_version(api) == 1


@pytest.mark.parametrize("in_file", [True, False])
def test_class_names_are_those_of_the_file_or_else_of_class_path(
    settings: Settings, bundle: bytes, *, in_file: bool
) -> None:
    names = settings.lab_home / "names.json"
    names.write_text(json.dumps(["setosa", "versicolor", "virginica"]))
    register_onnx(settings, bundle if in_file else with_metadata(bundle, classes=None, golden=None))
    prefix = "Iris-" if in_file else ""
    with running_api(settings.model_copy(update={"class_path": names})) as api:
        wait_for_version(api, 1)
        assert api.post("/predict", json=ROW).json()["class_name"] == f"{prefix}setosa"
        labels = {"0": f"{prefix}setosa", "1": f"{prefix}versicolor", "2": f"{prefix}virginica"}
        assert api.get("/label").json() == labels


def test_a_model_as_skl2onnx_makes_it_by_default_is_served_with_the_class_names_of_the_prepared_data(
    settings: Settings, rows: Table
) -> None:
    names = settings.data_dir / "classes.json"
    prepared = names.read_bytes()
    names.write_text("<<<<<<< conflict")
    register_onnx(settings, bare(rows, zipmap=True))
    with running_api(settings) as api:
        wait_for("the tag", lambda: "classes.json" in tags_of(settings, 1).get(REFUSED, ""), within=15)
        names.write_bytes(prepared)
        wait_for_version(api, 1)
        assert api.get("/label").json() == {"0": "Iris-setosa", "1": "Iris-versicolor", "2": "Iris-virginica"}
        answer = api.post("/predict", json=ROW).json()
        assert answer["class_name"] == "Iris-setosa"
        assert answer["probabilities"]["Iris-setosa"] > 0.9
    names.unlink()
    with running_api(settings) as api:
        register_onnx(settings, bare(rows))
        wait_for_version(api, 2)
        assert api.get("/label").json()["0"] == "Iris-setosa"


@pytest.mark.parametrize(
    ("ending", "spoil"), [("onnx", lambda path: path.write_bytes(b"damaged")), ("json", lambda path: path.unlink())]
)
def test_a_damaged_copy_and_one_without_its_description_are_passed_over(
    with_copy: Settings, ending: str, spoil: Callable[[Path], object]
) -> None:
    (path,) = (with_copy.state_dir / "served").rglob(f"*.{ending}")
    spoil(path)
    with running_api(with_copy) as api:
        assert api.get("/livez").status_code == 200
        assert api.get("/readyz").status_code == 503


def test_only_the_last_good_copy_is_kept(with_copy: Settings, rows: Table) -> None:
    keep_copy(with_copy, fitted(rows, 0))
    keep_copy(with_copy, fitted(rows, 1))
    copies = sorted(path.suffix for path in (with_copy.state_dir / "served").rglob("*.*"))
    assert copies == [".json", ".onnx"]


def test_mlflow_is_followed_when_it_comes_and_not_missed_when_it_goes(
    with_copy: Settings, bundle: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    port = httpx.URL(with_copy.mlflow_uri).port
    with running_api(with_copy) as api:
        assert served_version(api) == KEPT
        assert api.get("/readyz").status_code == 200
        with servers.mlflow_server(tmp_path_factory.mktemp("late"), port):
            assert served_version(api) == KEPT
            register_onnx(with_copy, bundle)
            wait_for_version(api, 1)
        assert served_version(api) == 1
        assert api.post("/predict", json=ROW).json()["class_name"] == "Iris-setosa"
    with running_api(with_copy) as api:
        assert served_version(api) == 1


class Stranger(http.server.BaseHTTPRequestHandler):
    """Says 200 and HTML to everything, as a login page in front of MLflow does, until it lets requests pass."""

    behind: str | None = None
    says = b"<html>please log in</html>"

    def do_GET(self) -> None:
        content, kind = self.says, "text/html"
        status = 200
        if self.behind:
            answer = httpx.get(f"{self.behind}{self.path}")
            status, content, kind = answer.status_code, answer.content, answer.headers["content-type"]
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.server.answered.set()  # type: ignore[attr-defined]

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def stranger() -> Iterator[tuple[str, threading.Event, type[Stranger]]]:
    """Serve a stranger; yield its address, the event of an answer, and the handler that may let requests pass."""
    handler = type("ThisStranger", (Stranger,), {})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.answered = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.answered, handler  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_mlflow_is_followed_again_after_a_stranger_has_answered_for_it(settings: Settings, bundle: bytes) -> None:
    register_onnx(settings, bundle)
    with stranger() as (url, answered, handler), running_api(settings.model_copy(update={"mlflow_uri": url})) as api:
        assert answered.wait(timeout=15)
        assert api.get("/readyz").status_code == 503
        handler.behind = settings.mlflow_uri
        wait_for_version(api, 1)


def test_a_champion_that_is_not_the_latest_stays_when_another_version_appears(
    settings: Settings, bundle: bytes
) -> None:
    register_onnx(settings, bundle)
    set_alias(settings, "champion", 1)
    with stranger() as (url, answered, handler), running_api(settings.model_copy(update={"mlflow_uri": url})) as api:
        handler.behind = settings.mlflow_uri
        wait_for_version(api, 1)
        register_onnx(settings, bundle)
        for _ in range(3):
            answered.clear()
            assert answered.wait(timeout=15)
        assert served_version(api) == 1


VERSIONS = 10


def test_ten_swaps_under_load_fail_no_request_and_mix_no_answer(settings: Settings, rows: Table) -> None:
    contents = [fitted(rows, index) for index in range(VERSIONS + 1)]
    expected = [OnnxModel(content).predict(rows.X.astype(np.float32)).probabilities for content in contents]
    register_onnx(settings, contents[0])
    over = threading.Event()
    with servers.api_process(settings) as (url, _), ThreadPoolExecutor(3) as pool:
        wait_for("a model", lambda: answers(f"{url}/readyz"))
        loads = [pool.submit(ask_until, over, url, rows.X) for _ in range(3)]
        try:
            with httpx.Client(base_url=url) as api:
                for number in range(2, VERSIONS + 2):
                    register_onnx(settings, contents[number - 1])
                    wait_for_version(api, number)
        finally:
            over.set()
        asked = [answer for load in loads for answer in load.result()]
    assert set.union(*(versions for versions, _, _ in asked)) == set(range(1, VERSIONS + 2))
    for versions, of_rows, answered in asked:
        (version,) = versions
        right = expected[version - 1]
        assert right is not None
        np.testing.assert_allclose(answered, right[of_rows], atol=1e-5)


def ask_until(over: threading.Event, url: str, X: Floats) -> list[tuple[set[int], slice, Floats]]:
    """Ask for a batch of all rows, then for single ones, until it is over.

    Returns:
        For each answer the versions in it, the rows it is for, and their probabilities.
    """
    asked = []
    with httpx.Client(base_url=url, timeout=30.0) as client:
        for row in itertools.cycle(range(len(X))):
            if over.is_set():
                break
            batch = client.post("/predict", json={"data": X.tolist()}).raise_for_status().json()["predictions"]
            asked.append((slice(None), batch))
            for single in range(row, min(row + 5, len(X))):
                body = dict(zip(ROW, X[single].tolist(), strict=True))
                answer = client.post("/predict", json=body).raise_for_status().json()
                asked.append((slice(single, single + 1), [answer]))
    return [({answer["model_version"] for answer in answers}, rows, shares(answers)) for rows, answers in asked]


def shares(answers: list[dict[str, Any]]) -> Floats:
    return np.array([list(answer["probabilities"].values()) for answer in answers])
