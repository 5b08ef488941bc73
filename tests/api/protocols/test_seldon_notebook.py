"""Seldon Core's notebook on metrics with feedback, with its own requests and the queries of its own dashboard.

The notebook has a perceptron that answers, and a logistic regression in its shadow; its truths go to `/feedback` one by
one. Source: Seldon Core, examples/feedback/reward-accuracy. A real Prometheus has the project's rules, the api, and the
monitor.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import requests
import sqlalchemy as sa

from common.bundle.export import export_onnx
from common.problem import Classifier, Table
from common.settings import Settings
from monitor.monitor import create_app
from preprocess import split
from problems import breast_cancer
from scripts import watch
from scripts.parts import free_port, wait_for
from tests.api.challenger.test_shadow import keep_challenger
from tests.conftest import keep_copy, running_api, served
from tests.prometheus.programs import ask, program
from tests.prometheus.test_watch import every_second

CANCER = breast_cancer.PROBLEM
GATEWAY = "/seldon/seldon/ab-test/api/v1.0"
ROWS, BEFORE = 60, 10
COUNTS = ("true_pos", "true_neg", "false_pos", "false_neg")


def of_feedback(*names: str) -> str:
    return " + ".join(f'{name}{{method="feedback"}}' for name in names)


def share(some: tuple[str, ...], of: tuple[str, ...]) -> str:
    """Return a query in the form of the notebook's dashboard: one sum by application, divided by another."""
    return f"(sum({of_feedback(*some)}) by (seldon_app)) / (sum({of_feedback(*of)}) by (seldon_app))"


QUERIES = {
    "accuracy": share(("true_pos", "true_neg"), COUNTS),
    "precision": share(("true_pos",), ("true_pos", "false_pos")),
    "recall": share(("true_pos",), ("true_pos", "false_neg")),
    "specificity": share(("true_neg",), ("true_neg", "false_pos")),
}


def expected(answers: np.ndarray[Any, Any], truths: np.ndarray[Any, Any]) -> dict[str, float]:
    """Return the four counts and shares of answers beside their truths; class 1 is positive."""
    counts = {
        "true_pos": (answers == 1) & (truths == 1),
        "true_neg": (answers == 0) & (truths == 0),
        "false_pos": (answers == 1) & (truths == 0),
        "false_neg": (answers == 0) & (truths == 1),
    }
    tp, tn, fp, fn = (int(counts[name].sum()) for name in COUNTS)
    return {
        **dict(zip(COUNTS, (tp, tn, fp, fn), strict=True)),
        "accuracy": (tp + tn) / (tp + tn + fp + fn),
        "precision": tp / (tp + fp),
        "recall": tp / (tp + fn),
        "specificity": tn / (tn + fp),
        "f1": 2 * tp / (2 * tp + fp + fn),
    }


@dataclass(frozen=True)
class Notebook:
    """The stack after the notebook's requests.

    Attributes:
        api: a client of the api.
        prometheus: its address.
        first, last: an answer before all feedback, and one after it.
        right: the counts and shares that each application should have, after all feedback.
        halfway: the same after the first `BEFORE` truths, for the application that answers.
        metrics: `meta.metrics` in the answer to the feedback number `BEFORE`.
    """

    api: httpx.Client
    prometheus: str
    first: Any
    last: Any
    right: dict[str, dict[str, float]]
    halfway: dict[str, float]
    metrics: Any


def fitted(family: str, train: Table) -> Classifier:
    candidate = next(each for each in CANCER.candidates() if each.family == family)
    return candidate.fit(train.X, train.y)


def bundle(model: Classifier, train: Table) -> bytes:
    return bytes(export_onnx(model, CANCER, train).SerializeToString())


@pytest.fixture(scope="module")
def small_bundle() -> bytes:
    train, _ = split(CANCER.load(None), CANCER.test_share)
    return bundle(fitted(breast_cancer.REGRESSION, train), train)


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    program("prometheus")
    home = tmp_path_factory.mktemp("notebook")
    settings = Settings(
        problem=CANCER.name,
        lab_home=home,
        database_url=f"sqlite:///{home}/lab.db",
        mlflow_uri=f"http://127.0.0.1:{free_port()}",
        prefect_api_url=f"http://127.0.0.1:{free_port()}/api",
        prometheus_port=free_port(),
    )
    train, test = split(CANCER.load(None), CANCER.test_share)
    models = {"champion": fitted(breast_cancer.PERCEPTRON, train), "shadow": fitted(breast_cancer.REGRESSION, train)}
    keep_copy(settings, bundle(models["champion"], train))
    keep_challenger(settings, bundle(models["shadow"], train))
    X, truths = test.X[:ROWS], test.y[:ROWS]
    with ExitStack() as stack:
        api = stack.enter_context(running_api(settings))
        monitor = stack.enter_context(served(create_app(settings)))
        here = settings.model_copy(update={"api_port": api.base_url.port, "monitor_port": monitor.base_url.port})
        watch.write_config(every_second(watch.config_for(here)), here)
        stack.enter_context(watch.prometheus(here))
        url = str(api.base_url.join(GATEWAY))

        def predict() -> Any:
            body = {"data": {"ndarray": [X[0].tolist()]}}
            answer = requests.post(f"{url}/predictions", json=body, timeout=10)
            answer.raise_for_status()
            return answer.json()

        first = predict()
        told: list[requests.Response] = []
        for x, y in zip(X, truths, strict=True):
            # In one place the notebook sends the class in two brackets, in the other in one.
            truth = [[int(y)]] if len(told) % 2 else [int(y)]
            body = {"request": {"data": {"ndarray": [x.tolist()]}}, "truth": {"data": {"ndarray": truth}}}
            told.append(requests.post(f"{url}/feedback", json=body, timeout=10))
        assert {answer.status_code for answer in told} == {200}
        answers = {role: model.predict(X.astype(np.float32)) for role, model in models.items()}
        right = {f"breast_cancer-{role}": expected(found, truths) for role, found in answers.items()}

        def all_counted() -> bool:
            found = by_app(watch.address(here), f"sum({of_feedback(*COUNTS)}) by (seldon_app)")
            return found == dict.fromkeys(right, ROWS)

        wait_for("all truths in Prometheus", all_counted)
        yield Notebook(
            api,
            watch.address(here),
            first,
            wait_for("newer counts", lambda: (now := predict())["meta"]["metrics"] != first["meta"]["metrics"] and now),
            right,
            expected(answers["champion"][:BEFORE], truths[:BEFORE]),
            told[BEFORE - 1].json()["meta"]["metrics"],
        )


