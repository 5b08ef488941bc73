"""Starts a flow run for the withdrawals that are open, and another one if Prefect loses it."""

import logging
from dataclasses import replace

from api.corrections.flow_runs import PREFECT_ERRORS, FlowRuns
from api.lost_runs.over import why_over
from common.background import GuardedLoop
from common.problem import Problem
from common.settings import Settings
from common.store import Store, StoreError
from common.store.suggestions import Suggestion
from common.store.threads import StoreThreads
from common.store.trust.withdrawals import Withdrawal

LOOK_SECONDS = 1.0
MAX_LOOK_SECONDS = 60.0

logger = logging.getLogger(__name__)


class WithdrawalRuns(GuardedLoop):
    """Has a flow run under way as long as withdrawals are open, from `start` to `stop`: one at a time.

    A run ends all withdrawals that are open when it begins. Two processes of the service start one run.
    """

    def __init__(self, problem: Problem, settings: Settings, store: StoreThreads) -> None:
        """Start runs of `problem`'s deployment in the Prefect of the settings."""
        super().__init__("start runs for withdrawals", "withdrawals wait", LOOK_SECONDS, StoreError)
        self._problem = problem
        self._store = store
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

    def _slower(self) -> None:
        self._seconds = min(self._seconds * 2, MAX_LOOK_SECONDS)

    async def _start(self, withdrawal: Withdrawal) -> str:
        """Start a run with the parameters of a withdrawn correction, which the store knows already; return its id."""
        correction = await self._store.read(lambda of: self._correction(of, withdrawal))
        return await self._runs.start(correction)

    def _correction(self, store: Store, withdrawal: Withdrawal) -> Suggestion:
        """Return the withdrawn correction, but with the problem's examples in place of data that are to be erased."""
        examples = {each.name: each.example for each in self._problem.features}
        found = store.suggestions.get(withdrawal.suggestion_id)
        if found is None:  # the store has a withdrawal without its correction
            found = Suggestion(withdrawal.suggestion_id, self._problem.name, examples, "")
        if withdrawal.erase or not found.features:
            found = replace(found, features=examples, class_name=self._problem.target.classes[0])
        return replace(found, flow_run_id=withdrawal.flow_run_id or found.flow_run_id)
