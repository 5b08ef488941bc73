"""The version that answers in a role: found in the registry, checked, loaded, and put into service."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar

from api.metrics.declared import Metrics
from common.bundle.model import ModelError, OnnxModel
from common.problem import Problem
from common.registry.client import CHAMPION, REFUSED, Registry, RegistryError, RegistryUnavailableError, Version
from common.registry.follow import RegistryFollower, RetryPauses
from common.store import StoreError
from common.store.tables import Role
from common.store.threads import StoreThreads

POLL_SECONDS = 1.0
MAX_REASON = 500  # characters

logger = logging.getLogger(__name__)

# Keeps the version that serves, and the bytes of its file; None if no version serves any more.
Keep = Callable[[Version | None, bytes], None]
# Raises an error for a model that must not serve, given the bytes of its file and names for classes without any.
Check = Callable[[bytes, list[str]], Awaitable[None]]


@dataclass(frozen=True)
class ServedVersion:
    """A version and its loaded model. A request takes one reference to both and keeps it until it is answered."""

    version: Version
    model: OnnxModel


class ModelFollower(RegistryFollower):
    """Holds the version that answers in a role, `current`, and follows the registry from `start` to `stop`.

    A new version is checked and loaded before it answers. If one of these steps fails, the old version
    stays, the tag `serving_refused` of the new one gives the reason, and the follower tries it again after a pause.

    Attributes:
        check: more to check before a new version is loaded and asked its golden rows in this process.
        keep: keeps the version that serves, for a start without MLflow.
        class_names: returns class names for a model that has none.
    """

    role: ClassVar[Role]
    alias: ClassVar[str]

    def __init__(self, problem: Problem, registry: Registry, metrics: Metrics) -> None:
        """Prepare to serve `problem`'s ONNX model from `registry`."""
        super().__init__(f"the {self.alias}", POLL_SECONDS, StoreError, metrics.reload_failures.inc)
        self.current: ServedVersion | None = None
        self.check: Check | None = None
        self.class_names: Callable[[], list[str]] = lambda: list(problem.target.classes)
        self.keep: Keep | None = None
        self._problem = problem
        self._registry = registry
        self._metrics = metrics
        self._retry = RetryPauses(POLL_SECONDS)

    def serve_file(self, version: Version, content: bytes) -> None:
        """Put a version into service, given the bytes of its file.

        Raises:
            ModelError: the model cannot serve.
        """
        self._put_into_service(self._load(version, content))

    async def _serve(self, version: Version) -> bool:
        """Put a version into service unless its last failure is too recent; return whether it is in service."""
        if self.current and self.current.version.identity == version.identity:
            return True
        if not self._retry.over(version):
            return False
        reason = None
        try:
            with self._retry.attempt(version):
                content = await self._registry.download(version)
                if self.check:
                    await self.check(content, self.class_names())
                served = await asyncio.to_thread(self._load, version, content)
                if self.keep:
                    await asyncio.to_thread(self.keep, version, content)
                self._put_into_service(served)
        except Exception as error:  # noqa: BLE001  # any error means that this version cannot serve
            self._metrics.reload_failures.inc()
            reason = one_line(error)
            logger.error("%s version %d is not taken into service: %s", version.name, version.number, reason)
        await self._tag_refused(version, reason)
        return reason is None

    async def _tag_refused(self, version: Version, reason: str | None) -> None:
        """Write the reason for a refusal into the version's tag, where people and the monitor see it, or delete it."""
        if version.tags.get(REFUSED) == reason:
            return
        try:
            await self._registry.set_tag(version, REFUSED, reason)
        except (RegistryError, RegistryUnavailableError) as error:
            logger.warning("cannot write the tag %s of version %d: %s", REFUSED, version.number, error)

    def _put_into_service(self, served: ServedVersion) -> None:
        self._metrics.serves(served.version, self.role)
        self.current = served
        logger.info("serving %s version %d as %s", served.version.name, served.version.number, self.alias)

    def _load(self, version: Version, content: bytes) -> ServedVersion:
        model = OnnxModel(content, self.class_names())
        if model.width not in (None, len(self._problem.features)):
            raise ModelError(f"the model takes {model.width} features, not {len(self._problem.features)}")
        model.check_golden()
        return ServedVersion(version, model)


class ChampionFollower(ModelFollower):
    """Serves the version under the alias `champion`, or else the newest, and records each new champion in the store.

    It goes on answering when the registry has lost its versions.
    """

    role = "champion"
    alias = CHAMPION

    def __init__(self, problem: Problem, registry: Registry, metrics: Metrics, store: StoreThreads) -> None:
        """Prepare to serve `problem`'s ONNX model from `registry`, and to record its versions in `store`."""
        super().__init__(problem, registry, metrics)
        self._store = store
        self._recorded: tuple[int, str] | None = None  # the identity of the version

    async def _look(self) -> None:
        version = await self._registry.serving_version(self._problem.onnx_name)
        if version and await self._serve(version) and self._recorded != version.identity:
            await self._store.write(lambda store: store.champions.note(version.name, version.number))
            self._recorded = version.identity

    def _put_into_service(self, served: ServedVersion) -> None:
        for class_name in served.model.classes:
            self._metrics.predicted.labels(class_name)  # makes the series exist, with 0
        super()._put_into_service(served)


def one_line(reason: object) -> str:
    """Return a reason as one line of at most 500 characters."""
    line = " ".join(str(reason).split()) or repr(reason)
    return line if len(line) <= MAX_REASON else f"{line[: MAX_REASON - 1]}…"
