"""Task 2: a grid of models, their runs, and the best of them in the registry."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lesson.grading.data_task import Fault, SplitData
from lesson.grading.limits import RIGHT, RUNS
from lesson.grading.marks import MarkSheet
from lesson.grading.onnx_models import ModelFaultError, StudentModel, onnx_file
from lesson.grading.programs import Programs
from lesson.grading.registry import NAME, ModelRegistry
from lesson.grading.scratch import Scratch

SMALLER_IS_BETTER = ("loss", "error", "rmse", "mse", "mae")
TOLERANCE = 1e-9


def run_main(scratch: Scratch, programs: Programs) -> str:
    """Run the student's search; return what is wrong with how it ended."""
    command = [str(scratch.python), "main.py"]
    return programs.run("python main.py", command, scratch.project, programs.limits.main).problem


def grade_training(
    scratch: Scratch, programs: Programs, marks: MarkSheet, registry: ModelRegistry, split: SplitData
) -> None:
    """Grade task 2. The registry's newest version is then the student's."""
    before = registry.newest()
    problem = run_main(scratch, programs)
    advice = "run `python main.py` in your folder with MLFLOW_URL set, and read its last lines"
    marks.judge("main", (problem, advice) if problem else None, "ended with code 0")
    runs = registry.runs()
    metrics = _validation_metrics(runs)
    newest = registry.newest()
    for key, missing, seen in (
        ("runs", _runs_fault(runs, scratch), f"{len(runs)} runs with {len(_different(runs))} sets of parameters"),
        ("metric", _metric_fault(runs, metrics), ", ".join(metrics)),
        ("registered", _registered_fault(registry, before), f"version {newest - before} of {NAME}"),
    ):
        if not (problem and missing):  # a program that fails does not come as far as this
            marks.judge(key, missing, seen)
    if newest == before:
        return
    if metrics:
        marks.judge("winner", _winner_fault(registry, runs, metrics), "the version comes from the best run")
    try:
        model = StudentModel(onnx_file(registry.download(newest, scratch.own / "trained")), split.classes)
    except ModelFaultError as error:
        marks.failed("input", str(error), "register what `mlflow.onnx.log_model` has logged")
        return
    fault = model.input_fault()
    advice = "export with FloatTensorType([None, 4]), and learn from float32; the first size has to be free"
    marks.judge("input", (fault, advice) if fault else None, "float32 [n, 4]")
    marks.judge("model", _model_fault(model, split), "it answers test.csv with the right classes")


def _different(runs: Sequence[Any]) -> set[tuple[tuple[str, str], ...]]:
    return {tuple(sorted(run.data.params.items())) for run in runs if run.data.params}


def _runs_fault(runs: Sequence[Any], scratch: Scratch) -> Fault:
    if not runs:
        local = [name for name in ("mlruns", "mlflow.db") if (scratch.project / name).exists()]
        seen = f"the runs went to {local[0]}, and not to MLFLOW_URL" if local else "main.py logs no run"
        return seen, "mlflow.set_tracking_uri(…) with MLFLOW_URL, then a run for each candidate"
    if not any(run.data.params for run in runs):
        return f"{len(runs)} runs without parameters", "mlflow.log_params(…) in each run of the grid"
    if (count := len(_different(runs))) < RUNS:
        seen = f"{len(runs)} run(s) with {count} set(s) of parameters"
        return seen, f"a run of its own for each candidate, at least {RUNS}, each with its parameters"
    return None


def _validation_metrics(runs: Sequence[Any]) -> list[str]:
    """Return the metrics by which a winner can be chosen: those that at least four runs have in common."""
    finished = [run for run in runs if run.data.metrics]
    counts = {name: sum(name in run.data.metrics for run in finished) for run in finished for name in run.data.metrics}
    common = sorted(name for name, count in counts.items() if count >= RUNS)
    return [name for name in common if "val" in name.lower()] or common


def _metric_fault(runs: Sequence[Any], metrics: Sequence[str]) -> Fault:
    if metrics:
        return None
    seen = "the runs have no metrics" if not any(run.data.metrics for run in runs) else f"no metric is in {RUNS} runs"
    return seen, 'mlflow.log_metric("val_accuracy", …) in each run of the grid'


def _registered_fault(registry: ModelRegistry, before: int) -> Fault:
    if registry.newest() > before:
        return None
    others = [name for name in registry.names() if name != NAME]
    seen = f"no version of {NAME}, but of {', '.join(others)}" if others else f"no version of {NAME}"
    return seen, f'mlflow.register_model(…, "{NAME}"): the name counts, letter by letter'


def _winner_fault(registry: ModelRegistry, runs: Sequence[Any], metrics: Sequence[str]) -> Fault:
    version = registry.versions()[-1]
    source = next((run for run in runs if run.info.run_id == version.run_id), None)
    if source is None:
        return "the version has no run", "log and register the winner within its run"
    seen = []
    for name in metrics:
        better = _better(name)
        best = better(run.data.metrics[name] for run in runs if name in run.data.metrics)
        value = _value(source, runs, name)
        if value is not None and abs(value - best) <= TOLERANCE:
            return None
        seen.append(f"{name} {'missing' if value is None else f'{value:.4f}'}, the best run has {best:.4f}")
    return (
        f"the registered run is not the winner: {'; '.join(seen)}",
        "register the run with the best validation metric",
    )


def _better(metric: str) -> Callable[[Any], float]:
    return min if any(word in metric.lower() for word in SMALLER_IS_BETTER) else max


def _value(source: Any, runs: Sequence[Any], metric: str) -> float | None:
    """Return the metric of a run; of a run without it, that of the run with the same parameters."""
    same = [run for run in runs if run.data.params and run.data.params.items() <= source.data.params.items()]
    return next((float(run.data.metrics[metric]) for run in [source, *same] if metric in run.data.metrics), None)


def _model_fault(model: StudentModel, split: SplitData) -> Fault:
    rows = np.array([row.features for row in split.test])
    advice = "the model's numbers are places in classes.json; compare the exported file with your model on test.csv"
    try:
        right = model.accuracy(rows, [row.class_name for row in split.test])
    except ModelFaultError as error:
        return str(error), advice
    return None if right >= RIGHT else (f"{right:.0%} of test.csv is right", advice)


def kept_model(registry: ModelRegistry, number: int, folder: Path, classes: Sequence[str]) -> StudentModel:
    """Return a registered version, whose files are then in a new folder.

    Raises:
        ModelFaultError: it has no ONNX file that can be loaded.
    """
    return StudentModel(onnx_file(registry.download(number, folder)), classes)
