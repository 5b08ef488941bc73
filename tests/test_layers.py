"""The layout of the code: `TOWER` is the rule, `RING_1` names what can be deleted, and the tests hold both."""

import ast
import io
import tokenize
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from common.settings import PROJECT

# The rooms of the lab. A file imports rooms that stand further down, of its own part or of `problems` and `common`.
TOWER = (
    "main",
    "api.serve",
    "api.workers",
    "api.api",
    "trust.http",
    "api.fastpath",
    "api.protocols",
    "api.probation",
    "api.promotion",
    "api.challenger",
    "api.lost_runs",
    "api.log_sampling",
    "api.version_check",
    "api.label_queue",
    "api.unseen_categories",
    "api.swagger",
    "api.metadata",
    "api.live_statistics",
    "api.spool",
    "api.draining",
    "api.routes",
    "api.corrections",
    "api.inference",
    "api.class_names",
    "api.disk_copy",
    "api.model",
    "api.guards",
    "api.named_keys",
    "api.http",
    "api.metrics",
    "api.schemas",
    "deploy",
    "finetune.finetune",
    "trust.withdrawal",
    "finetune.later",
    "finetune.serve",
    "finetune.forks",
    "finetune.form",
    "finetune.picture",
    "finetune.versions",
    "finetune.gate",
    "finetune.evidence",
    "finetune.train",
    "finetune.candidates",
    "finetune.append",
    "training.batches",
    "training.progress",
    "training.executors",
    "training.cluster",
    "training.search",
    "training.picture",
    "training.fitting",
    "monitor.serve",
    "monitor.monitor",
    "monitor.external_log",
    "monitor.replaying",
    "monitor.exporting_days",
    "monitor.erase_exported",
    "monitor.past_drift",
    "monitor.log_in",
    "monitor.page",
    "monitor.metrics",
    "monitor.mlflow_export",
    "monitor.jobs",
    "monitor.storage",
    "monitor.follow_registry",
    "monitor.statistics",
    "grafana",
    "scripts",
    "preprocess",
    "trust.replay",
    "trust.lineage",
    "trust.vetting",
    "problems",
    "common.columns",
    "common.exported_days",
    "common.store",
    "common.connections",
    "common.browsers",
    "common.keys",
    "common.registry",
    "common.disk_space",
    "common.signing",
    "common.bundle",
    "common.judgement",
    "common.evaluate",
    "common.confusion",
    "common.table",
    "common.table_hints",
    "common.split",
    "common.named_rows",
    "common.precision",
    "common.problem",
    "common.faults",
    "common.refit",
    "common.rows",
    "common.features",
    "common.settings",
    "common.room_settings",
    "common.setting_types",
    "common.background",
    "common.files",
    "common.lean_httpx",
    "common.error_document",
    "common.csv_cells",
)
# Rooms of other parts that a file may import, beside `problems` and `common`.
ACROSS = {
    "main": ("training",),
    "api": ("trust",),
    "finetune": ("trust",),
    "monitor": ("trust",),
    "deploy": ("finetune",),
    "scripts": ("trust", "preprocess"),
    "trust": ("api", "finetune"),
}

# Ring 1: each can be deleted, with the lines of `WIRING` that end in `# room: …`, and the loop still closes on iris.
RING_1 = (
    "api/challenger",
    "api/class_names.py",
    "api/disk_copy.py",
    "api/draining",
    "api/fastpath",
    "api/guards",
    "api/label_queue",
    "api/live_statistics",
    "api/log_sampling",
    "api/lost_runs",
    "api/metadata",
    "api/metrics/http.py",
    "api/named_keys",
    "api/probation",
    "api/promotion",
    "api/protocols",
    "api/unseen_categories.py",
    "api/spool",
    "api/swagger",
    "api/version_check",
    "api/workers",
    "common/browsers",
    "common/bundle/column_steps.py",
    "common/bundle/foreign_outputs.py",
    "common/bundle/lightgbm_trees.py",
    "common/bundle/reference.py",
    "common/columns.py",
    "common/connections",
    "common/csv_cells.py",
    "common/disk_space.py",
    "common/evaluate.py",
    "common/exported_days.py",
    "common/faults.py",
    "common/judgement/betting.py",
    "common/keys",
    "common/judgement/settle.py",
    "common/judgement/world.py",
    "common/precision.py",
    "common/room_settings",
    "common/signing",
    "common/store/audit.py",
    "common/store/bulk_insert.py",
    "common/store/grants.py",
    "common/store/known_rows.py",
    "common/store/late_store.py",
    "common/store/migrations",
    "common/store/monitoring",
    "common/store/postgresql.py",
    "common/store/process_lock.py",
    "common/store/retention",
    "common/store/statistics.py",
    "common/store/timeline",
    "common/store/trials.py",
    "common/store/trust",
    "common/table_hints.py",
    "deploy",
    "finetune/forks.py",
    "finetune/form.py",
    "finetune/later.py",
    "finetune/picture.py",
    "grafana",
    "lesson",
    "monitor",
    "problems/breast_cancer.py",
    "problems/travel_insurance.py",
    "prometheus",
    "training/batches.py",
    "training/cluster.py",
    "training/executors.py",
    "training/picture.py",
    "training/progress.py",
    "trust",
)
# Ring 0, the loop: everything in here that is not in ring 1.
LOOP = ("main.py", "preprocess.py", "problems", "common", "training", "finetune", "api", "trust")
WIRING = (
    "api/api.py",
    "api/routes/dependencies.py",
    "api/serve.py",
    "common/bundle/converters.py",
    "common/bundle/export.py",
    "common/bundle/model.py",
    "common/registry/publish.py",
    "common/bundle/parity.py",
    "common/judgement/gate.py",
    "common/problem.py",
    "common/settings.py",
    "common/store/__init__.py",
    "common/table.py",
    "finetune/finetune.py",
    "finetune/serve.py",
    "main.py",
    "preprocess.py",
)

