"""The page `/docs`: people find what they want in the order of its use, and its examples can be executed."""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from api.swagger.examples import SOME_ID
from api.swagger.words import GROUPS, SUMMARIES
from tests.conftest import KEPT

# Their examples need what a lone api has not: MLflow, a first version, corrections and withdrawals.
NEEDS = {
    "/models/{version}/challenge": {503},
    "/models/{version}/promote": {503},
    "/models/{version}/rollback": {503},
    "/lineage/versions/{version}": {404, 503},
    **{f"/v2/models/{{name}}/versions/{{version}}{more}": {404} for more in ("", "/ready", "/infer")},
    "/corrections/review": {404, 409},
    "/corrections/{correction_id}/withdrawal": {404},
}


@pytest.fixture(scope="module")
def description(lone_api: httpx.Client) -> Any:
    return lone_api.get("/openapi.json").json()


def operations(description: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield path, method and operation."""
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_the_title_names_the_problem(description: Any, lone_api: httpx.Client) -> None:
    assert description["info"]["title"].startswith("iris · ")
    assert "<title>iris · " in lone_api.get("/docs").text


def test_the_groups_stand_in_the_order_of_their_use(description: Any) -> None:
    assert [each["name"] for each in description["tags"]] == list(GROUPS)
    assert {tag for _, _, each in operations(description) for tag in each["tags"]} == set(GROUPS)


def test_each_operation_is_named_in_words_of_its_own(description: Any) -> None:
    named = {(path, method): each["summary"] for path, method, each in operations(description)}
    assert named == {(path, method): words for path, found in SUMMARIES.items() for method, words in found.items()}
    in_group = [(each["tags"][0], each["summary"]) for _, _, each in operations(description)]
    assert len(set(in_group)) == len(in_group)


def test_programs_find_the_operations_under_the_ids_that_the_routes_have(description: Any) -> None:
    for path, method, each in operations(description):
        assert each["operationId"].endswith(f"_{method}"), path
    ids = {each["operationId"] for _, _, each in operations(description)}
    assert {"post_predict_predict_post", "post_feedback_feedback_post", "post_suggest_suggest_post"} <= ids


def test_the_schemas_are_folded(lone_api: httpx.Client) -> None:
    assert '"defaultModelsExpandDepth": 0' in lone_api.get("/docs").text


def examples(operation: Any) -> list[Any]:
    """Return the bodies that the page offers; [None] where there is none to send."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    found = [each["value"] for each in content.get("examples", {}).values()]
    return found or content.get("schema", {}).get("examples") or [None]


def parameters(operation: Any) -> dict[str, Any]:
    """Return the parameters as the page fills them in."""
    found = {each["name"]: each for each in operation.get("parameters", ()) if each.get("required")}
    return {name: each.get("example", each["schema"].get("enum", [None])[0]) for name, each in found.items()}


def with_own_ids(value: Any, own: Mapping[str, str], name: str = "") -> Any:
    """Return an example with an id that the api has given in place of the id that no row has."""
    if isinstance(value, dict):
        return {key: with_own_ids(each, own, key) for key, each in value.items()}
    if isinstance(value, list):
        return [with_own_ids(each, own, "correction_id") for each in value]
    return own[name] if value == SOME_ID else value


def test_every_example_can_be_executed_as_it_is(lone_api: httpx.Client, description: Any) -> None:
    for path, method, operation in operations(description):
        for body in examples(operation):
            response = lone_api.request(method, path.format(**parameters(operation)), json=body)
            named = SOME_ID in str(body) or SOME_ID in response.request.url.path
            allowed = NEEDS.get(path, set()) | ({404} if named else set())
            assert response.is_success or response.status_code in allowed, (path, method, response.text)
            assert str(response.status_code) in operation["responses"], (path, method)


def test_an_example_works_with_the_ids_that_the_api_has_given(lone_api: httpx.Client, description: Any) -> None:
    paths = description["paths"]

    def execute(path: str, method: str = "post", **own: str) -> httpx.Response:
        operation = paths[path][method]
        body = with_own_ids(examples(operation)[0], own)
        return lone_api.request(method, path.format(**with_own_ids(parameters(operation), own)), json=body)

    prediction_id = execute("/predict").raise_for_status().json()["prediction_id"]
    assert execute("/feedback", prediction_id=prediction_id).raise_for_status().json()["prediction_id"] == prediction_id
    [shown] = execute("/predictions/{prediction_id}", "get", prediction_id=prediction_id).raise_for_status().json()
    assert shown["model_version"] == KEPT
    assert execute("/lineage/{prediction_id}", "get", prediction_id=prediction_id).is_success
    suggestion_id = execute("/suggest").raise_for_status().json()["suggestion_id"]
    assert execute("/suggest/{suggestion_id}", "get", suggestion_id=suggestion_id).is_success
    assert execute("/lineage/corrections/{suggestion_id}", "get", suggestion_id=suggestion_id).is_success
    assert execute("/corrections/{correction_id}", "get", correction_id=suggestion_id).is_success
    assert execute("/corrections/withdraw", correction_id=suggestion_id).status_code == 202
    assert execute("/corrections/{correction_id}/withdrawal", "get", correction_id=suggestion_id).is_success
    assert execute("/predictions/{prediction_id}", "delete", prediction_id=prediction_id).is_success


def test_the_id_of_the_examples_is_one_that_nobody_has() -> None:
    assert uuid.UUID(SOME_ID).version == 7
