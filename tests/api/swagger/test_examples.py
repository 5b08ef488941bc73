"""The examples of `/docs` are allowed for every problem, whatever its features are called."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from api.protocols.seldon.bodies import feedback_model, request_model
from api.schemas.requests import predict_body, suggestion_model, truth_model
from api.swagger.examples import bodies
from common.problem import Problem, get_problem
from trust.http.corrections import ReviewBody
from trust.http.withdrawals import WithdrawalBody, WithdrawalsBody

SELDON = "/seldon/{namespace}/{deployment}/api/v1.0"


def models(problem: Problem) -> dict[str, Any]:
    """Return the type of the body of each path."""
    return {
        "/predict": predict_body(problem),
        "/feedback": truth_model(problem),
        "/suggest": suggestion_model(problem),
        "/corrections/review": ReviewBody,
        "/corrections/withdraw": WithdrawalsBody,
        "/corrections/{correction_id}/withdraw": WithdrawalBody,
        **{f"{gateway}/predictions": request_model(problem) for gateway in ("/api/v1.0", SELDON)},
        **{f"{gateway}/feedback": feedback_model(problem) for gateway in ("/api/v1.0", SELDON)},
    }


@pytest.mark.parametrize("name", ["iris", "breast_cancer", "travel_insurance"])
def test_every_example_is_an_allowed_body(name: str) -> None:
    problem = get_problem(name)
    found = bodies(problem)
    assert found.keys() == models(problem).keys()
    for path, model in models(problem).items():
        for example in found[path].values():
            TypeAdapter(model).validate_python(example)