# A student's project has an `api` and a `main` of its own, and the lesson's grader may not take the lab's for them.
LESSON_PROJECTS = ("lesson/project", "lesson/solution")

LOOP_LINES = 4_500
FILE_LINES = 250
CORE = (*LOOP, "monitor", "grafana", "deploy", "scripts")


def files(*places: str) -> list[Path]:
    """Return the Python files of these places, by their paths in the project."""
    found = [
        file
        for place in places
        for file in ((PROJECT / place).rglob("*.py") if not place.endswith(".py") else [PROJECT / place])
    ]
    return sorted(file.relative_to(PROJECT) for file in found)


def in_room(file: Path) -> str:
    """Return the room of ring 1 that a file is in; an empty text for a file of ring 0."""
    return next((place for place in RING_1 if file == Path(place) or Path(place) in file.parents), "")


def in_ring_1(file: Path) -> bool:
    return bool(in_room(file))


def module(file: Path) -> str:
    return ".".join(file.with_suffix("").parts).removesuffix(".__init__")


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse((PROJECT / file).read_text(encoding="utf-8"))


@cache
def modules() -> dict[str, Path]:
    return {module(file): file for file in files(*CORE)}


def imported_names(file: Path) -> set[str]:
    """Return the modules that a file imports, at its top, in functions, or for types only."""
    names: set[str] = set()
    for node in ast.walk(tree(file)):
        match node:
            case ast.Import(names=found):
                names |= {each.name for each in found}
            case ast.ImportFrom(module=str(package), names=found):
                names |= {name if (name := f"{package}.{each.name}") in modules() else package for each in found}
            case _:
                pass
    return names


def imports(file: Path) -> set[Path]:
    """Return the files of the core that a file imports."""
    return {modules()[name] for name in imported_names(file) if name in modules()} - {file}


def edges() -> Iterator[tuple[Path, Path]]:
    return ((file, imported) for file in modules().values() for imported in sorted(imports(file)))


def room(file: Path) -> str:
    """Return the room of `TOWER` that a file is in; a package's `__init__.py` that has no room is in its part's."""
    name = module(file)
    [found] = [each for each in TOWER if name == each or name.startswith(f"{each}.")] or [""]
    return found


def part(name: str) -> str:
    return name.partition(".")[0]


def points_down(file: Path, imported: Path) -> bool:
    if (here := room(file)) == (there := room(imported)):
        return True
    allowed = (part(here), *ACROSS.get(part(here), ()), "problems", "common")
    return TOWER.index(here) < TOWER.index(there) and part(there) in allowed


def code_lines(file: Path) -> int:
    """Return the number of lines with code: no blank lines, comments, docstrings, and no wiring of rooms."""
    left_out: set[int] = set()
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node
        ):
            left_out |= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO((PROJECT / file).read_text(encoding="utf-8")).readline):
        if token.type in {tokenize.NAME, tokenize.OP, tokenize.NUMBER, tokenize.STRING}:
            lines |= set(range(token.start[0], token.end[0] + 1))
        elif token.type == tokenize.COMMENT and token.string.startswith("# room: "):
            left_out.add(token.start[0])
    return len(lines - left_out)


def test_every_file_has_a_room() -> None:
    assert [str(file) for file in files(*CORE) if not room(file) and imports(file)] == []


def test_every_import_points_down_the_tower() -> None:
    assert [f"{file} -> {imported}" for file, imported in edges() if not points_down(file, imported)] == []


def test_no_files_import_each_other_in_a_circle() -> None:
    graph = TopologicalSorter({file: imports(file) for file in modules().values()})
    try:
        graph.prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(map(str, error.args[1])))


def test_the_loop_imports_nothing_that_can_be_deleted_but_where_it_is_wired() -> None:
    loop = [file for file in files(*LOOP) if not in_ring_1(file) and str(file) not in WIRING]
    assert [f"{file} -> {each}" for file in loop for each in sorted(imports(file)) if in_ring_1(each)] == []


def test_the_lesson_imports_nothing_of_the_lab() -> None:
    lab = {part(name) for name in modules()} | {"benchmarks", "tests"}
    own = [file for file in files("lesson") if not any(Path(place) in file.parents for place in LESSON_PROJECTS)]
    named = {(file, part(name)) for file in own for name in imported_names(file)}
    assert {name for _, name in named} & {"lesson", "argparse"} == {"lesson", "argparse"}
    assert sorted(f"{file} -> {name}" for file, name in named if name in lab) == []


def test_the_loop_can_be_read_in_two_evenings() -> None:
    assert sum(code_lines(file) for file in files(*LOOP) if not in_ring_1(file)) <= LOOP_LINES


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    lengths = {
        str(file): len((PROJECT / file).read_text(encoding="utf-8").splitlines()) for file in files(*CORE, "lesson")
    }
    assert {file: lines for file, lines in lengths.items() if lines > FILE_LINES} == {}


def test_a_class_has_its_name_for_itself() -> None:
    names = Counter(
        node.name
        for file in files(*CORE)
        for node in ast.walk(tree(file))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert [name for name, count in names.items() if count > 1] == []
