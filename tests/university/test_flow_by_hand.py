"""The form on Prefect's page in which a person starts the flow: four numbers and a class."""

from common.problem import Problem
from common.settings import Settings
from finetune.finetune import finetune_flow
from finetune.form import description
from problems import travel_insurance

FIELDS = ["sepal_length", "sepal_width", "petal_length", "petal_width", "class_name"]


def test_the_form_needs_four_numbers_and_a_class_and_says_what_they_are(offline: Settings, problem: Problem) -> None:
    schema = finetune_flow(offline).parameters.model_dump_for_openapi()
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


def test_a_field_for_a_name_has_an_example() -> None:
    lines = description(travel_insurance.PROBLEM).splitlines()
    [agency] = [line.strip() for line in lines if line.strip().startswith("Agency:")]
    feature = travel_insurance.PROBLEM.features[travel_insurance.PROBLEM.slugs.index("Agency")]
    assert agency == f"Agency: {feature.description}; for example {feature.example}"
