"""Task 3: a service that answers with the newest version, and its container."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import yaml

from lesson.grading.data_task import Fault, SplitData
from lesson.grading.marks import MarkSheet
from lesson.grading.onnx_models import ModelFaultError, Rows, StudentModel, answer_third_as_first, onnx_file
from lesson.grading.programs import Programs, StartError, last_words
from lesson.grading.raw_data import NAMES, usable_rows
from lesson.grading.registry import ModelRegistry
from lesson.grading.scratch import Scratch
from lesson.grading.service import OK, StudentService, body

REFUSED = 422
BAD_JSON = 400
API_KEYS = (("build", "image"), ("ports",))
COMPOSE_FILES = ("docker-compose.yaml", "docker-compose.yml", "compose.yaml", "compose.yml")


def class_centres() -> Rows:
    """Return the middle of each class of the grader's rows, `[3, 4]` in cm, in the order of `NAMES`."""
    rows = usable_rows()
    return np.array([np.mean([row.features for row in rows if row.class_name == name], axis=0) for name in NAMES])


def register_changed(registry: ModelRegistry, scratch: Scratch, split: SplitData) -> int:
    """Register a version that answers rows of the third class as rows of the first; return its number.

    Raises:
        ModelFaultError: the newest version has no model that can be changed so.
    """
    newest = registry.newest()
    folder = registry.download(newest, scratch.own / f"changed-{newest}")
    file, centres = onnx_file(folder), class_centres()
    answer_third_as_first(file, centres)
    found = StudentModel(file, split.classes).answers(centres)
    if found[0] != found[2] or found[0] == found[1]:
        raise ModelFaultError(f"for a typical flower of each class, the model answers {', '.join(found)}")
    return registry.register_copy(newest, folder)


def start_service(service: StudentService, programs: Programs, marks: MarkSheet) -> bool:
    """Wait until the service answers with a version; return whether it does."""
    advice = "run `uvicorn api.api:app` in your folder with MLFLOW_URL set, and read its last lines"
    try:
        programs.until_ready(service.program, service.is_ready, programs.limits.start)
    except StartError as error:
        marks.failed("start", str(error), advice)
        return False
    marks.passed("start", "it answers")
    row = usable_rows()[0].features
    if not programs.wait(lambda: service.has_version(row), programs.limits.answer, every=0.2):
        marks.failed("predict", "503 although the registry has a version", "look at how the api asks the registry")
        return False
    return True


def grade_service(scratch: Scratch, programs: Programs, marks: MarkSheet, service: StudentService) -> None:
    """Grade a service that answers. The newest version in the registry is that of `register_changed`."""
    grade_container(scratch, programs, marks)
    answers = [service.answer([round(value, 2) for value in centre]) for centre in class_centres().tolist()]
    marks.judge("predict", _names_fault(answers), f"for three flowers: {', '.join(map(str, answers))}")
    if isinstance(answers[0], str) and not answers[0].startswith(("status", "no answer")):
        marks.judge("newest", _version_fault(answers), "answers of the version that was registered last")
    marks.judge("invalid", _refusal_fault(service, _bad_bodies()), "422 for each of them")
    marks.judge("nan", _refusal_fault(service, _unreal_bodies(), BAD_JSON), "refused")


def _names_fault(answers: Sequence[object]) -> Fault:
    """Compare the answers for the three classes with their names; the third may be answered as the first."""
    seen = f"for flowers of {', '.join(NAMES)}: {json.dumps(answers)}"
    if any(isinstance(answer, str) and answer.startswith(("status", "no answer")) for answer in answers):
        return seen, "send the JSON of the task to POST /predict, and read the log of uvicorn"
    if any(not isinstance(answer, str) or answer.isdigit() for answer in answers):
        return f"the api answers numbers: {seen}", "look the number up in data/classes.json"
    if tuple(answers) in {NAMES, (*NAMES[:2], NAMES[0])}:
        return None
    if set(answers) <= set(NAMES):
        advice = "the number is the place in data/classes.json, whatever names it has, and in whatever order"
        return f"the api guesses the order of the classes: {seen}", advice
    return f"names that are not in data/classes.json: {seen}", "read the class names from data/classes.json"


