"""Examples that a click on *Execute* sends as they are."""

from typing import Any

from api.schemas.requests import sample_row
from common.problem import Problem

# An id that no row has: a 404 says so until somebody puts an id of an own answer in its place.
SOME_ID = "01999999-0000-7000-8000-000000000000"
PARAMETERS: dict[str, Any] = {
    "prediction_id": SOME_ID,
    "suggestion_id": SOME_ID,
    "correction_id": SOME_ID,
    "version": 1,
    "namespace": "default",
    "deployment": "lab",
    "limit": 20,
}


def bodies(problem: Problem) -> dict[str, dict[str, Any]]:
    """Return the examples of the body of each path that takes one in JSON, by the examples' names."""
    rows = sample_row(problem)
    row, class_name = dict(zip(problem.columns, rows[0], strict=True)), problem.target.classes[0]
    data = {"data": {"ndarray": rows}}
    known = {"request": data, "truth": {"data": {"ndarray": [class_name]}}}
    told = {"prediction_id": SOME_ID, "class_name": class_name}
    reason = "a wrong label"
    found: dict[str, dict[str, Any]] = {
        "/predict": {"one row": row, "many rows": {"data": [*rows, *rows]}},
        "/feedback": {"the ground truth": told, "another than before": told | {"replace": True}},
        "/suggest": {"a correction": row | {"class_name": class_name}},
        "/corrections/review": {"reject": {"ids": [SOME_ID], "decision": "reject", "note": reason}},
        "/corrections/withdraw": {
            "some": {"reason": reason, "ids": [SOME_ID]},
            "all of a client": {"reason": reason, "source": "192.0.2.1"},
        },
        "/corrections/{correction_id}/withdraw": {"one": {"reason": reason}},
    }
    for gateway in ("", "/seldon/{namespace}/{deployment}"):
        found[f"{gateway}/api/v1.0/predictions"] = {"rows": data}
        found[f"{gateway}/api/v1.0/feedback"] = {"rows with ground truth": known}
    return found
