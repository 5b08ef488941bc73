"""Problems are found by the names of their files, and name their models."""

from dataclasses import replace

import pytest

from common.problem import Problem, UnknownProblemError, get_problem


def test_a_problem_is_found_by_the_name_of_its_file(problem: Problem) -> None:
    assert problem.name == "iris"
    assert get_problem("iris") is problem


@pytest.mark.parametrize("name", ["irs", "", "__init__", "iris.py", "Iris"])
def test_an_unknown_problem_is_refused_with_a_list_of_the_known_ones(name: str) -> None:
    with pytest.raises(UnknownProblemError, match=r"there is .*\biris\b") as refused:
        get_problem(name)
    assert f"unknown problem {name!r}" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "onnx", "sklearn"),
    [
        ("iris", "IrisModel", "IrisDev"),
        ("breast_cancer", "BreastCancerModel", "BreastCancerDev"),
        ("travel_insurance", "TravelInsuranceModel", "TravelInsuranceDev"),
    ],
)
def test_names_of_models_follow_from_the_name(problem: Problem, name: str, onnx: str, sklearn: str) -> None:
    named = replace(problem, name=name)
    assert (named.onnx_name, named.sklearn_name) == (onnx, sklearn)


def test_the_columns_are_the_features_in_order(problem: Problem) -> None:
    assert problem.columns == ("sepal_length", "sepal_width", "petal_length", "petal_width")
