"""Starts a flow run for the withdrawals that are open, and another one if Prefect loses it."""

import logging
import time
from dataclasses import replace
from functools import partial

from api.corrections.flow_runs import PREFECT_ERRORS, FlowRuns
from api.lost_runs.over import why_over
from common.background import GuardedLoop
from common.problem import Problem
from common.registry.client import (
    ANCHOR,
    CHALLENGER,
    CHAMPION,
    Registry,
    RegistryError,
    RegistryUnavailableError,
    Version,
)
from common.settings import Settings
from common.store import Store, StoreError
from common.store.suggestions import Suggestion
from common.store.threads import StoreThreads
from common.store.trust.withdrawals import Withdrawal
from trust.withdrawal.effects import is_tainted

LOOK_SECONDS = 1.0
MAX_LOOK_SECONDS = 60.0
ALIAS_SECONDS = 20.0  # between two looks at the aliases, which a person may move in MLflow

logger = logging.getLogger(__name__)


class WithdrawalRuns(GuardedLoop):
    """Has a flow run under way as long as withdrawals are open, from `start` to `stop`: one at a time.

    A run ends all withdrawals that are open when it begins. Two processes of the service start one run. If a person
    moves an alias in MLflow to a version that has learnt a withdrawn correction, the withdrawal is open again.
    """

    def __init__(self, problem: Problem, settings: Settings, registry: Registry, store: StoreThreads) -> None:
        """Start runs of `problem`'s deployment in the Prefect of the settings; watch the aliases in `registry`."""
        super().__init__("start runs for withdrawals", "withdrawals wait", LOOK_SECONDS, StoreError)
        self._problem = problem
        self._store = store
        self._registry = registry
        self._aliases_at = 0.0  # when to look at the aliases, by the monotonic clock
        self._url = settings.prefect_api_url
        self._runs = FlowRuns(problem, settings)
        self._suspect: str | None = None  # the run that the last look found to be gone or over

    async def _repeat(self) -> None:
        async with self._runs.prefect:
            await super()._repeat()

    async def _look(self) -> None:
        """Start a run if withdrawals are open and none has a run, or if two looks found that run gone or over."""
        found = await self._store.read(lambda of: next(iter(of.trust.withdrawals.open(self._problem.name, 1)), None))
        if found is None:
            self._suspect, self._seconds = None, LOOK_SECONDS
            if time.monotonic() >= self._aliases_at:
                self._aliases_at = time.monotonic() + ALIAS_SECONDS
                await self._watch_aliases()
            return
        try:
            if run_id := found.flow_run_id:
                over = await why_over(self._runs, run_id)
                suspect, self._suspect = self._suspect, run_id if over else None
                if not over or suspect != run_id:
                    return
                logger.warning("flow run %s %s, and withdrawals are still open: another run sees to them", run_id, over)
            started = await self._start(found)
        except PREFECT_ERRORS as error:
            self._slower()
            logger.warning("withdrawals wait for Prefect at %s: %r", self._url, error)
            return
        if found.flow_run_id:
            self._slower()
        await self._store.write(lambda of: of.trust.withdrawals.has_run(self._problem.name, started, run_id))

    async def _watch_aliases(self) -> None:
        name = self._problem.name
        if not await self._store.read(lambda of: of.trust.withdrawals.newest(name, 1)):
            return
        for alias in (CHAMPION, CHALLENGER, ANCHOR):
            try:
                version = await self._registry.aliased(self._problem.onnx_name, alias)
            except (RegistryError, RegistryUnavailableError):  # the follower of the champion logs it
                return
            if version:
                await self._store.write(partial(self._open_again, alias=alias, version=version))

    def _open_again(self, store: Store, alias: str, version: Version) -> None:
        if is_tainted(store, self._problem, version):
            logger.warning("%s is version %d, which has learnt withdrawn corrections", alias, version.number)
            store.trust.withdrawals.open_again(self._problem.name, version.number)

    def _slower(self) -> None:
        self._seconds = min(self._seconds * 2, MAX_LOOK_SECONDS)

    async def _start(self, withdrawal: Withdrawal) -> str:
        """Start a run with the parameters of a withdrawn correction, which the store knows already; return its id."""
        correction = await self._store.read(lambda of: self._correction(of, withdrawal))
        return await self._runs.start(correction)

    def _correction(self, store: Store, withdrawal: Withdrawal) -> Suggestion:
        """Return the withdrawn correction, with the problem's examples in place of erased or outdated data."""
        examples = {each.name: each.example for each in self._problem.features}
        found = store.suggestions.get(withdrawal.suggestion_id)
        if found is None:  # the store has a withdrawal without its correction
            found = Suggestion(withdrawal.suggestion_id, self._problem.name, examples, "")
        if withdrawal.erase or not examples.keys() <= found.features.keys():
            found = replace(found, features=examples, class_name=self._problem.target.classes[0])
        return replace(found, flow_run_id=withdrawal.flow_run_id or found.flow_run_id)
