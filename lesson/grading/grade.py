"""A grading from its beginning to its end: which task needs which servers, in which order."""

import sys
import traceback
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from lesson.grading import pictures
from lesson.grading.corrections import Learning
from lesson.grading.criteria import DATA, HOUSE, LEARNING, SERVICE, TRAINING, WATCHING
from lesson.grading.data_task import SplitData, grade_data, prepare_data
from lesson.grading.learning_task import grade_following, grade_learning
from lesson.grading.limits import TimeLimits
from lesson.grading.marks import MarkSheet
from lesson.grading.onnx_models import ModelFaultError
from lesson.grading.pictures import HandIn
from lesson.grading.prefect_server import FlowServer, prefect_address, prefect_server
from lesson.grading.programs import OutOfTimeError, Programs, StartError
from lesson.grading.registry import ModelRegistry, mlflow_server
from lesson.grading.scratch import Scratch, scratch_copy
from lesson.grading.service import StudentService, student_service
from lesson.grading.service_task import grade_service, register_changed, start_service
from lesson.grading.training_task import grade_training, run_main
from lesson.grading.watching_task import grade_counter, grade_dashboards, watched

ALL = (DATA, TRAINING, SERVICE, WATCHING, LEARNING)
FLOW = "finetune.py"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Conditions:
    """The limits of a grading; and servers and results of earlier ones, which save time when many projects are graded.

    `mlflow` and `prefect` are addresses of servers that run already. `prepared` is a folder with data.csv and the files
    of task 1, for the tasks behind it. `trained` says that the registry has a version for the tasks behind task 2.
    """

    limits: TimeLimits = field(default_factory=TimeLimits)
    mlflow: str = ""
    prefect: str = ""
    prepared: Path | None = None
    trained: bool = False


@dataclass
class Grading:
    """One grading: the scratch copy, its programs, and the marks so far."""

    scratch: Scratch
    programs: Programs
    marks: MarkSheet
    papers: HandIn
    given: Conditions
    say: Say
    mlflow: str = ""
    prefect: str = field(default_factory=prefect_address)

    def run(self, stack: ExitStack) -> None:
        """Grade the tasks of the sheet; servers stop with the stack."""
        tasks = self.marks.tasks
        split = self._data(tasks)
        if split is None or not tasks & {TRAINING, SERVICE, WATCHING, LEARNING}:
            return
        self.say("start MLflow")
        self.mlflow = self.given.mlflow or stack.enter_context(
            mlflow_server(self.programs, self.scratch, sys.executable)
        )
        registry = ModelRegistry(self.mlflow)
        self._training(tasks, registry, split)
        if not tasks & {SERVICE, WATCHING, LEARNING} or not registry.newest():
            return
        try:
            register_changed(registry, self.scratch, split)
        except ModelFaultError as error:
            self.marks.failed(
                "newest", str(error), "see the rows of task 2: the registered model does not answer as it should"
            )
            return
        self.say("start the api")
        if self.given.prefect:
            self.prefect = self.given.prefect
        service = stack.enter_context(student_service(self.scratch, self.programs, self.mlflow, self.prefect))
        if start_service(service, self.programs, self.marks):
            self._service(tasks, registry, split, service, stack)

    def _data(self, tasks: Collection[int]) -> SplitData | None:
        if DATA in tasks:
            self.say("task 1: dvc repro")
            return grade_data(self.scratch, self.programs, self.marks)
        try:
            return prepare_data(self.scratch, self.programs, self.given.prepared)
        except (ValueError, OSError) as error:
            self._stop(f"task 1 has to work first: {error}")
            return None

    def _training(self, tasks: Collection[int], registry: ModelRegistry, split: SplitData) -> None:
        environment = self.programs.environment
        self.programs.environment = {**environment, "MLFLOW_URL": self.mlflow}
        if TRAINING in tasks:
            self.say("task 2: python main.py")
            grade_training(self.scratch, self.programs, self.marks, registry, split)
            self.papers.take(pictures.RUNS, f"{self.mlflow}/#/experiments/{_experiment(registry)}/runs")
            self.papers.take(pictures.REGISTRY, f"{self.mlflow}/#/models/IrisModel")
        elif not self.given.trained and (problem := run_main(self.scratch, self.programs)):
            self._stop(f"task 2 has to work first: {problem}")

    def _stop(self, reason: str) -> None:
        _stop_early(self.marks, self.say, reason)

    def _service(
        self,
        tasks: Collection[int],
        registry: ModelRegistry,
        split: SplitData,
        service: StudentService,
        stack: ExitStack,
    ) -> None:
        if SERVICE in tasks:
            self.say("task 3: ask the api")
            grade_service(self.scratch, self.programs, self.marks, service)
            self.papers.take(pictures.DOCS, f"http://127.0.0.1:{service.port}/docs")
        if WATCHING in tasks:
            self.say("task 4: count and watch")
            grade_counter(self.marks, service)
            with watched(self.scratch, self.programs, self.marks, service) as prometheus:
                if prometheus:
                    grade_dashboards(self.scratch, self.programs, self.marks, service, prometheus)
                    self.papers.take(pictures.TARGETS, f"{prometheus.address}/graph?g0.expr=up&g0.tab=1")
                    graph = f"{prometheus.address}/graph?g0.expr=predictions_total&g0.tab=0&g0.range_input=1m"
                    self.papers.take(pictures.GRAPH, graph)
        if LEARNING in tasks:
            self._learning(registry, split, service, stack)

    def _learning(self, registry: ModelRegistry, split: SplitData, service: StudentService, stack: ExitStack) -> None:
        if not (self.scratch.project / FLOW).is_file():
            self.marks.skip_task(LEARNING, f"not done: there is no {FLOW}")
            return
        self.say("task 5: follow the registry, learn five corrections")
        grade_following(self.programs, self.marks, registry, service)
        if not self.given.prefect:
            stack.enter_context(prefect_server(self.programs, self.scratch, sys.executable, self.prefect))
        flows = FlowServer(self.prefect)
        flows.clear()
        command = [str(self.scratch.python), FLOW]
        environment = {
            "MLFLOW_URL": self.mlflow,
            "PREFECT_API_URL": self.prefect,
            "PREFECT_RUNNER_POLL_FREQUENCY": "1",
            "PREFECT_LOGGING_TO_API_ENABLED": "false",
        }
        with self.programs.background(FLOW, command, self.scratch.project, environment) as worker:
            try:
                self.programs.until_ready(worker, lambda: bool(flows.deployments()), self.programs.limits.start)
            except StartError as error:
                self.marks.failed("served", str(error), "`python finetune.py` with PREFECT_API_URL: flow.serve(…)")
                return
            self.marks.passed("served", ", ".join(flows.deployments()))
            grade_learning(Learning(self.scratch, self.programs, self.marks, registry, flows, service, split))
            self.papers.take(pictures.FLOWS, f"{self.prefect.removesuffix('/api')}/runs")


