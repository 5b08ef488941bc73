"""The description of the api: complete, and true for whatever it allows to be sent."""

from typing import Any

import httpx
import hypothesis
import pytest
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.openapi import from_url
from schemathesis.specs.openapi.checks import positive_data_acceptance

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
    ("/suggest", "post"): {"202", "413", "415", "422", "503"},
    ("/suggest/{suggestion_id}", "get"): {"200", "404", "422", "503"},
}


@pytest.fixture
def description(lone_api: httpx.Client) -> Any:
    return lone_api.get("/openapi.json").json()


@pytest.fixture
def schema(lone_api: httpx.Client) -> Any:
    return from_url(f"{lone_api.base_url}/openapi.json")


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


def test_errors_are_described_as_problems(description: Any) -> None:
    for operations in description["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if status >= "400":
                    assert "application/problem+json" in response["content"]
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


def test_swagger_is_served(lone_api: httpx.Client) -> None:
    assert "swagger" in lone_api.get("/docs").text.lower()


# Schemathesis' own parametrization needs a pytest older than 9; its strategies do not.
def answer_as_described(schema: Any, route: tuple[str, str], mode: GenerationMode, data: st.DataObject) -> None:
    path, method = route
    case = data.draw(schema[path][method].as_strategy(generation_mode=mode))
    # Which classes there are is the model's to say: the description allows any name.
    case.call_and_validate(excluded_checks=[positive_data_acceptance] if path == "/suggest" else None)


WITH_INPUT = [("/predict", "post"), ("/suggest", "post"), ("/suggest/{suggestion_id}", "get")]


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
