"""Problems are found by the names of their files and name their models, each differently."""

import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import problems
from common.problem import (
    Category,
    Number,
    Problem,
    ProblemError,
    Target,
    epochs_run,
    get_problem,
)
from tests.common.refusals import refused


def test_a_problem_is_found_by_the_name_of_its_file(problem: Problem) -> None:
    assert problem.name == "iris"
    assert get_problem("iris") is problem


@pytest.mark.parametrize("name", ["irs", "", "__init__", "iris.py", "Iris"])
def test_an_unknown_problem_is_refused_with_a_list_of_the_known_ones(name: str) -> None:
    with refused(ProblemError, rf"unknown problem {name!r}.*there is .*\biris\b"):
        get_problem(name)


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


def named(*names: str, minimum: float = 0.0, maximum: float = 1.0) -> dict[str, Any]:
    """Return the change of a problem that gives it features of these names."""
    return {"features": tuple(Number(name, "cm", "a length", minimum, maximum, example=0.5) for name in names)}


def classed(*classes: str, column: str = "kind", **spellings: str) -> dict[str, Any]:
    """Return the change of a problem that gives it a target of these classes."""
    return {"target": Target(column, classes, spellings)}


def test_names_become_identifiers_without_spaces_and_brackets(problem: Problem) -> None:
    names = ("Commision (in value)", "Net Sales", "od280/od315", "Größe [cm]", "  mean  radius ")
    renamed = replace(problem, **named(*names))
    assert renamed.slugs == ("Commision_in_value", "Net_Sales", "od280_od315", "Größe_cm", "mean_radius")
    assert renamed.columns[0] == "Commision (in value)"


USED = ("class_name", "data", "prediction id", "[replace]", "outlier_score", "suggestion_id")  # by the lab itself


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (named("a", "b", "a"), "two features have the name 'a'"),
        (named("Net Sales", "Net (Sales)"), "two features have the name 'Net_Sales'"),
        *((named("a", name), f"'{name.strip('[]').replace(' ', '_')}', which the lab uses itself") for name in USED),
        (named("2nd value"), "a feature cannot have the name '2nd value': begin with a letter"),
        (named("class"), "a feature cannot have the name 'class': begin with a letter, and use no keyword of Python"),
        (named("%"), "a feature cannot have the name '%'"),
        *(
            (named("length", minimum=low, maximum=high), "feature 'length' has the limits .*float32 holds")
            for low, high in ((0.0, 1e39), (-math.inf, 0.0), (math.nan, 1.0))
        ),
        (classed("yes", "no", "yes"), "two classes have the name 'yes'"),
        (classed("yes"), "a target needs at least two classes"),
        (classed(), "a target needs at least two classes"),
        (classed("yes", " yes "), "two classes have the name 'yes'"),
        (classed("yes", "  "), "a class cannot have the name ''"),
        (classed("yes", "n\no"), r"a class cannot have the name 'n\\no': write a word in one line"),
        (classed("no", "yes", **{"2": "maybe"}), "'2' is a spelling of 'maybe', which is not a class: .* are no, yes$"),
        (classed("no", "yes", no="yes"), "'no' is a class, and cannot be a spelling of 'yes'$"),
        (classed("no", "yes", column="petal_width"), "'petal_width' is both a feature and the target"),
    ],
)
def test_a_problem_that_contradicts_itself_is_refused_in_one_line(
    problem: Problem, change: dict[str, Any], said: str
) -> None:
    with refused(ProblemError, f"^problem iris: .*{said}"):
        replace(problem, **change)


def test_a_class_may_be_a_spelling_of_itself(problem: Problem) -> None:
    assert replace(problem, **classed("no", "yes", no=" no")).target.spellings == {"no": "no"}


def test_a_problem_is_numeric_when_no_feature_is_a_category(problem: Problem) -> None:
    assert problem.is_numeric
    colour = Category("colour", "of the flower", ("blue", "red"), example="blue")
    assert not replace(problem, features=(*problem.features, colour)).is_numeric


def test_two_problems_whose_models_would_share_a_name_are_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("wine2", "wine_2"):
        (tmp_path / f"{name}.py").write_text(
            "from dataclasses import replace\nfrom problems.iris import PROBLEM as IRIS\n"
            f"PROBLEM = replace(IRIS, name={name!r})\n"
        )
        monkeypatch.delitem(sys.modules, f"problems.{name}", raising=False)
    monkeypatch.setattr(problems, "__path__", [*problems.__path__, str(tmp_path)])
    for name, other in (("wine2", "wine_2"), ("wine_2", "wine2")):
        both = rf"^problems/{name}\.py and problems/{other}\.py would both register Wine2Model: rename one of them$"
        with refused(ProblemError, both):
            get_problem(name)
    assert get_problem("iris").onnx_name == "IrisModel"


@pytest.mark.parametrize("content", ["", "PROBLEM = 7\n", "from problems.iris import PROBLEM as PROBLEM\n"])
def test_a_file_without_a_problem_of_its_name_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    (tmp_path / "half_done.py").write_text(content, encoding="utf-8")
    monkeypatch.setattr(problems, "__path__", [*problems.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "problems.half_done", raising=False)
    with pytest.raises(ProblemError, match=r"problems/half_done\.py has no PROBLEM whose name is 'half_done'"):
        get_problem("half_done")


def test_the_epochs_of_a_fit_are_found_also_in_the_last_step_of_a_pipeline() -> None:
    X, y = np.array([[0.0], [1.0], [2.0], [3.0]] * 5), np.array([0, 0, 1, 1] * 5)
    perceptron = make_pipeline(StandardScaler(), Perceptron(max_iter=3, tol=None)).fit(X, y)
    assert (epochs_run(perceptron), epochs_run(perceptron[-1])) == (3, 3)
    assert epochs_run(LogisticRegression(max_iter=50).fit(X, y)) is None
    assert epochs_run(LGBMClassifier(n_estimators=2, verbose=-1).fit(X, y)) is None


def test_a_problem_without_any_way_to_learn_corrections_is_refused(problem: Problem) -> None:
    with pytest.raises(ProblemError, match="no way to learn corrections"):
        replace(problem, continue_training=None, refit=None)


def test_the_default_margin_is_two_points(problem: Problem) -> None:
    assert (problem.margin, get_problem("travel_insurance").margin) == (0.02, 0.01)
