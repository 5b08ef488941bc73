"""The monitor's application: `create_app` wires it, and `monitor/serve.py` serves `app`."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest

from common.browsers.hosts import hosts_of
from common.browsers.walls import BrowserWalls
from common.connections.heads import Heads
from common.connections.protocol import LIMITS, Limits
from common.keys.keyring import Keyring
from common.problem import ProblemError, get_problem
from common.registry.client import Registry
from common.settings import Settings, load_settings
from common.signing.check import check_of  # room: signing
from common.store import StoreError
from common.store.late_store import open_late
from monitor.follow_registry import References
from monitor.jobs.schedule import Schedule
from monitor.log_in.gate import Gate
from monitor.log_in.routes import log_in_router
from monitor.metrics.store_collector import StoreCollector
from monitor.page.routes import add_page
from monitor.page.tabs import TABS
from monitor.page.view import Backends, FeedbackApi
from monitor.storage import Storage


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application; without `settings` it reads them at its start."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        logging.getLogger("monitor").setLevel(logging.INFO)  # the summary of each window, also without breaches
        async with AsyncExitStack() as stack:
            found = settings or load_settings()
            app.state.hosts = hosts_of(found)
            await _start(app, found, stack)
            yield {LIMITS: Limits(found)}

    app = FastAPIOffline(title="Monitor of the closed-loop MLOps lab", version="0.1.0", lifespan=lifespan)
    app.add_middleware(Heads)
    app.add_middleware(Gate)
    app.add_middleware(BrowserWalls)
    app.get("/livez", tags=["service"])(live)
    app.get("/readyz", tags=["service"])(ready)
    app.get("/metrics", tags=["service"], response_class=Response)(metrics)
    add_page(app, TABS)
    app.include_router(log_in_router())
    return app


async def _start(app: FastAPI, settings: Settings, stack: AsyncExitStack) -> None:
    state = app.state
    state.keyring = Keyring(settings)
    state.store = await asyncio.to_thread(open_late, settings.database_url)
    stack.callback(state.store.close)
    registry = Registry(settings.mlflow_uri, settings.model_file_mb, settings.model_check_seconds)
    registry.check = check_of(settings)  # room: signing
    await stack.enter_async_context(registry)
    references = References(state.store, registry, _configured(settings))
    state.problem = settings.problem
    trusted_only = settings.has_keys
    feedback = FeedbackApi(settings.api_url.rstrip("/"), settings.problem)
    pages = settings.mlflow_page, settings.prefect_page
    storage = Storage(settings, state.store)
    state.backends = Backends(
        state.store,
        references,
        *pages,
        feedback,
        trusted_only,
        vetting=settings.vetting == "on",
        storage=storage,
    )
    state.collectors = CollectorRegistry()
    ProcessCollector(registry=state.collectors)
    state.collectors.register(StoreCollector(state.store, references, trusted_only=trusted_only, storage=storage))
    await references.start()
    stack.push_async_callback(references.stop)
    schedule = Schedule(settings, state.store, references)
    schedule.start()
    stack.push_async_callback(asyncio.to_thread, schedule.stop)


def _configured(settings: Settings) -> dict[str, str]:
    """Return the configured problem's model: the api may refuse its first version before it has answered anything."""
    try:
        return {settings.problem: get_problem(settings.problem).onnx_name}
    except ProblemError:  # the monitor also runs without the problem's file
        return {}


async def live() -> dict[str, str]:
    """Answer 200 as long as the process lives."""
    return {"health": "ok"}


def ready(request: Request) -> dict[str, str]:
    """Answer 200 if the store can be read, else 503."""
    try:
        request.app.state.store.history.models()
    except StoreError as error:
        raise HTTPException(503, str(error)) from error
    return {"health": "ok"}


def metrics(request: Request) -> Response:
    """Return the metrics for Prometheus; 503 if the store cannot be read."""
    try:
        content = generate_latest(request.app.state.collectors)
    except StoreError as error:
        raise HTTPException(503, str(error)) from error
    return Response(content, media_type=CONTENT_TYPE_LATEST)


app = create_app()
