"""Every worker shows the metrics of all: sums, one version, and a dead process takes no count with it."""

import signal
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import mlflow
import numpy as np
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from common.bundle.model import OnnxModel
from common.registry.client import CHALLENGER
from common.settings import Settings
from common.table import read_table
from scripts.parts import wait_for
from tests.api.inference.test_prediction_log import SETOSA, SETOSA_ROW, store_of
from tests.api.metrics.test_declared import VIRGINICA, predicted
from tests.api.model.test_follower import ask_until, fitted
from tests.api.workers.fleet import COUNT, Fleet, fleet
from tests.conftest import IRIS, KEPT, keep_copy, offline_settings, register_onnx, served_version, set_alias

Shown = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def both(with_copy: Settings) -> Iterator[Fleet]:
    """Two workers that a test may kill."""
    with fleet(with_copy) as started:
        yield started


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, prepared_data: Path, bundle: bytes) -> Settings:
    settings = offline_settings(tmp_path_factory.mktemp("workers"), prepared_data)
    keep_copy(settings, bundle)
    return settings


@pytest.fixture(scope="module")
def lasting(home: Settings) -> Iterator[Fleet]:
    """Two workers that no test changes."""
    with fleet(home) as started:
        yield started


@pytest.fixture
def clients(lasting: Fleet) -> Iterator[Sequence[httpx.Client]]:
    with lasting.clients() as clients:
        yield clients


def shown(client: httpx.Client) -> Shown:
    """Return every series of `/metrics`; none may occur twice."""
    text = client.get("/metrics").raise_for_status().text
    families = list(text_string_to_metric_families(text))
    assert max(Counter(family.name for family in families).values()) == 1
    samples = [sample for family in families for sample in family.samples]
    series = {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in samples}
    assert len(series) == len(samples)
    return series


def value(series: Shown, name: str, **labels: str) -> float:
    return series[name, tuple(sorted(labels.items()))]


def versions(series: Shown) -> dict[str, float]:
    """Return the served versions by role."""
    return {dict(labels)["role"]: number for (name, labels), number in series.items() if name == "served_model_version"}


def infos(series: Shown) -> list[tuple[str, str]]:
    """Return role and version of each series of `model_info`."""
    found = [dict(labels) for name, labels in series if name == "model_info"]
    return sorted((labels["role"], labels["model_version"]) for labels in found)


def test_every_worker_shows_the_sum_of_all(clients: Sequence[httpx.Client]) -> None:
    for times, client in enumerate(clients, 1):
        for _ in range(10 * times):
            client.post("/predict", json=SETOSA).raise_for_status()
        client.post("/predict", json={"data": [VIRGINICA] * 7}).raise_for_status()
        assert client.post("/predict", json={}).status_code == 422
    clients[0].get("/label").raise_for_status()  # a series that only one worker has
    wait_for("the log", lambda: value(shown(clients[1]), "prediction_log_rows_total") == 44)
    of_predict = {"handler": "/predict", "method": "POST"}
    for client in [*clients, *clients]:
        series = shown(client)
        assert predicted(client) == {"Iris-setosa": 30, "Iris-versicolor": 0, "Iris-virginica": 14}
        for status, count in (("2xx", 32), ("4xx", 2)):
            assert value(series, "http_requests_total", status=status, **of_predict) == count
        assert value(series, "http_requests_total", handler="/label", method="GET", status="2xx") == 1
        assert value(series, "http_request_duration_seconds_count", **of_predict) == 34
        assert value(series, "http_request_duration_seconds_bucket", le="+Inf", **of_predict) == 34
        assert 0 < value(series, "http_request_duration_seconds_sum", **of_predict) < 34
        assert value(series, "model_swaps_total", role="champion") == COUNT
        assert versions(series) == {"champion": KEPT}


def test_memory_and_cpu_time_of_all_workers_are_summed(clients: Sequence[httpx.Client], lasting: Fleet) -> None:
    workers = lasting.workers()
    started = min(worker.create_time() for worker in workers)
    for client in clients:

        def memory(client: httpx.Client = client) -> bool:
            resident = sum(worker.memory_info().rss for worker in workers)
            return value(shown(client), "process_resident_memory_bytes") == pytest.approx(resident, rel=0.1)

        wait_for("the memory of both", memory)
        cpu = sum(sum(worker.cpu_times()[:2]) for worker in workers)
        assert value(shown(client), "process_cpu_seconds_total") == pytest.approx(cpu, rel=0.2)
        assert value(shown(client), "process_start_time_seconds") == pytest.approx(started, abs=2)


def test_rows_that_wait_in_any_worker_are_shown_by_all(clients: Sequence[httpx.Client], home: Settings) -> None:
    def wait_for_rows(number: int) -> None:
        for client in clients:
            wait_for("rows", lambda c=client: value(shown(c), "prediction_log_waiting_rows") == number)  # type: ignore[misc]

    with store_of(home) as store, store._database.writing():
        for client in clients:
            client.post("/predict", json={"data": [SETOSA_ROW] * 20}).raise_for_status()
        wait_for_rows(40)
        assert all(value(shown(client), "prediction_log_lag_seconds") > 0 for client in clients)
    wait_for_rows(0)


