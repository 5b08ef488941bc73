"""The description of the api, as people read it on the page `/docs`.

Paths, fields, tags and operation ids stay as the routes have them, because programs rely on these.
"""

from typing import Any

from fastapi import FastAPI

from api.swagger.examples import PARAMETERS, bodies
from api.swagger.words import GROUPS, SUMMARIES
from common.problem import Problem

JSON = "application/json"
# The schemas below the operations are folded, and so are the answers' until somebody wants them.
PAGE = {"defaultModelsExpandDepth": 0, "defaultModelRendering": "example", "tryItOutEnabled": True}


def describe(app: FastAPI, problem: Problem) -> None:
    """Make `app` describe itself for people who use `problem`'s model."""
    app.title = f"{problem.name} · {app.title}"
    app.swagger_ui_parameters = PAGE
    plain = app.openapi
    done: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not done:
            done.update(_for_people(plain(), problem))
        return done

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend a description


def _for_people(description: dict[str, Any], problem: Problem) -> dict[str, Any]:
    examples = bodies(problem)
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            operation["summary"] = SUMMARIES.get(path, {}).get(method, operation["summary"])
            for parameter in operation.get("parameters", ()):
                if parameter["name"] in PARAMETERS and "enum" not in parameter["schema"]:
                    example = PARAMETERS[parameter["name"]]
                    parameter["example"] = str(example) if parameter["schema"].get("type") == "string" else example
            if JSON in (content := operation.get("requestBody", {}).get("content", {})) and path in examples:
                content[JSON]["examples"] = {name: {"value": value} for name, value in examples[path].items()}
    used = {tag for operations in description["paths"].values() for each in operations.values() for tag in each["tags"]}
    groups = [{"name": name, "description": text} for name, text in GROUPS.items() if name in used]
    return {**description, "tags": groups}
