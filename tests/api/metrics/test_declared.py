"""The metrics of one process on `/metrics`."""

import httpx
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from api.metrics.declared import Metrics
from common.registry.client import Version

GOOD = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
VIRGINICA = [6.3, 3.3, 6.0, 2.5]


def samples(api: httpx.Client, name: str) -> dict[tuple[tuple[str, str], ...], float]:
    """Return the samples of a metric, by their labels."""
    text = api.get("/metrics").text
    return {
        tuple(sample.labels.items()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def predicted(api: httpx.Client) -> dict[str, float]:
    """Return the counts by class; `class_name` is the only label."""
    counts = {}
    for labels, value in samples(api, "predicted_class_name_total").items():
        ((label, class_name),) = labels
        assert label == "class_name"
        counts[class_name] = value
    return counts


def test_answered_predictions_are_counted_by_class(lone_api: httpx.Client) -> None:
    before = predicted(lone_api)  # with every class, also before its first prediction
    assert set(before) == {"Iris-setosa", "Iris-versicolor", "Iris-virginica"}
    assert lone_api.post("/predict", json=GOOD).is_success
    assert lone_api.post("/predict", json={"data": [list(GOOD.values()), VIRGINICA, VIRGINICA]}).is_success
    after = predicted(lone_api)
    added = {name: after[name] - before[name] for name in after}
    assert added == {"Iris-setosa": 2, "Iris-versicolor": 0, "Iris-virginica": 2}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/predict", {**GOOD, "petal_width": "0.2"}),
        ("/predict", {**GOOD, "petal_width": -1}),
        ("/predict", {}),
        ("/predict", {"data": []}),
        ("/predict", {"data": [list(GOOD.values()), [5.1, 3.5, 1.4]]}),
        *((path, None) for path in ("/predict/test", "/metadata", "/readyz")),
    ],
)
def test_refused_rows_and_requests_about_the_service_are_not_counted_as_predictions(
    lone_api: httpx.Client, path: str, body: object
) -> None:
    before = predicted(lone_api)
    response = lone_api.get(path) if body is None else lone_api.post(path, json=body)
    assert response.status_code == (200 if body is None else 422)
    assert predicted(lone_api) == before


def test_requests_are_counted_and_timed_by_path_and_status(lone_api: httpx.Client) -> None:
    refused = (("handler", "/predict"), ("method", "POST"), ("status", "4xx"))
    before = samples(lone_api, "http_requests_total").get(refused, 0)
    lone_api.post("/predict", json={})
    assert samples(lone_api, "http_requests_total")[refused] == before + 1
    timed = samples(lone_api, "http_request_duration_seconds_count")
    assert timed[("handler", "/predict"), ("method", "POST")] >= 1


def test_unknown_paths_make_no_series_of_their_own(lone_api: httpx.Client) -> None:
    for number in range(5):
        lone_api.get(f"/nowhere/{number}")
        lone_api.get(f"/suggest/018f0000-0000-7000-8000-00000000000{number}")
    handlers = {dict(labels)["handler"] for labels in samples(lone_api, "http_requests_total")}
    assert not [handler for handler in handlers if "nowhere" in handler or "018f" in handler]


def test_the_served_version_and_failed_reloads_are_shown(lone_api: httpx.Client) -> None:
    assert samples(lone_api, "served_model_version") == {(("model_name", "IrisModel"), ("role", "champion")): 7}
    assert samples(lone_api, "model_reload_failures_total") == {(): 0}
    assert samples(lone_api, "process_resident_memory_bytes")[()] > 0


def test_the_served_version_is_shown_with_its_origin_and_its_test_results(api: httpx.Client, trained: Version) -> None:
    [(info, value)] = samples(api, "model_info").items()
    assert dict(info) == {
        "model_name": "IrisModel",
        "role": "champion",
        "model_version": "1",
        "git_commit": trained.tags["git_commit"],
        "train_md5": trained.tags["train_md5"],
    }
    assert value == 1
    for name in ("accuracy", "precision", "recall", "f1"):
        tested = samples(api, f"model_test_{name}_ratio")
        assert tested == {(("model_name", "IrisModel"), ("role", "champion")): float(trained.tags[f"test_{name}"])}
    assert samples(api, "model_swaps_total") == {(("role", "champion"),): 1}


def test_a_new_version_takes_the_place_of_the_old_one() -> None:
    metrics = Metrics()
    tags = {"test_accuracy": "0.9", "test_f1": "no number", "git_commit": "a"}
    metrics.serves(Version("M", 1, "", tags), "champion")
    metrics.serves(Version("M", 5, "", {}), "shadow")
    metrics.serves(Version("M", 2, "", {"test_accuracy": "0.8"}), "champion")
    shown = generate_latest(metrics.registry).decode()
    assert 'model_info{git_commit="",model_name="M",model_version="2",role="champion",train_md5=""} 1.0' in shown
    assert 'model_version="1"' not in shown
    assert 'model_test_accuracy_ratio{model_name="M",role="champion"} 0.8' in shown
    assert "model_test_f1_ratio{" not in shown
    assert 'model_swaps_total{role="champion"} 2.0' in shown
    metrics.serves_none("M", "shadow")
    shown = generate_latest(metrics.registry).decode()
    assert 'served_model_version{model_name="M",role="champion"} 2.0' in shown
    assert 'role="shadow"} 5.0' not in shown
