"""The online service: `create_app` wires it; `app` is what `fastapi dev|run api/api.py` serves."""

import asyncio
import gc
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from fastapi_offline import FastAPIOffline

from api.challenger.shadow import Shadow
from api.corrections.prefect_outbox import Outbox
from api.fastpath.routes import FAST_ROUTES  # room: fastpath
from api.fastpath.wiring import fast_routes  # room: fastpath
from api.http.access import Access, Limit
from api.http.body_guard import BodyGuard
from api.http.errors import add_error_handlers
from api.http.large_bodies import OffloadLarge
from api.http.rate import RateLimit
from api.http.request_ids import RequestIds
from api.inference.prediction_log import PredictionLog
from api.inference.predictor import Predictor
from api.metrics.declared import Metrics
from api.model.server import ChallengerServer, ChampionServer
from api.protocols.oip.infer import Inference  # room: protocols
from api.protocols.oip.routes import add_oip, oip_router  # room: protocols
from api.protocols.seldon import seldon_router  # room: protocols
from api.routes.feedback import feedback_router
from api.routes.models import model_router
from api.routes.predict import predict_router
from api.routes.service import service_router
from api.routes.suggest import suggest_router
from common.connections.heads import Heads  # room: connections
from common.connections.protocol import LIMITS, Limits  # room: connections
from common.problem import get_problem
from common.registry.client import Registry
from common.settings import Settings, load_settings
from common.store import Store
from common.store.threads import STORE_SECONDS, StoreThreads

# Counted in Prometheus' metrics; looking for OpenTelemetry's providers would cost each request 4 µs.
NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
# How long the threads that log and compare may keep the event loop waiting; Python's default is 5 ms.
SWITCH_SECONDS = 0.0005
# Routes are tried one after the other: those that are asked most come first.
ROUTERS = (
    predict_router,
    oip_router,  # room: protocols
    feedback_router,
    suggest_router,
    model_router,
    service_router,
    seldon_router,  # room: protocols
)


def create_app(
    settings: Settings | None = None, rate_limit: Limit | None = None, metrics: Metrics | None = None
) -> FastAPI:
    """Return the application; without `settings` they are read when it starts.

    Several processes of one service share a `rate_limit` and `metrics`.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        logging.getLogger("api").setLevel(logging.INFO)
        async with AsyncExitStack() as stack:
            given = settings or load_settings()
            await _start(app, given, rate_limit or RateLimit(given.suggest_rate), stack)
            state: dict[str, Any] = {}
            state[FAST_ROUTES] = fast_routes(app.state)  # room: fastpath
            state[LIMITS] = Limits(given)  # room: connections
            yield state

    app = FastAPIOffline(
        title="Closed-loop MLOps lab",
        summary="Predictions, and corrections that become the next model.",
        version="0.1.0",
        lifespan=lifespan,
        telemetry=NO_TELEMETRY,
    )
    app.state.metrics = metrics or Metrics()
    add_error_handlers(app)
    app.add_middleware(Heads)  # room: connections
    app.add_middleware(BodyGuard)
    app.state.metrics.instrument(app)
    app.add_middleware(RequestIds)
    add_oip(app)  # room: protocols
    return app


async def _start(app: FastAPI, settings: Settings, rate_limit: Limit, stack: AsyncExitStack) -> None:
    sys.setswitchinterval(SWITCH_SECONDS)
    problem, state, metrics = get_problem(settings.problem), app.state, app.state.metrics
    state.problem = problem
    for make_router in ROUTERS:
        app.include_router(make_router(problem))
    store = await asyncio.to_thread(Store, settings.database_url, STORE_SECONDS)
    stack.callback(store.close)
    state.store = StoreThreads(store)
    stack.callback(state.store.close)
    registry = Registry(settings.mlflow_uri, settings.model_file_mb, settings.model_check_seconds)
    state.registry = await stack.enter_async_context(registry)
    state.access = Access(settings, rate_limit)
    state.champion = ChampionServer(problem, settings, state.registry, metrics, state.store)
    state.challenger = ChallengerServer(problem, settings, state.registry, metrics)
    state.outbox = Outbox(problem, settings, state.store)
    state.log = PredictionLog(problem, store.predictions, metrics)
    state.shadow = Shadow(state.challenger, state.log, metrics)
    state.predictor = Predictor(problem, state.log, state.shadow, metrics)
    state.large = OffloadLarge()
    stack.callback(state.large.close)
    state.inference = Inference(problem, state.predictor, state.large)  # room: protocols
    for thread in (state.log, state.shadow):
        thread.start()
        stack.push_async_callback(asyncio.to_thread, thread.stop)
    for service in (state.champion, state.challenger, state.outbox):
        await service.start()
        stack.push_async_callback(service.stop)
    # What is here stays: the garbage collector need not look through all that was imported again and again.
    gc.freeze()
    stack.callback(gc.unfreeze)


app = create_app()
