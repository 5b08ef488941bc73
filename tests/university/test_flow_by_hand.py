"""A flow run that a person starts in Prefect's page: four numbers and a class, and nothing else."""

from contextlib import closing
from typing import Any

import pytest

from common.problem import Problem
from common.settings import Settings
from common.store import Store
from finetune.form import description
from problems import travel_insurance
from scripts.parts import wait_for
from tests import servers
from tests.test_loop import ask_prefect, correction, forget_runs, start_run

FIELDS = ["sepal_length", "sepal_width", "petal_length", "petal_width", "class_name"]


@pytest.fixture
def lab(offline: Settings, prefect_api_url: str) -> Settings:
    """A lab without MLflow, which the first correction does not need."""
    found = offline.model_copy(update={"prefect_api_url": prefect_api_url})
    forget_runs(found)
    return found


def test_four_numbers_and_a_class_are_enough_to_start_it(lab: Settings, problem: Problem) -> None:
    with servers.worker(lab):
        deployment = ask_prefect(lab, "GET", "/deployments/name/finetune/finetune")
        run_id = start_run(lab, **correction(1))
        run: dict[str, Any] = wait_for("the end", lambda: over(ask_prefect(lab, "GET", f"/flow_runs/{run_id}")))
    assert (run["state"]["name"], run["state"]["message"]) == ("Waiting", "waiting (1 of 5)")
    with closing(Store(lab.database_url)) as store:
        found = store.suggestions.get(run_id)
    assert found is not None
    assert (found.features, found.class_name) == (
        {name: value for name, value in correction(1).items() if name != "class_name"},
        "Iris-versicolor",
    )
    assert len(lab.corrections.read_text().splitlines()) == 1
    schema = deployment["parameter_openapi_schema"]
    assert schema["required"] == FIELDS
    by_place = sorted(schema["properties"].items(), key=lambda item: item[1]["position"])
    assert [(name, shown["type"]) for name, shown in by_place] == [
        *((name, "number") for name in FIELDS[:4]),
        ("class_name", "string"),
        ("suggestion_id", "string"),
    ]
    words = [shown["description"] for _, shown in by_place]
    assert words[0] == "length of a sepal in cm, 0 to 30; for example 5.1"
    assert words[4] == f"the right class: {', '.join(problem.target.classes)}"


def over(run: dict[str, Any]) -> dict[str, Any] | None:
    return run if run["state_type"] == "COMPLETED" else None


def test_a_field_with_names_has_an_example() -> None:
    lines = description(travel_insurance.PROBLEM).splitlines()
    [agency] = [line.strip() for line in lines if line.strip().startswith("Agency:")]
    feature = travel_insurance.PROBLEM.features[travel_insurance.PROBLEM.slugs.index("Agency")]
    assert agency == f"Agency: {feature.description}; for example {feature.example}"
