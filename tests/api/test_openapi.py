"""The description of the api: complete, and true for every request that it allows."""

from typing import Any

import httpx
import hypothesis
import pytest
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.openapi import from_dict
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.conftest import KEPT

FEW = hypothesis.settings(max_examples=25, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))

ROUTES = {
    ("/predict", "post"): {"200", "413", "415", "422", "503"},
    ("/predict/test", "get"): {"200", "503"},
    ("/label", "get"): {"200", "503"},
    ("/metadata", "get"): {"200", "503"},
    ("/health", "get"): {"200"},
    ("/livez", "get"): {"200"},
    ("/readyz", "get"): {"200", "503"},
    ("/metrics", "get"): {"200"},
    ("/suggest", "post"): {"202", "401", "404", "409", "413", "415", "422", "429", "503"},
    ("/suggest/{suggestion_id}", "get"): {"200", "404", "422", "503"},
    ("/feedback", "post"): {"200", "401", "404", "409", "413", "415", "422", "503"},
    ("/predictions/{prediction_id}", "get"): {"200", "401", "404", "422", "503"},
    ("/predictions/{prediction_id}", "delete"): {"200", "401", "404", "422", "503"},
    ("/lineage/{prediction_id}", "get"): {"200", "401", "404", "410", "422", "503"},
    ("/lineage/versions/{version}", "get"): {"200", "401", "404", "422", "503"},
    ("/lineage/corrections/{suggestion_id}", "get"): {"200", "401", "404", "422", "503"},
    ("/labels/wanted", "get"): {"200", "401", "503"},
    ("/corrections", "get"): {"200", "401", "422", "503"},
    ("/corrections/{correction_id}", "get"): {"200", "401", "404", "422", "503"},
    ("/corrections/withdrawals", "get"): {"200", "401", "422", "503"},
    ("/corrections/{correction_id}/withdrawal", "get"): {"200", "401", "404", "422", "503"},
    ("/corrections/withdraw", "post"): {"200", "202", "400", "401", "404", "413", "415", "422", "503"},
    ("/corrections/{correction_id}/withdraw", "post"): {"200", "202", "400", "401", "404", "413", "415", "422", "503"},
    ("/corrections/review", "post"): {"200", "401", "404", "409", "413", "415", "422", "503"},
    ("/models", "get"): {"200", "503"},
    ("/models/{version}/challenge", "post"): {"200", "401", "404", "409", "422", "503"},
    ("/models/{version}/promote", "post"): {"200", "401", "404", "409", "422", "503"},
    ("/models/{version}/rollback", "post"): {"200", "401", "409", "422", "503"},
    ("/api/v1.0/predictions", "post"): {"200", "413", "415", "422", "503"},
    ("/api/v1.0/feedback", "post"): {"200", "401", "413", "415", "422", "503"},
    ("/seldon/{namespace}/{deployment}/api/v1.0/predictions", "post"): {"200", "413", "415", "422", "503"},
    ("/seldon/{namespace}/{deployment}/api/v1.0/feedback", "post"): {"200", "401", "413", "415", "422", "503"},
    ("/v2", "get"): {"200"},
    ("/v2/health/live", "get"): {"200"},
    ("/v2/health/ready", "get"): {"200", "503"},
    ("/v2/models/{name}", "get"): {"200", "404", "503"},
    ("/v2/models/{name}/ready", "get"): {"200", "404", "503"},
    ("/v2/models/{name}/infer", "post"): {"200", "400", "404", "413", "415", "503"},
    ("/v2/models/{name}/versions/{version}", "get"): {"200", "404", "503"},
    ("/v2/models/{name}/versions/{version}/ready", "get"): {"200", "404", "503"},
    ("/v2/models/{name}/versions/{version}/infer", "post"): {"200", "400", "404", "413", "415", "503"},
}
# The description cannot say all that these routes depend on: which classes the model has, how many rows there are,
# which ids it knows, whether MLflow answers, whether a tensor has the shape that it says.
PARTICULAR = ("/suggest", "/feedback", "/models", "/corrections", "/lineage", "/predictions/")
# MLflow is away here, which these say.
WITH_MLFLOW = ("/models/", "/lineage/versions/")