def grade(
    project: Path,
    tasks: Collection[int] = ALL,
    *,
    given: Conditions | None = None,
    pictures_in: Path | None = None,
    say: Say = lambda _: None,
) -> tuple[MarkSheet, HandIn]:
    """Grade a student's project in a scratch copy; end everything that was started, and delete the copy.

    Args:
        project: The student's folder; it is read only.
        tasks: The numbers of the tasks that are graded.
        given: Limits, servers and results; without it, generous limits, and everything is started.
        pictures_in: The folder for the pictures of the hand-in list; no pictures without one.
        say: Gets a line when a step begins.

    Raises:
        ProjectError: the folder cannot be graded.
    """
    marks, given = MarkSheet({HOUSE, *tasks}), given or Conditions()
    with pictures.hand_in(pictures_in) as papers, scratch_copy(project) as scratch:
        programs = Programs(scratch.environment(), scratch.own, given.limits)
        try:
            with ExitStack() as stack:
                Grading(scratch, programs, marks, papers, given, say).run(stack)
        except (OutOfTimeError, StartError, httpx.HTTPError) as error:
            _stop_early(marks, say, str(error) or repr(error))
        except Exception as error:  # noqa: BLE001 - a student's program may surprise the grader, and still gets its marks
            _stop_early(marks, say, f"the grader cannot go on: {error!r}\n{traceback.format_exc()}")
        finally:
            programs.end_all()
        _judge_house(marks, scratch, programs, pictures_in)
    return marks, papers


def _stop_early(marks: MarkSheet, say: Say, reason: str) -> None:
    marks.not_reached = f"not reached: {reason.splitlines()[0]}"
    say(reason)


def _judge_house(marks: MarkSheet, scratch: Scratch, programs: Programs, pictures_in: Path | None) -> None:
    outside = scratch.written_outside(pictures_in)
    seen = f"the programs write outside of the project: {', '.join(outside[:5])}"
    advice = "use paths below the folder of the project, such as data/train.csv, and no absolute path"
    marks.judge("folder", (seen, advice) if outside else None, "nothing was written outside")
    left = programs.left_behind
    advice = "wait for each process that a program starts; let uvicorn stop when it gets SIGTERM"
    marks.judge("ends", ("; ".join(left), advice) if left else None, "everything has ended")


def _experiment(registry: ModelRegistry) -> str:
    return next((str(run.info.experiment_id) for run in registry.runs()), "0")