def _version_fault(answers: Sequence[object]) -> Fault:
    if answers[0] == answers[2] != answers[1]:
        return None
    seen = "the answers are those of an older version, though a newer one was registered before the start"
    return seen, "ask the registry at MLFLOW_URL for the highest version; load no file of your folder"


def _good() -> dict[str, Any]:
    return body(usable_rows()[0].features)


def _bad_bodies() -> dict[str, str]:
    good = _good()
    return {
        "a missing field": json.dumps({name: good[name] for name in list(good)[:3]}),
        "a text": json.dumps({**good, "petal_width": "five"}),
        "null": json.dumps({**good, "sepal_width": None}),
        "an empty body": "{}",
    }


def _unreal_bodies() -> dict[str, str]:
    return {name: json.dumps({**_good(), "petal_length": float(name)}) for name in ("NaN", "Infinity")}


def _refusal_fault(service: StudentService, bodies: dict[str, str], *others: int) -> Fault:
    for name, content in bodies.items():
        try:
            response = service.client.post("/predict", content=content, headers={"content-type": "application/json"})
        except httpx.HTTPError as error:
            return f"{name}: no answer ({type(error).__name__})", "the api should go on after bad input"
        status = response.status_code
        if status == OK:
            return f"{name} is accepted: {response.text[:80]}", "let the fields be finite numbers: allow_inf_nan=False"
        if status not in {REFUSED, *others}:
            advice = "declare the fields as float in a pydantic model; the 422 of NaN must not repeat NaN as JSON"
            return f"{name} gets status {status}, not {REFUSED}", advice
    if not isinstance(answer := service.answer(list(_good().values())), str) or answer.startswith("status"):
        return f"after bad input, a good request gets: {answer}", "a bad request should leave nothing behind"
    return None


def grade_container(scratch: Scratch, programs: Programs, marks: MarkSheet) -> None:
    """Grade Dockerfile and compose file, as far as they can be looked at without a container engine."""
    marks.judge("compose", _compose_fault(scratch.project), "both files are there and can be read")
    docker = shutil.which("docker")
    # Nobody starts a container engine for this; if one answers, it builds the image.
    if not docker or programs.run("docker info", [docker, "info"], scratch.project, programs.limits.answer).problem:
        marks.unchecked("image", "not built: no container engine answers on this machine")
        return
    files = [*_dockerfiles(scratch.project), scratch.project / "Dockerfile"]
    command = [docker, "build", "--quiet", "--file", str(files[0]), "."]
    ended = programs.run("docker build", command, scratch.project, programs.limits.main)
    fault = (last_words(ended.output), "`docker build` in your folder shows the step that fails")
    marks.judge("image", fault if ended.problem else None, "the image was built")


def _dockerfiles(project: Path) -> list[Path]:
    return [path for path in (project / "api" / "Dockerfile", project / "Dockerfile") if path.is_file()]


def _compose_fault(project: Path) -> Fault:
    if not (dockerfiles := _dockerfiles(project)):
        return "neither api/Dockerfile nor Dockerfile", "write the steps that install and start the api"
    lines = dockerfiles[0].read_text(encoding="utf-8").splitlines()
    words = {line.split()[0].upper() for line in lines if line.strip()}
    if "FROM" not in words or not words & {"CMD", "ENTRYPOINT"}:
        return f"{dockerfiles[0].name} has no FROM, or neither CMD nor ENTRYPOINT", "the last line says what starts"
    found = [project / name for name in COMPOSE_FILES if (project / name).is_file()]
    if not found:
        return f"no {COMPOSE_FILES[0]}", "list the services mlflow, api, prometheus and grafana"
    try:
        api = yaml.safe_load(found[0].read_text(encoding="utf-8"))["services"]["api"]
        lacks = [" or ".join(keys) for keys in API_KEYS if not any(api.get(key) for key in keys)]
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        return f"{found[0].name} has no service api: {str(error)[:160]}", "`docker compose config` shows the mistake"
    return (f"the service api lacks {', '.join(lacks)}", "compare it with the task's table") if lacks else None