@pytest.fixture
def description(lone_api: httpx.Client) -> Any:
    return lone_api.get("/openapi.json").json()


def schema_of(api: httpx.Client) -> Any:
    """Return the description of an api without a key, so that every key, and none, is right."""
    description = api.get("/openapi.json").json()
    for operations in description["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)
    schema = from_dict(description)
    schema.config.update(base_url=str(api.base_url))
    return schema


@pytest.fixture
def schema(lone_api: httpx.Client) -> Any:
    return schema_of(lone_api)


def test_every_route_is_described_with_its_statuses(description: Any) -> None:
    found = {
        (path, method): set(operation["responses"])
        for path, operations in description["paths"].items()
        for method, operation in operations.items()
    }
    assert set(found) == set(ROUTES)
    for route, statuses in ROUTES.items():
        assert statuses <= found[route], route


def test_every_route_has_a_summary_and_a_tag(description: Any) -> None:
    for operations in description["paths"].values():
        for operation in operations.values():
            assert operation["summary"]
            assert operation["tags"]


def test_errors_are_described_as_problems_or_as_the_open_inference_protocol_has_them(description: Any) -> None:
    for path, operations in description["paths"].items():
        expected = "application/json" if path.startswith("/v2") else "application/problem+json"
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if status >= "400":
                    assert expected in response["content"]
                    assert path.startswith("/v2") != ("application/problem+json" in response["content"])
    assert "HTTPValidationError" not in description["components"]["schemas"]


@pytest.mark.parametrize("versions", ["", "/versions/{version}"])
def test_the_example_of_an_inference_can_be_sent_as_it_is(
    lone_api: httpx.Client, description: Any, versions: str
) -> None:
    path = f"/v2/models/{{name}}{versions}/infer"
    operation = description["paths"][path]["post"]
    (example,) = operation["requestBody"]["content"]["application/json"]["schema"]["examples"]
    (name,) = operation["parameters"][0]["schema"]["enum"]
    response = lone_api.post(path.format(name=name, version=KEPT), json=example)
    assert response.status_code == 200, response.text
    assert response.json()["id"] == example["id"]


WITH_INPUT = [
    route
    for route, statuses in ROUTES.items()
    if statuses & {"400", "422"} and not route[0].startswith(("/seldon", "/v2/models/{name}/versions"))
]
MODES = [
    *(pytest.param(route, GenerationMode.POSITIVE, id=f"{' '.join(route)} allowed") for route in ROUTES),
    *(pytest.param(route, GenerationMode.NEGATIVE, id=f"{' '.join(route)} forbidden") for route in WITH_INPUT),
]


def has_tensor(body: Any) -> bool:
    """Return whether a request of Seldon's protocol says its rows by a shape and numbers."""
    return isinstance(body, dict) and isinstance(data := body.get("data"), dict) and "tensor" in data


# Schemathesis' own parametrization needs a pytest older than 9; its strategies do not.
@pytest.mark.parametrize(("route", "mode"), MODES)
@FEW
@hypothesis.given(data=st.data())
def test_allowed_and_forbidden_requests_are_answered_as_described(
    schema: Any, route: tuple[str, str], mode: GenerationMode, data: st.DataObject
) -> None:
    path, method = route
    case = data.draw(schema[path][method].as_strategy(generation_mode=mode))
    unasked = [positive_data_acceptance] if any(part in path for part in PARTICULAR) or has_tensor(case.body) else []
    unasked += [not_a_server_error] if path.startswith(WITH_MLFLOW) else []
    case.call_and_validate(excluded_checks=unasked)
