"""Which models answer: following the registry, loading the new before letting go of the old, and the copy on disk."""

import asyncio
import json
import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from api.inference.answer_json import AnswerJson
from api.metrics.declared import Metrics
from api.model.disk_copy import DiskCopy
from api.schemas.requests import sample_row
from api.version_check.check import check_apart, one_line
from common.bundle.model import ModelError, OnnxModel
from common.problem import Problem
from common.registry.client import CHALLENGER, REFUSED, Registry, RegistryError, RegistryUnavailableError, Version
from common.registry.follow import RegistryFollower, RetryPauses
from common.settings import Settings
from common.store import StoreError
from common.store.tables import Role
from common.store.threads import StoreThreads

POLL_SECONDS = 1.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServedVersion:
    """A version and its loaded model: a request takes one reference to both and keeps it to its end."""

    version: Version
    model: OnnxModel

    @cached_property
    def answer_json(self) -> AnswerJson:
        """What puts its answers into JSON."""
        return AnswerJson(self.model.classes, self.version.name, self.version.number)


class ModelFollower(ABC):
    """Holds the model that answers in a role, `current`, and follows the registry from `start` to `stop`.

    A new version is checked in a process of its own, loaded and kept on disk before it answers. If any of that fails
    the old one stays, the version's tag `serving_refused` says why, and it is tried again later, and later still.
    """

    role: ClassVar[Role]

    def __init__(self, problem: Problem, settings: Settings, registry: Registry, metrics: Metrics) -> None:
        """Serve `problem`'s ONNX model from `registry`."""
        self.current: ServedVersion | None = None
        self._problem = problem
        self._registry = registry
        self._metrics = metrics
        self._settings = settings
        self._kept = DiskCopy(settings.state_dir / "served" / problem.onnx_name / self.role)
        self._retry = RetryPauses(POLL_SECONDS)
        self._following = RegistryFollower(
            f"the {self.role}", self._look, POLL_SECONDS, StoreError, metrics.reload_failures.inc
        )

    @abstractmethod
    async def _wanted(self) -> Version | None:
        """Return the version that is to be in this role."""

    @abstractmethod
    async def _no_version(self) -> None:
        """Do what is to be done when the registry wants none."""

    @abstractmethod
    async def _in_service(self, version: Version) -> None:
        """Do what is to be done when the registry wants what is in service."""

    async def start(self) -> None:
        """Serve the last good copy on disk, if there is one, then begin to follow the registry."""
        await asyncio.to_thread(self._load_kept)
        self._following.start()

    async def stop(self) -> None:
        """Stop following."""
        await self._following.stop()

    async def _look(self) -> None:
        version = await self._wanted()
        if version is None:
            await self._no_version()
        elif self.current is None or self.current.version.identity != version.identity:
            await self._take(version)
        else:
            await self._in_service(version)

    async def _take(self, version: Version) -> None:
        if not self._retry.over(version):
            return
        try:
            with self._retry.attempt(version):
                content = await self._registry.download(version)
                await check_apart(content, self._given_names(), sample_row(self._problem), self._settings)
                self._swap(await asyncio.to_thread(self._load_and_keep, version, content))
        except Exception as error:  # noqa: BLE001  # whatever goes wrong with a version is a reason not to serve it
            self._metrics.reload_failures.inc()
            reason = one_line(error)
            logger.error("%s version %d is not taken into service: %s", version.name, version.number, reason)
            await self._tell(version, reason)
        else:
            await self._tell(version, None)

    async def _tell(self, version: Version, refused: str | None) -> None:
        """Leave the reason for a refusal at the version, where people and the monitor see it; or take it away."""
        if version.tags.get(REFUSED) == refused:
            return
        try:
            if refused is None:
                await self._registry.delete_tag(version, REFUSED)
            else:
                await self._registry.set_tag(version, REFUSED, refused)
        except (RegistryError, RegistryUnavailableError) as error:
            logger.warning("the tag %s of version %d stays as it is: %s", REFUSED, version.number, error)

    def _swap(self, served: ServedVersion) -> None:
        self._metrics.serves(served.version, self.role)
        self.current = served
        logger.info("serving %s version %d as %s", served.version.name, served.version.number, self.role)

    def _load_and_keep(self, version: Version, content: bytes) -> ServedVersion:
        served = ServedVersion(version, OnnxModel(content, self._given_names()))
        self._kept.keep(version, content)
        return served

    def _load_kept(self) -> None:
        for version, content in self._kept.newest_first():
            try:
                self._swap(self._load(version, content))
            except Exception as error:  # noqa: BLE001  # a copy that cannot be used must not keep the service from starting
                logger.warning("the copy of version %d cannot be used: %s", version.number, error)
            else:
                return

    def _load(self, version: Version, content: bytes) -> ServedVersion:
        """Return a kept version, which was checked before it was kept, if it still answers as it should."""
        model = OnnxModel(content, self._given_names())
        if model.width not in (None, len(self._problem.features)):
            raise ModelError(f"the model takes {model.width} features, not {len(self._problem.features)}")
        model.check_golden()
        return ServedVersion(version, model)

    def _given_names(self) -> list[str]:
        """Return the class names for a model that carries none: those of a file, or, where none is, the problem's."""
        given = self._settings.class_path
        path = given or self._settings.data_dir / "classes.json"
        if given is None and not path.exists():
            return list(self._problem.target.classes)
        try:
            names: list[str] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ModelError(f"{path} is no JSON list of class names: {error}") from error
        return names


class ChampionFollower(ModelFollower):
    """Serves what the registry says is to be served, and notes in the store who has become champion."""

    role = "champion"

    def __init__(
        self, problem: Problem, settings: Settings, registry: Registry, metrics: Metrics, store: StoreThreads
    ) -> None:
        """Serve `problem`'s ONNX model from `registry`, and note its versions in `store`."""
        super().__init__(problem, settings, registry, metrics)
        self._store = store
        self._noted: Version | None = None

    async def _wanted(self) -> Version | None:
        return await self._registry.serving_version(self._problem.onnx_name)

    async def _no_version(self) -> None:
        """Do nothing: a registry that has lost its versions is no reason to stop answering."""

    async def _in_service(self, version: Version) -> None:
        if self._noted is None or self._noted.identity != version.identity:
            await self._store.write(lambda of: of.champions.note(version.name, version.number))
            self._noted = version

    def _swap(self, served: ServedVersion) -> None:
        for class_name in served.model.classes:
            self._metrics.predicted.labels(class_name)
        super()._swap(served)


class ChallengerFollower(ModelFollower):
    """Serves the version under the alias `challenger`, while it is set."""

    role = "shadow"

    async def _wanted(self) -> Version | None:
        return await self._registry.aliased(self._problem.onnx_name, CHALLENGER)

    async def _no_version(self) -> None:
        if self.current is None:
            return
        version, self.current = self.current.version, None
        self._metrics.serves_none(version.name, self.role)
        await asyncio.to_thread(self._kept.forget)
        logger.info("%s version %d challenges no more", version.name, version.number)

    async def _in_service(self, version: Version) -> None:
        """Do nothing: there is no history of challengers."""
