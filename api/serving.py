"""Which model answers: following the registry, loading the new before letting go of the old, and the copy on disk."""

import asyncio
import contextlib
import json
import logging
import time
from dataclasses import asdict, dataclass

from api.metrics import Metrics
from common.files import write_atomic
from common.onnx_io import ModelError, OnnxModel
from common.problem import Problem
from common.registry import Registry, RegistryError, RegistryUnavailableError, Version
from common.settings import Settings

POLL_SECONDS = 1.0
MAX_RETRY_SECONDS = 60.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Served:
    """A version and its loaded model: a request takes one reference to both and keeps it to its end."""

    version: Version
    model: OnnxModel


@dataclass(frozen=True)
class _Failure:
    identity: tuple[int, str]
    wait: float
    retry_at: float


class ModelServer:
    """Holds the model that answers, `current`, and follows the registry from `start` to `stop`.

    A new version is loaded, checked against its golden rows and kept on disk before it answers. If any of that
    fails the old one stays, and that version is tried again later, and later still.
    """

    def __init__(self, problem: Problem, settings: Settings, registry: Registry, metrics: Metrics) -> None:
        """Serve `problem`'s ONNX model from `registry`."""
        self.current: Served | None = None
        self._problem = problem
        self._registry = registry
        self._metrics = metrics
        self._class_path = settings.class_path
        self._folder = settings.state_dir / "served" / problem.onnx_name
        self._failure: _Failure | None = None
        self._reachable = True
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Serve the last good copy on disk, if there is one, then begin to follow the registry."""
        await asyncio.to_thread(self._load_kept)
        self._task = asyncio.create_task(self._follow(), name="follow the registry")

    async def stop(self) -> None:
        """Stop following."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _follow(self) -> None:
        while True:
            try:
                await self._look()
                self._note_reachable(None)
            except RegistryUnavailableError as error:
                self._note_reachable(error)
            except RegistryError as error:
                logger.error("the registry does not tell the version to serve: %s", error)
            except Exception:  # nothing unforeseen may end the following unnoticed
                logger.exception("the registry is not followed at this moment")
            await asyncio.sleep(POLL_SECONDS)

    async def _look(self) -> None:
        version = await self._registry.serving_version(self._problem.onnx_name)
        if version is None or (self.current is not None and self.current.version.identity == version.identity):
            return
        failed_before = self._failure if self._failure and self._failure.identity == version.identity else None
        if failed_before and time.monotonic() < failed_before.retry_at:
            return
        try:
            content = await self._registry.download(version)
            self._swap(await asyncio.to_thread(self._check_and_keep, version, content))
        except (RegistryError, ModelError, OSError, ValueError) as error:
            self._metrics.reload_failures.inc()
            wait = min(failed_before.wait * 2, MAX_RETRY_SECONDS) if failed_before else POLL_SECONDS
            self._failure = _Failure(version.identity, wait, time.monotonic() + wait)
            logger.error("%s version %d is not taken into service: %s", version.name, version.number, error)

    def _note_reachable(self, error: RegistryUnavailableError | None) -> None:
        if self._reachable == (error is None):
            return
        self._reachable = error is None
        if error:
            logger.warning("%s; what is in service stays", error)
        else:
            logger.warning("MLflow answers again")

    def _swap(self, served: Served) -> None:
        for class_name in served.model.classes:
            self._metrics.predicted.labels(class_name)
        self._metrics.served_version.labels(served.version.name).set(served.version.number)
        self.current = served
        logger.info("serving %s version %d", served.version.name, served.version.number)

    def _check_and_keep(self, version: Version, content: bytes) -> Served:
        served = self._load(version, content)
        digest = version.source.rpartition("/")[2].replace(":", "-")
        kept = self._folder / f"{version.number}-{digest}.onnx"
        # The description first: a model file without one is not read, so what is read is always a pair.
        write_atomic(kept.with_suffix(".json"), json.dumps(asdict(version)).encode())
        write_atomic(kept, content)
        for other in self._folder.glob("*.*"):
            if other.stem != kept.stem and not other.name.startswith("."):
                other.unlink(missing_ok=True)
        return served

    def _load_kept(self) -> None:
        kept = self._folder.glob("*.onnx")
        for path in sorted(kept, key=lambda path: path.stat().st_mtime, reverse=True):
            try:
                version = Version(**json.loads(path.with_suffix(".json").read_bytes()))
                self._swap(self._load(version, path.read_bytes()))
            except (ModelError, OSError, ValueError, TypeError) as error:
                logger.warning("the copy %s cannot be used: %s", path, error)
            else:
                return

    def _load(self, version: Version, content: bytes) -> Served:
        names = json.loads(self._class_path.read_text(encoding="utf-8")) if self._class_path else None
        model = OnnxModel(content, names)
        expected = len(self._problem.features)
        if model.width not in (None, expected):
            raise ModelError(f"the model takes {model.width} features, {self._problem.name} has {expected}")
        model.check_golden()
        return Served(version, model)
