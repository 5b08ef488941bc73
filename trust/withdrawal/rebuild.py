"""The end of withdrawals, in the fine-tuning flow: a version without the withdrawn corrections comes into service.

Whatever step is killed, the next run finds by the registry and the store how far the one before has come. The alias
`champion` moves last: as long as it points at a version that has learnt a withdrawn correction, the work is not done.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from prefect.runtime import flow_run

from common.problem import Problem
from common.registry import publish
from common.registry.client import ANCHOR, CHAMPION, Version, check_mlflow
from common.settings import Settings
from common.store import Store
from common.store.trust.withdrawals import Withdrawal
from finetune import evidence, gate, train, versions
from finetune.append import remove_refused
from trust.withdrawal.effects import REPLACES, outcome
from trust.withdrawal.served import ServingAliases


class Step(Protocol):
    """Makes a function a step of the flow run, under a name."""

    def __call__(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]: ...  # noqa: D102


def end_withdrawals(problem: Problem, settings: Settings, store: Store, step: Step) -> None:
    """Do what the open withdrawals ask for, and close them; without any, nothing happens.

    The caller holds the lock of finetune.csv.

    Raises:
        RegistryUnavailableError: MLflow does not answer.
        NothingToContinueError: no version is left that never learnt a withdrawn correction.
    """
    found = store.trust.withdrawals.open(problem.name)
    if found:
        # MLflow's own retries would keep the worker busy for minutes; Prefect starts a failed run again later.
        check_mlflow(settings.mlflow_uri)
        publish.use_mlflow(settings.mlflow_uri, problem.sklearn_name)
        step("withdraw", Rebuild(problem, settings, store, step).end)(found)


@dataclass(frozen=True)
class Rebuild:
    """The withdrawals of a problem, under the lock of its finetune.csv."""

    problem: Problem
    settings: Settings
    store: Store
    step: Step

    @property
    def _served(self) -> ServingAliases:
        return ServingAliases(self.problem, self.store)

    def end(self, withdrawals: Sequence[Withdrawal]) -> str:
        """Take the rows out of finetune.csv, and the versions that learnt them out of service; say how that ended."""
        serving = self._served.champion()
        if serving:
            self._complete_memory(serving)
        remove_refused(self.store, self.problem, self.settings.corrections)
        if serving and self._served.tainted(serving):
            serving = self._replace(serving)
        elif serving:
            self._free(serving)
            self._served.move_others(serving)
        return self._close(withdrawals, serving)

    def _complete_memory(self, serving: Version) -> None:
        """Note what a version has learnt that a killed run had registered, as long as the file has just these rows."""
        files = self._files(serving)
        known = versions.version_of_same_data(self.problem, self.settings, files)
        if known and train.CORRECTIONS in files:
            self.store.trust.versions.complete(self.problem.name, known.number)

    def _replace(self, serving: Version) -> Version:
        """Put a version into service that never learnt a withdrawn correction; return it."""
        problem, store, served = self.problem, self.store, self._served
        made, because = self._made(serving), "none is left to learn"
        if made is None:
            self._free(serving)
            versions.quarantine_taken_back(problem, self.settings, store, serving)
            if self._files(serving):
                made, because = self._make(serving)
        before = served.before(serving)
        if made is None:
            return self._fall_back(serving, before, f"corrections were withdrawn, and {because}")
        store.trust.versions.learnt(problem.name, made.number)
        versions.note_learnt(store, made, [each.id for each in store.suggestions.waiting(problem.name)])
        # The version before answers in its shadow, so that ground truths can compare them.
        shadow = before if self.settings.gate == "evidence" else None
        served.move_others(made, shadow, made if ANCHOR in made.tags[versions.SERVES_AS].split(",") else None)
        served.point(CHAMPION, made)
        return made

    def _made(self, serving: Version) -> Version | None:
        """Return the version that a killed run has made to replace the serving one; None if there is none."""
        tags = train.data_tags(self.settings, self._files(serving))
        return publish.newest(self.problem.onnx_name, {**tags, REPLACES: str(serving.number)})

    def _make(self, serving: Version) -> tuple[Version | None, str]:
        """Fine-tune without the withdrawn corrections, and register the result; or return why it was refused."""
        problem, settings, store = self.problem, self.settings, self.store
        waiting = store.suggestions.waiting(problem.name)
        fine_tuned = self.step("fine-tune", train.fine_tune)(problem, settings, serving, self._files(serving))
        exam = None
        if settings.gate == "evidence":
            exam = self.step("collect-evidence", evidence.set_exam)(problem, settings, store, serving, waiting)
        checked = self.step("judge", gate.check)(problem, settings, fine_tuned, exam)
        store.judgements.add(versions.record(problem, fine_tuned, checked, flow_run.id))
        if checked.verdict == gate.REFUSED:
            return None, f"the version without them was refused: {checked.because}"
        # Even a version that would have been on trial serves: the one that it replaces must go.
        aliases = [ANCHOR, CHAMPION] if ANCHOR in checked.aliases else [CHAMPION]
        tagged = replace(fine_tuned, tags={**fine_tuned.tags, REPLACES: str(serving.number)})
        register = self.step("register-version", versions.register)
        return register(problem, settings, serving, tagged, replace(checked, aliases=aliases)), ""

    def _fall_back(self, serving: Version, before: Version | None, because: str) -> Version:
        """Let a version that served before serve again; corrections that it has not learnt wait for the next one."""
        if before is None:
            raise train.NothingToContinueError(
                f"{serving.name} version {serving.number} serves, {because}, and no version is left that never learnt "
                "them: run `python main.py`"
            )
        problem, store = self.problem, self.store
        newer = store.trust.tainted.learnt_first(problem.name, before.number)
        # Before the champion moves: afterwards, these corrections would be quarantined with the version.
        self._release([number for number in newer if number <= serving.number])
        self._served.move_others(before)
        # The history has the reason, whoever sees the alias move first.
        store.champions.note(problem.onnx_name, before.number, "rolled back", because)
        self._served.point(CHAMPION, before)
        store.champions.note(problem.onnx_name, before.number, "rolled back", because)
        return before

    def _free(self, serving: Version) -> None:
        """Let the corrections wait whose version has learnt a withdrawn one, and has never served."""
        problem, store = self.problem, self.store
        newer = store.trust.tainted.learnt_first(problem.name, serving.number)
        known = [version for number in newer if (version := publish.version(problem.onnx_name, number))]
        unserved = [each for each in known if not versions.was_taken_back(problem, store, serving, each)]
        self._release([each.number for each in unserved if self._served.tainted(each)])

    def _release(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            because = f"version {number}, which had learnt it, had also learnt a withdrawn correction"
            self.store.trust.withdrawals.release(self.problem.name, [number], because)

    def _files(self, serving: Version) -> Mapping[str, Path]:
        """Return the files to learn, as `train.added_files`, without finetune.csv if it has no row."""
        files, corrections = dict(train.added_files(self.settings, serving)), self.settings.corrections
        if not corrections.exists() or not corrections.read_bytes().strip():
            del files[train.CORRECTIONS]
        return files

    def _close(self, withdrawals: Sequence[Withdrawal], serving: Version | None) -> str:
        """Close the withdrawals with their outcomes; return the outcomes in one line."""
        name, trust = self.problem.name, self.store.trust
        ids = [each.suggestion_id for each in withdrawals]
        learnt, last = trust.tainted.learnt(name, ids), max(trust.tainted.versions_of(name, ids), default=0)
        newest = next(iter(self.store.champions.history(self.problem.onnx_name, 1)), None)
        words = []
        for was_learnt in sorted({each in learnt for each in ids}):
            words.append(outcome(learnt=was_learnt, last=last, serving=serving, newest=newest))
            of = {each: words[-1] for each in ids if (each in learnt) is was_learnt}
            trust.withdrawals.close(name, of, serving.number if was_learnt and serving else None)
        return "; ".join(words)
