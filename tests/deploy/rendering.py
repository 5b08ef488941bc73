"""The manifests as kubectl renders them."""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from typing import Any, NoReturn

import pytest
import yaml

from common.settings import PROJECT

Manifest = dict[str, Any]
DEPLOY = PROJECT / "deploy"


@cache
def rendered(folder: str) -> list[Manifest]:
    """Return the objects of a folder of `deploy/`."""
    program = shutil.which("kubectl") or _missing("kubectl")
    ended = subprocess.run(
        [program, "kustomize", str(DEPLOY / folder)], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return [each for each in yaml.safe_load_all(ended.stdout) if each]


def schemas() -> Callable[..., Any]:
    """Return the function that compares an object with the schema of its kind in a version of Kubernetes."""
    if not importlib.util.find_spec("kubernetes_validate"):
        _missing("kubernetes-validate")
    validate: Callable[..., Any] = importlib.import_module("kubernetes_validate").validate
    return validate


def _missing(what: str) -> NoReturn:
    """Fail in CI, and skip elsewhere."""
    message = f"{what} is missing: `make install` brings it"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
