"""The tasks of docs/lab.md: a function for each says which of its steps the state of the lab shows as done."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from common.settings import PROJECT
from common.store.suggestions import TRAIN_AT
from scripts.check_lab.lab_state import LabState

PAGE = PROJECT / "docs" / "lab.md"
Status = Literal["done", "begun", "not yet", "not seen"]
OURS = frozenset({"iris", "breast_cancer", "travel_insurance"})
OF_DRIFT = frozenset({"FeatureMeanOff", "Drift", "ManyOutliers"})  # alerts of Prometheus
DRIFT_KINDS = frozenset({"feature_mean", "drift", "outliers"})  # alerts of the monitor


@dataclass(frozen=True)
class LabStep:
    """A step of a task.

    Attributes:
        done: whether the state shows it; None if the state cannot show it.
        said: the trace, or the missing thing and the command that makes it, or the reason why nothing can be seen.
    """

    done: bool | None
    said: str


MLFLOW_IS_AWAY = LabStep(None, "versions in MLflow, which does not answer")


@dataclass(frozen=True)
class TaskReport:
    """A task with its steps."""

    number: int
    title: str
    steps: tuple[LabStep, ...]

    @property
    def status(self) -> Status:
        """`done` if no visible step is missing, `begun` if some are, `not seen` if the state can show no step."""
        visible = [each.done for each in self.steps if each.done is not None]
        if not visible:
            return "not seen"
        return "done" if all(visible) else "begun" if any(visible) else "not yet"

    @property
    def line(self) -> str:
        """The missing steps in words; of a task without, its traces and the steps that cannot be seen."""
        traces, missing, unseen = (
            "; ".join(each.said for each in self.steps if each.done is done) for done in (True, False, None)
        )
        if missing:
            return f"missing: {missing}"
        return ". ".join([*([traces] if traces else []), *([f"cannot be seen: {unseen}"] if unseen else [])])


def reports(lab: LabState) -> list[TaskReport]:
    """Return all tasks in the order of the page."""
    return [
        TaskReport(number, title, tuple(steps(lab)))
        for (number, title), steps in zip(titles().items(), TASKS, strict=True)
    ]


def titles() -> dict[int, str]:
    """Return the titles of the tasks on the page by their numbers."""
    found = re.findall(r"^## (\d+)\. (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {int(number): title for number, title in found}


def _step(done: Any, trace: str, missing: str) -> LabStep:
    return LabStep(bool(done), trace if done else missing)


def _listed(names: Iterable[object]) -> str:
    return ", ".join(map(str, names))


def _unseen(said: str) -> LabStep:
    return LabStep(None, said)


def _see_the_loop_close(lab: LabState) -> Iterator[LabStep]:
    picture = lab.project / ".demo" / "demo.png"
    yield _step(picture.is_file(), ".demo/demo.png", "`make demo` has not reached its end: no .demo/demo.png")


def _data_under_version_control(lab: LabState) -> Iterator[LabStep]:
    files = lab.files
    wrong = [f"{name} is missing" for name in files.missing] + [f"{name} has changed" for name in files.changed]
    rows = "{} and {} rows, as dvc.lock says".format(*files.rows or (0, 0))
    yield _step(not wrong, rows, f"{_listed(wrong)}: `python -m scripts.prepare`")
    yield _step(files.remote, f"the remote {files.remote}", "a remote of DVC")
    if files.remote and files.pushed is None:
        yield _unseen("whether a remote elsewhere has the files")
    elif files.remote:
        yield _step(files.pushed, "which has the files", f"the files in the remote: `dvc push` (it is {files.remote})")
    yield _unseen("the mistake in data.csv that you made and took back")


def _search_for_a_model(lab: LabState) -> Iterator[LabStep]:
    if lab.model is None:
        yield MLFLOW_IS_AWAY
        return
    trained, number = lab.model.trained, lab.model.champion
    yield _step(trained, f"versions of training: {_listed(trained)}", "a version: `make train`")
    yield _step(number, f"champion: version {number}", "the alias champion: `make train` sets it")


def _serve_it(lab: LabState) -> Iterator[LabStep]:
    yield _step(lab.store.predictions, f"{lab.store.predictions} predictions", "a prediction: `POST /predict`")
    if lab.model is None:
        yield MLFLOW_IS_AWAY
    else:
        trained = len(lab.model.trained)
        yield _step(trained > 1, f"{trained} versions of training", "a second version: `make train` once more")
    missing = "the alias champion, moved back on MLflow's page while the api runs"
    yield _step(lab.store.taken_back_by_hand, "the alias was moved back", missing)


def _correct_it(lab: LabState) -> Iterator[LabStep]:
    sent, learnt = lab.store.corrections, lab.store.learnt
    missing = f"a version that has learnt corrections: {sent} of at least {TRAIN_AT} are sent"
    if sent >= TRAIN_AT:
        missing = f"a version that has learnt corrections: {sent} are sent; ask `GET /suggest/ID` for their states"
    yield _step(learnt, f"versions that have learnt corrections: {_listed(learnt)}", missing)


def _send_the_ground_truth(lab: LabState) -> Iterator[LabStep]:
    truths, outliers = lab.store.truths, lab.store.outliers
    yield _step(truths, f"{truths} ground truths", "a ground truth: `POST /feedback`")
    yield _step(outliers, f"{outliers} outliers", "traffic with outliers: `python -m scripts.traffic --outliers 0.05`")


def _challenger_in_the_shadow(lab: LabState) -> Iterator[LabStep]:
    store = lab.store
    yield _step(
        store.shadows, f"{store.shadows} answers of challengers", "a challenger: `POST /models/NUMBER/challenge`"
    )
    missing = "ground truths of rows that a challenger has answered: `python -m scripts.traffic`"
    yield _step(store.shadow_truths, f"{store.shadow_truths} with their ground truth", missing)
    yield _step(store.moved("promoted"), "a promotion", "a promotion: `POST /models/NUMBER/promote`")
    yield _step(store.moved("rolled back"), "a rollback", "a rollback: `POST /models/NUMBER/rollback`")
    if store.replayed:
        yield _step(done=True, trace="a replay on the page", missing="")
    else:
        yield _unseen("a replay by the command; one on the page leaves a trace")


def _watch_it(lab: LabState) -> Iterator[LabStep]:
    watched = (lab.settings.state_dir / "prometheus" / "prometheus.yml").is_file()
    yield _step(watched, "`make watch` has run", "Prometheus: `make watch`")
    kinds = sorted(DRIFT_KINDS & lab.store.alerts.keys())
    missing = "an alert of the monitor about drift: `python -m scripts.traffic --seconds 900 --drift petal_width=1`"
    yield _step(kinds, f"the monitor's alerts {_listed(kinds)}", missing)
    if lab.fired is None:
        yield _unseen("alerts of Prometheus, which does not answer")
    else:
        fired = sorted(OF_DRIFT & lab.fired)
        yield _step(fired, f"Prometheus' {_listed(fired)}", "an alert of Prometheus: ten minutes of drift")


def _in_containers(_: LabState) -> Iterator[LabStep]:
    yield _unseen("containers keep their state in volumes of their own")


def _another_problem(lab: LabState) -> Iterator[LabStep]:
    yield _step("breast_cancer" in lab.used, "predictions of breast_cancer", "traffic with PROBLEM=breast_cancer")
    if lab.models is None:
        yield MLFLOW_IS_AWAY
    else:
        both = lab.models.get("breast_cancer")
        missing = "its champion and challenger: `PROBLEM=breast_cancer make train`"
        yield _step(both and both.champion and both.challenger, "its champion and challenger", missing)
        later = lab.models.get("travel_insurance")
        learnt = later and any("later_md5" in each.tags for each in later.versions)
        missing = "a version with later rows: `PROBLEM=travel_insurance python -m finetune.later`"
        yield _step(learnt, "a version of travel_insurance with later rows", missing)
    own = sorted(lab.used - OURS)
    yield _step(own, f"predictions of {_listed(own)}", "predictions of a problem of your own (your-problem.md)")


def _on_a_cluster(_: LabState) -> Iterator[LabStep]:
    yield _unseen("a search on a cluster registers the same version as one without")


def _break_it(lab: LabState) -> Iterator[LabStep]:
    refused, taken_back = lab.store.verdicts.get("refused"), lab.store.rolled_back
    yield _step(refused, f"verdicts `refused`: {refused}", "a refused version (GATE=threshold, shuffled test.csv)")
    missing = "quarantined corrections of a version that you took back"
    yield _step(taken_back, f"corrections of a version that was taken back: {taken_back}", missing)
    if lab.model is None:
        yield MLFLOW_IS_AWAY
    else:
        bad = [each.number for each in lab.model.versions if "serving_refused" in each.tags]
        yield _step(bad, f"versions that do not serve: {_listed(bad)}", "a registered file that is no model")
    yield _unseen("killed processes: they leave nothing behind")


def _be_the_liar(lab: LabState) -> Iterator[LabStep]:
    stopped, reviewed = lab.store.stopped, lab.store.reviewed
    for rule, lie in (("improbable", "the flip"), ("outlier", "far out"), ("contradiction", "the contradiction")):
        yield _step(stopped.get(rule), f"{lie} ({rule})", f"{lie} (rule {rule})")
    yield _step(lab.store.known, "the repetition (known)", "the repetition (rule known)")
    for decision in ("rejected", "approved"):
        yield _step(reviewed.get(decision), f"a correction that you {decision}", f"a correction that you {decision}")
    yield _unseen("the same lies with VETTING=off GATE=threshold")


def _take_it_back(lab: LabState) -> Iterator[LabStep]:
    number, erasures = lab.store.rebuilt, lab.store.erasures
    missing = "a withdrawn correction that a version had learnt: `POST /corrections/ID/withdraw`"
    yield _step(number, f"version {number} serves without a withdrawn correction", missing)
    yield _step(erasures, f"erased predictions: {erasures}", "an erased prediction: `DELETE /predictions/ID`")


def _clean_up(lab: LabState) -> Iterator[LabStep]:
    home = lab.settings.lab_home
    left = {".lab": home / ".lab", ".demo": lab.project / ".demo", "data/lab.db": home / "data" / "lab.db"}
    names = [name for name, path in left.items() if path.exists()]
    if names:
        yield _step(done=False, trace="", missing=f"`make clean`: {_listed(names)} is there")
    else:
        yield _unseen("nothing is left, as in a lab in which nobody has begun")


TASKS: tuple[Callable[[LabState], Iterator[LabStep]], ...] = (
    _see_the_loop_close,
    _data_under_version_control,
    _search_for_a_model,
    _serve_it,
    _correct_it,
    _send_the_ground_truth,
    _challenger_in_the_shadow,
    _watch_it,
    _in_containers,
    _another_problem,
    _on_a_cluster,
    _break_it,
    _be_the_liar,
    _take_it_back,
    _clean_up,
)
