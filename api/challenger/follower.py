"""The challenger, as the registry has it."""

import asyncio
import logging

from api.model.follower import ModelFollower
from common.registry.client import CHALLENGER

logger = logging.getLogger(__name__)


class ChallengerFollower(ModelFollower):
    """Serves the version under the alias `challenger` as long as it is set."""

    role = "shadow"
    alias = CHALLENGER

    async def _look(self) -> None:
        version = await self._registry.aliased(self._problem.onnx_name, self.alias)
        if version:
            await self._serve(version)
        elif self.current:
            gone, self.current = self.current.version, None
            self._metrics.serves_none(gone.name, self.role)
            if self.copies:
                await asyncio.to_thread(self.copies.delete)
            logger.info("%s version %d is no longer the challenger", gone.name, gone.number)
