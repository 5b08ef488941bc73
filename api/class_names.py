"""Class names for a model of another tool, whose file has none."""

import json

from common.bundle.model import ModelError
from common.problem import Problem
from common.settings import Settings


def class_names(problem: Problem, settings: Settings) -> list[str]:
    """Return the class names in the file CLASS_PATH, else those of the prepared data, else those of the problem.

    Raises:
        OSError: the file that CLASS_PATH names cannot be read.
        ModelError: the file is not JSON.
    """
    path = settings.class_path or settings.data_dir / "classes.json"
    if settings.class_path is None and not path.exists():
        return list(problem.target.classes)
    try:
        names: list[str] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path} is no JSON list of class names: {error}") from error
    return names
