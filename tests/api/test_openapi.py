"""The description of the api: complete, and true for whatever it allows to be sent."""

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
    ("/suggest/{suggestion_id}", "get"): {"200", "401", "404", "422", "503"},
    ("/feedback", "post"): {"200", "401", "404", "409", "413", "415", "422", "503"},
    ("/predictions/{prediction_id}", "get"): {"200", "401", "404", "422", "503"},
    ("/models", "get"): {"200", "503"},
    ("/models/{version}/challenge", "post"): {"200", "401", "404", "409", "422", "503"},
    ("/models/{version}/promote", "post"): {"200", "401", "404", "422", "503"},
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
PARTICULAR = ("/suggest", "/feedback", "/models")


@pytest.fixture
def description(lone_api: httpx.Client) -> Any:
    return lone_api.get("/openapi.json").json()


@pytest.fixture
def schema(lone_api: httpx.Client, description: Any) -> Any:
    # This api has no key, so that every key, and none, is right.
    for operations in description["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)
    loaded = from_dict(description)
    loaded.config.update(base_url=str(lone_api.base_url))
    return loaded


def test_every_route_is_described_with_its_statuses(description: Any) -> None:
    found = {
        (path, method): set(operation["responses"])
        for path, operations in description["paths"].items()
        for method, operation in operations.items()
    }
    assert set(found) == set(ROUTES)
    for route, statuses in ROUTES.items():
        assert statuses <= found[route], route


def test_every_route_says_what_it_is_for(description: Any) -> None:
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


@pytest.mark.parametrize("name", ["IrisFeatures", "IrisSuggestion"])
def test_every_feature_has_unit_range_and_example(description: Any, name: str) -> None:
    model = description["components"]["schemas"][name]
    for feature in ("sepal_length", "sepal_width", "petal_length", "petal_width"):
        field = model["properties"][feature]
        assert field["unit"] == "cm"
        assert "cm" in field["description"]
        assert (field["minimum"], field["maximum"]) == (0, 30)
        assert field["minimum"] <= field["examples"][0] <= field["maximum"]
        assert feature in model["required"]
    assert model["additionalProperties"] is False


def test_a_batch_describes_its_rows(description: Any) -> None:
    data = description["components"]["schemas"]["IrisBatch"]["properties"]["data"]
    assert (data["minItems"], data["maxItems"]) == (1, 10_000)
    assert [column["unit"] for column in data["items"]["prefixItems"]] == ["cm"] * 4
    assert (data["items"]["minItems"], data["items"]["maxItems"]) == (4, 4)


def test_the_examples_can_be_sent_as_they_are(lone_api: httpx.Client, description: Any) -> None:
    schemas = description["components"]["schemas"]
    one = {name: field["examples"][0] for name, field in schemas["IrisFeatures"]["properties"].items()}
    many = {"data": schemas["IrisBatch"]["properties"]["data"]["examples"][0]}
    for body in (one, many):
        assert lone_api.post("/predict", json=body).status_code == 200
    right = {**one, "class_name": schemas["IrisSuggestion"]["properties"]["class_name"]["examples"][0]}
    assert lone_api.post("/suggest", json=right).status_code == 202


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


def test_swagger_is_served(lone_api: httpx.Client) -> None:
    assert "swagger" in lone_api.get("/docs").text.lower()


# Schemathesis' own parametrization needs a pytest older than 9; its strategies do not.
def answer_as_described(schema: Any, route: tuple[str, str], mode: GenerationMode, data: st.DataObject) -> None:
    path, method = route
    case = data.draw(schema[path][method].as_strategy(generation_mode=mode))
    unasked = [positive_data_acceptance] if any(part in path for part in PARTICULAR) else []
    # MLflow is away here, and that is what these say.
    unasked += [not_a_server_error] if path.startswith("/models/") else []
    case.call_and_validate(excluded_checks=unasked)


WITH_INPUT = [
    route
    for route, statuses in ROUTES.items()
    if statuses & {"400", "422"} and not route[0].startswith(("/seldon", "/v2/models/{name}/versions"))
]


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
@FEW
@hypothesis.given(data=st.data())
def test_what_the_description_allows_is_answered_as_described(
    schema: Any, route: tuple[str, str], data: st.DataObject
) -> None:
    answer_as_described(schema, route, GenerationMode.POSITIVE, data)


@pytest.mark.parametrize("route", WITH_INPUT, ids=" ".join)
@FEW
@hypothesis.given(data=st.data())
def test_what_the_description_forbids_is_refused_as_described(
    schema: Any, route: tuple[str, str], data: st.DataObject
) -> None:
    answer_as_described(schema, route, GenerationMode.NEGATIVE, data)