def load(url: str, over: threading.Event) -> tuple[int, int]:
    """Send requests until `over` is set; return the number of answers, and of connections that broke instead."""
    answered = broken = 0
    while not over.is_set():
        with httpx.Client(base_url=url, timeout=30.0) as client:
            try:
                while not over.is_set():
                    client.post("/predict", json=SETOSA).raise_for_status()
                    answered += 1
            except httpx.TransportError:
                broken += 1
    return answered, broken


def test_a_killed_worker_is_replaced_and_its_counts_stay(both: Fleet) -> None:
    over = threading.Event()
    with ThreadPoolExecutor(4) as pool:
        loads = [pool.submit(load, both.url, over) for _ in range(4)]
        try:
            for _ in range(2):
                kill_one(both)
        finally:
            over.set()
        answered, broken = (sum(numbers) for numbers in zip(*(load.result() for load in loads), strict=True))
    with both.clients() as clients:
        totals = {counted(shown(client)) for client in clients}
    # No answer is missing. A request may be counted although its connection broke before its answer.
    (total,) = totals
    assert 200 <= answered <= total <= answered + broken


def kill_one(both: Fleet) -> None:
    """Kill the first worker under load; a successor starts, and no count ever goes back."""
    with both.clients() as (_, asked):
        first, second = both.workers()
        before = shown(asked)
        wait_for("answers", lambda: counted(shown(asked)) > counted(before) + 100)
        first.kill()
        at_once = shown(asked)
        wait_for("another worker", lambda: len(both.workers()) == COUNT and first not in both.workers())
        assert second in both.workers()
    with both.clients() as clients:
        for series in (at_once, *map(shown, clients)):
            counters = [name for name in before if name[0].endswith(("_total", "_count", "_sum", "_bucket"))]
            assert [name for name in counters if series[name] < before[name]] == []
            assert versions(series) == {"champion": KEPT}


def counted(series: Shown) -> float:
    """Return the answered rows."""
    return sum(count for (name, _), count in series.items() if name == "predicted_class_name_total")


def test_a_swap_reaches_all_and_one_version_is_shown(settings: Settings) -> None:
    rows = read_table(settings.data_dir / "train.csv", IRIS, indices=True)
    contents = [fitted(rows, index) for index in range(3)]
    expected = [OnnxModel(content).predict(rows.X.astype(np.float32)).probabilities for content in contents]
    for content in contents:
        register_onnx(settings, content)
    set_alias(settings, "champion", 1)
    over = threading.Event()
    with fleet(settings) as started, ThreadPoolExecutor(2) as pool, started.clients() as clients:
        see(clients, {"champion": 1})
        loads = [pool.submit(ask_until, over, started.url, rows.X) for _ in range(2)]
        try:
            for number in (2, 3, 1):
                set_alias(settings, "champion", number)
                see(clients, {"champion": number})
        finally:
            over.set()
        asked = [answer for each in loads for answer in each.result()]
        challenge_comes_and_goes(settings, clients)
    assert set.union(*(seen for seen, _, _ in asked)) == {1, 2, 3}
    for seen, of_rows, answered in asked:
        (version,) = seen
        right = expected[version - 1]
        assert right is not None
        np.testing.assert_allclose(answered, right[of_rows], atol=1e-5)


def see(clients: Sequence[httpx.Client], wanted: Mapping[str, int]) -> None:
    """Wait until all workers serve this champion and show these versions; meanwhile none shows two of a role."""

    def seen() -> bool:
        found = [shown(client) for client in clients]
        for series in found:
            roles = [role for role, _ in infos(series)]
            assert len(roles) == len(set(roles))
        served = {served_version(client) for client in clients}
        return served == {wanted["champion"]} and all(versions(series) == wanted for series in found)

    wait_for(f"{wanted}", seen, within=20)
    for client in clients:
        assert infos(shown(client)) == sorted((role, f"{number}") for role, number in wanted.items())


def challenge_comes_and_goes(settings: Settings, clients: Sequence[httpx.Client]) -> None:
    registry = mlflow.MlflowClient(settings.mlflow_uri)
    registry.set_registered_model_alias(IRIS.onnx_name, CHALLENGER, "2")
    see(clients, {"champion": 1, "shadow": 2})
    registry.delete_registered_model_alias(IRIS.onnx_name, CHALLENGER)
    see(clients, {"champion": 1})


def test_a_worker_that_gets_sigterm_is_replaced_too(both: Fleet) -> None:
    with both.clients():
        first, second = both.workers()
    first.send_signal(signal.SIGTERM)
    wait_for("another", lambda: len(both.workers()) == COUNT and first not in both.workers())
    assert second in both.workers()
    assert psutil.pid_exists(both.supervisor.pid)
