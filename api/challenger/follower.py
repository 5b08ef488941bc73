"""The challenger, as the registry has it."""

import asyncio
import logging

from api.metrics.declared import Metrics
from api.model.follower import ModelFollower
from common.problem import Problem
from common.registry.client import CHALLENGER, Registry

logger = logging.getLogger(__name__)


class ChallengerFollower(ModelFollower):
    """Serves the version under the alias `challenger` as long as it is set."""

    role = "shadow"
    alias = CHALLENGER

    def __init__(self, problem: Problem, registry: Registry, metrics: Metrics, champion: ModelFollower) -> None:
        """Prepare to serve `problem`'s ONNX model from `registry`, checked as the champion is."""
        super().__init__(problem, registry, metrics)
        self.check, self.class_names = champion.check, champion.class_names

    async def _look(self) -> None:
        version = await self._registry.aliased(self._problem.onnx_name, self.alias)
        if version:
            await self._serve(version)
        elif self.current:
            gone, self.current = self.current.version, None
            self._metrics.serves_none(gone.name, self.role)
            if self.keep:
                await asyncio.to_thread(self.keep, None, b"")
            logger.info("%s version %d is no longer the challenger", gone.name, gone.number)