def by_app(address: str, query: str) -> dict[str, float]:
    """Return the values of a query by `seldon_app`, which has to be the only label."""
    found = ask(address, "query", query=query, time=time.time())["result"]
    assert {tuple(series["metric"]) for series in found} <= {("seldon_app",)}
    return {series["metric"]["seldon_app"]: float(series["value"][1]) for series in found}


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_of_the_notebooks_dashboard_has_a_line_for_the_champion_and_one_for_its_shadow(
    notebook: Notebook, name: str
) -> None:
    found = by_app(notebook.prometheus, QUERIES[name])
    assert found == pytest.approx({app: figures[name] for app, figures in notebook.right.items()})
    assert set(found) == {"breast_cancer-champion", "breast_cancer-shadow"}


def test_the_two_lines_differ_so_that_the_queries_show_something(notebook: Notebook) -> None:
    champion, shadow = notebook.right.values()
    assert champion != shadow
    assert 0 < champion["false_pos"] + champion["false_neg"] < ROWS


def as_metrics(figures: dict[str, float]) -> list[dict[str, Any]]:
    return [{"key": name, "type": "GAUGE", "value": figures[name]} for name in COUNTS]


def test_an_answer_has_the_class_and_the_four_counts_as_the_notebook_prints_them(notebook: Notebook) -> None:
    answered = int(notebook.first["meta"]["tags"]["class_names"] == ["benign"])
    assert notebook.first["data"] == {"names": [], "ndarray": [answered]}
    assert notebook.first["meta"]["metrics"] == as_metrics(dict.fromkeys(COUNTS, 0))
    assert notebook.last["meta"]["metrics"] == as_metrics(notebook.right["breast_cancer-champion"])


def test_the_answer_to_feedback_counts_this_feedback(notebook: Notebook) -> None:
    assert notebook.metrics == as_metrics(notebook.halfway)


def test_the_labs_own_measures_have_no_further_series(notebook: Notebook) -> None:
    for name in ("live_precision_ratio", "true_pos"):
        found = ask(notebook.prometheus, "query", query=f'count({name}{{problem!=""}}) by (role)')["result"]
        assert {(series["metric"]["role"], series["value"][1]) for series in found} == {
            ("champion", "2"),
            ("shadow", "2"),
        }
    assert ask(notebook.prometheus, "query", query='live_precision_ratio{class_name=""}')["result"] == []


def test_an_answer_does_not_wait_for_a_store_that_hangs_and_has_no_counts_until_it_is_back(
    tmp_path: Path, postgres_url: str, small_bundle: bytes
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    settings = Settings(
        problem=CANCER.name, lab_home=tmp_path, database_url=postgres_url, mlflow_uri=nowhere, prefect_api_url=nowhere
    )
    keep_copy(settings, small_bundle)
    row = [feature.example for feature in CANCER.features]

    def metrics(api: httpx.Client) -> Any:
        answer = api.post("/api/v1.0/predictions", json={"data": {"ndarray": [row]}}).raise_for_status()
        return answer.json()["meta"].get("metrics")

    engine = sa.create_engine(postgres_url)
    with running_api(settings) as api:
        assert metrics(api) == as_metrics(dict.fromkeys(COUNTS, 0))
        with engine.connect() as connection:
            connection.execute(sa.text("LOCK TABLE confusion_counts IN ACCESS EXCLUSIVE MODE"))
            wait_for("an answer without counts", lambda: metrics(api) is None)
            begin = time.monotonic()
            for _ in range(20):
                metrics(api)
            assert time.monotonic() - begin < 2
        wait_for("the counts", lambda: metrics(api) is not None)
    engine.dispose()


@pytest.mark.parametrize("name", ["f1", "precision", "recall"])
def test_the_scores_of_the_lightgbm_project_are_those_of_the_positive_class(notebook: Notebook, name: str) -> None:
    found = ask(notebook.prometheus, "query", query=f"my_{name}_score")["result"]
    scores = {f"breast_cancer-{each['metric']['role']}": float(each["value"][1]) for each in found}
    assert scores == pytest.approx({app: figures[name] for app, figures in notebook.right.items()})
