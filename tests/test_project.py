"""Rules of the whole project: its pins, its problems, and that importing it does nothing."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

from common.problem import Category, Number, get_problem
from common.settings import PROJECT
from scripts.demo_copy import copy_project
from tests.programs import run_python
from tests.test_containers import locked_packages, pinned

# A student's project is no part of the lab: it names the packages, and its image takes what is newest.
REQUIREMENTS = sorted(
    path
    for pattern in ("requirements/*.txt", "[a-z]*/**/requirements.txt")
    for path in PROJECT.glob(pattern)
    if not path.is_relative_to(PROJECT / "lesson")
)
PARTS = ("common", "problems", "api", "finetune", "monitor", "training", "deploy", "scripts")
HEAVY = (
    "mlflow", "sklearn", "pandas", "skl2onnx", "onnx", "matplotlib", "prefect", "scipy", "evidently", "rich",
    "pygments",
)  # fmt: skip

# Imports the modules named on the command line, and fails at the first attempt to reach somebody.
IMPORT = """
import importlib, sys


def refuse(event, arguments):
    if event == "socket.connect":
        raise AssertionError(f"importing connects to {arguments[1]}")


sys.addaudithook(refuse)
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def modules() -> list[str]:
    """Return the names of all modules of the project that are no tests."""
    files = [*PROJECT.glob("*.py"), *(path for part in PARTS for path in (PROJECT / part).rglob("*.py"))]
    names = [".".join(path.relative_to(PROJECT).with_suffix("").parts) for path in files]
    return sorted(name.removesuffix(".__init__") for name in names)


def problems() -> list[str]:
    return sorted(path.stem for path in (PROJECT / "problems").glob("[!_]*.py"))


def written(folder: Path) -> dict[Path, int]:
    """Return when each file below `folder` was written last."""
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*") if not path.is_dir()}


def read_toml(name: str) -> dict[str, Any]:
    return tomllib.loads((PROJECT / name).read_text(encoding="utf-8"))


def read_yaml(name: str) -> Any:
    return YAML(typ="safe").load(PROJECT / name)


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_every_requirement_is_pinned_to_a_locked_version_with_its_hashes(path: Path) -> None:
    logical = path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    given = pinned(path)
    assert len(given) == len([line for line in logical if line.strip() and not line.startswith("#")]) > 0
    packages = [package for listed in locked_packages().values() for package in listed]
    locked = {(each["name"], each["version"]): {file["hash"] for file in each["files"]} for each in packages}
    assert [name for name, version, found in given if not found or found - locked.get((name, version), set())] == []


def test_every_direct_dependency_is_locked_in_a_version_that_its_range_allows() -> None:
    locked = {package["name"]: package["version"] for package in read_toml("poetry.lock")["package"]}
    pyproject = read_toml("pyproject.toml")
    groups = [pyproject["project"]["dependencies"], *pyproject["dependency-groups"].values()]
    direct = [Requirement(line) for group in groups for line in group if isinstance(line, str)]
    assert len(direct) > 20
    allowed = {r.name: (locked.get(canonicalize_name(r.name), "none"), r.specifier) for r in direct}
    assert [name for name, (version, given) in allowed.items() if version == "none" or version not in given] == []


def test_the_pipeline_runs_problems_that_there_are() -> None:
    chosen = read_yaml("params.yaml")["problems"]
    assert "iris" in chosen
    assert set(chosen) <= set(problems())
    assert len(chosen) == len(set(chosen))
    assert read_yaml("dvc.yaml")["stages"]["preprocess"]["matrix"] == {"problem": "${problems}"}


def test_the_pipeline_depends_on_files_that_there_are() -> None:
    stage = read_yaml("dvc.yaml")["stages"]["preprocess"]
    scripts = [dep for dep in stage["deps"] if dep.endswith(".py")]
    assert scripts
    for name in read_yaml("params.yaml")["problems"]:
        assert [s for s in scripts if not (PROJECT / s.replace("${item.problem}", name)).is_file()] == []
        assert (PROJECT / "data" / name / "data.csv.dvc").is_file()


@pytest.mark.parametrize("name", problems())
def test_every_problem_loads_and_is_whole(name: str) -> None:
    problem = get_problem(name)
    assert problem.name == name
    assert len(set(problem.columns)) == len(problem.columns) > 0
    assert len(set(problem.target.classes)) == len(problem.target.classes) > 1
    assert problem.target.name not in problem.columns
    assert all(feature.description for feature in problem.features)
    assert [f.name for f in problem.features if isinstance(f, Number) and not f.minimum <= f.example <= f.maximum] == []
    assert [f.name for f in problem.features if isinstance(f, Category) and f.example not in f.categories] == []
    parameters = [tuple(candidate.params.items()) for candidate in problem.candidates()]
    assert len(set(parameters)) == len(parameters) > 0


def test_importing_everything_writes_nothing_reads_no_settings_and_asks_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    copy_project(folder)
    # A module that loads the settings at import fails with this file.
    (folder / ".env").write_text("NO_SUCH_KEY=1\n", encoding="utf-8")
    before = written(folder)
    ended = run_python("-B", "-c", IMPORT, *modules(), folder=folder)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert written(folder) == before
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("module", ["api.api", "common.store", "common.bundle.model", "common.table", "problems.iris"])
def test_a_service_imports_no_heavy_package(module: str) -> None:
    ended = run_python("-B", "-c", f"import sys, {module}; print(*sys.modules)")
    assert ended.returncode == 0, ended.stderr
    loaded = {name.partition(".")[0] for name in ended.stdout.split()}
    assert module.partition(".")[0] in loaded
    assert loaded & set(HEAVY) == set()


def test_only_the_settings_read_the_environment() -> None:
    reading = [
        module
        for module in modules()
        if (path := PROJECT / f"{module.replace('.', '/')}.py").is_file()
        and re.search(
            r"os\.getenv|os\.environ\.get|os\.environ\[[^]]*\](?! = )|load_dotenv", path.read_text(encoding="utf-8")
        )
    ]
    assert reading == []
