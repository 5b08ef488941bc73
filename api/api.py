"""The online service: `create_app` wires it; `app` is the application for `fastapi dev|run api/api.py`.

Each line that ends in `# room: …` belongs to a folder that can be deleted together with these lines.
"""

import asyncio
import gc
import logging
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from functools import partial
from typing import Any

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from fastapi_offline import FastAPIOffline

from api.challenger.follower import ChallengerFollower  # room: challenger
from api.challenger.metrics import ShadowMetrics  # room: challenger
from api.challenger.shadow import Shadow  # room: challenger
from api.class_names import class_names  # room: class_names
from api.corrections.prefect_outbox import Outbox
from api.disk_copy import keep_copies  # room: disk_copy
from api.draining.routes import draining_router  # room: draining
from api.fastpath.routes import FAST_ROUTES  # room: fastpath
from api.fastpath.wiring import fast_routes  # room: fastpath
from api.guards.body_guard import BodyGuard  # room: guards
from api.guards.browser_walls import ApiWalls  # room: guards
from api.guards.rate_limit import limit_rate  # room: guards
from api.guards.request_ids import RequestIds  # room: guards
from api.http.access import Access
from api.http.errors import add_error_handlers
from api.http.large_bodies import OffloadLarge
from api.inference.prediction_log import PredictionLog
from api.inference.predictor import Predictor
from api.label_queue.routes import label_router  # room: label_queue
from api.live_statistics.routes import model_router  # room: live_statistics
from api.log_sampling.sampled_log import SampledLog  # room: log_sampling
from api.lost_runs.lost_runs import LostRuns  # room: lost_runs
from api.metadata.routes import metadata_router  # room: metadata
from api.metrics.declared import Metrics
from api.metrics.http import HttpMetrics  # room: http_metrics
from api.model.follower import ChampionFollower
from api.named_keys.named_access import NamedAccess  # room: named_keys
from api.named_keys.role_check import RoleCheck  # room: named_keys
from api.probation.live_judge import LiveJudge  # room: probation
from api.promotion.aliases import Aliases  # room: promotion
from api.promotion.routes import promotion_router  # room: promotion
from api.protocols.oip.fast import infer_routes  # room: protocols
from api.protocols.oip.infer import Inference  # room: protocols
from api.protocols.oip.routes import add_oip, oip_router  # room: protocols
from api.protocols.seldon.answers import SeldonAnswers  # room: protocols
from api.protocols.seldon.routes import seldon_router  # room: protocols
from api.routes.feedback import feedback_router
from api.routes.predict import predict_router
from api.routes.service import service_router
from api.routes.suggest import suggest_router
from api.spool.routes import spool_router  # room: spool
from api.spool.spool_metrics import SpoolMetrics  # room: spool
from api.spool.spooled_log import spool_log  # room: spool
from api.spool.spooling_store import opener  # room: spool
from api.swagger.describe import describe  # room: swagger
from api.unseen_categories import UnseenCategories  # room: unseen_categories
from api.version_check.check import check_apart  # room: version_check
from common.browsers.hosts import hosts_of  # room: browsers
from common.connections.heads import Heads  # room: connections
from common.connections.protocol import LIMITS, Limits  # room: connections
from common.problem import get_problem
from common.registry.client import Registry
from common.settings import Settings, load_settings
from common.signing.check import check_of  # room: signing
from common.store import Store
from common.store.threads import STORE_SECONDS, StoreThreads
from trust.http.corrections import corrections_router  # room: trust
from trust.http.erasures import answer_for_erased, erasure_router  # room: trust
from trust.http.lineage import lineage_router  # room: trust
from trust.http.review_key import add_review_key  # room: trust
from trust.http.withdrawal_runs import WithdrawalRuns  # room: trust
from trust.http.withdrawals import withdrawals_router  # room: trust
from trust.withdrawal.effects import objection  # room: trust

# Requests are counted in Prometheus' metrics; a search for OpenTelemetry's providers would cost each request 4 µs.
NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
# How long a thread in the background may keep the event loop waiting; Python's default is 5 ms.
SWITCH_SECONDS = 0.0005
# The router tries the routes one after the other, so that the most frequent ones come first.
ROUTERS = [
    predict_router,
    draining_router,  # room: draining
    oip_router,  # room: protocols
    feedback_router,
    suggest_router,
    label_router,  # room: label_queue
    withdrawals_router,  # room: trust
    corrections_router,  # room: trust
    model_router,  # room: live_statistics
    promotion_router,  # room: promotion
    lineage_router,  # room: trust
    erasure_router,  # room: trust
    metadata_router,  # room: metadata
    spool_router,  # room: spool
    service_router,
    seldon_router,  # room: protocols
]


def create_app(settings: Settings | None = None, rate_limit: Any = None, metrics: Metrics | None = None) -> FastAPI:
    """Return the application; without `settings` it reads them when it starts.

    Several processes of one service share a `rate_limit` and `metrics`.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        logging.getLogger("api").setLevel(logging.INFO)
        async with AsyncExitStack() as stack:
            given = settings or load_settings()
            app.state.open_store = opener(app, given)  # room: spool
            limit_rate(app.state, given, rate_limit)  # room: guards
            app.state.hosts = hosts_of(given)  # room: browsers
            yield await _start(app, given, stack)

    app = FastAPIOffline(
        title="Closed-loop MLOps lab",
        summary="Predictions, and corrections that become the next model.",
        version="0.1.0",
        lifespan=lifespan,
        telemetry=NO_TELEMETRY,
    )
    app.state.metrics = metrics or Metrics()
    app.state.open_store = Store
    add_error_handlers(app)
    answer_for_erased(app)  # room: trust
    app.add_middleware(Heads)  # room: connections
    app.add_middleware(BodyGuard)  # room: guards
    app.add_middleware(RoleCheck)  # room: named_keys
    app.add_middleware(ApiWalls)  # room: guards
    app.state.http_metrics = HttpMetrics(app, app.state.metrics.registry)  # room: http_metrics
    app.state.shadow_metrics = ShadowMetrics(app.state.metrics)  # room: challenger
    app.state.spool_metrics = SpoolMetrics(app.state.metrics)  # room: spool
    app.state.unseen = UnseenCategories(app.state.metrics)  # room: unseen_categories
    app.state.metrics.show(app)
    app.add_middleware(RequestIds)  # room: guards
    add_oip(app)  # room: protocols
    return app


async def _start(app: FastAPI, settings: Settings, stack: AsyncExitStack) -> dict[str, Any]:
    """Start the parts of the application; `stack` stops them, the last one first.

    Returns:
        State for the connections.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    problem, state, metrics = get_problem(settings.problem), app.state, app.state.metrics
    state.problem, state.challenger = problem, None
    for make_router in ROUTERS:
        app.include_router(make_router(problem))
    describe(app, problem)  # room: swagger
    store = await asyncio.to_thread(state.open_store, settings.database_url, STORE_SECONDS)
    stack.callback(store.close)
    state.store = StoreThreads(store)
    stack.callback(state.store.close)
    registry = Registry(settings.mlflow_uri, settings.model_file_mb, settings.model_check_seconds)
    registry.check = check_of(settings)  # room: signing
    await stack.enter_async_context(registry)
    state.registry = registry  # room: trust
    state.access = Access(settings)
    state.access = NamedAccess(settings)  # room: named_keys
    add_review_key(state.access, settings)  # room: trust
    state.aliases = Aliases(problem, registry, state.store)  # room: promotion
    state.large = stack.enter_context(closing(OffloadLarge()))
    state.log = PredictionLog(problem, store.predictions, metrics)
    state.log.predictions = SampledLog(store, settings, metrics)  # room: log_sampling
    state.predictor = Predictor(state.log, metrics)
    threads: list[Any] = [state.log]
    threads.insert(0, spool_log(state, settings))  # room: spool
    state.champion = ChampionFollower(problem, registry, metrics, state.store)
    state.outbox = Outbox(problem, settings, state.store)
    services: list[Any] = [state.champion, state.outbox]
    state.champion.check = partial(check_apart, problem, settings)  # room: version_check
    state.champion.class_names = partial(class_names, problem, settings)  # room: class_names
    state.challenger = ChallengerFollower(problem, registry, metrics, state.champion)  # room: challenger
    shadow = Shadow(state.challenger, state.log, state.shadow_metrics)  # room: challenger
    state.predictor.observers.append(shadow.offer)  # room: challenger
    state.predictor.observers += state.unseen.observers(problem)  # room: unseen_categories
    threads, services = [*threads, shadow], [*services, state.challenger]  # room: challenger
    await asyncio.to_thread(keep_copies, problem, settings, state.champion, state.challenger)  # room: disk_copy
    services.append(LiveJudge(problem, settings, registry, state.store, state.aliases))  # room: probation
    services.append(LostRuns(problem, settings, state.store))  # room: lost_runs
    state.aliases.objections.append(partial(objection, problem))  # room: trust
    services.append(WithdrawalRuns(problem, settings, registry, state.store))  # room: trust
    fast: list[Any] = []
    state.inference = Inference(problem, state.predictor, state.large)  # room: protocols
    state.seldon = SeldonAnswers(problem, settings, state.store)  # room: protocols
    fast += infer_routes(problem, state.champion, state.inference)  # room: protocols
    await _run(threads, services, stack)
    # Everything imported so far lives as long as the process: full collections need not scan it.
    gc.freeze()
    gc.enable()
    stack.callback(gc.unfreeze)
    shared: dict[str, Any] = {}
    shared[FAST_ROUTES] = fast_routes(state, fast)  # room: fastpath
    shared[LIMITS] = Limits(settings)  # room: connections
    return shared


async def _run(threads: Sequence[Any], services: Sequence[Any], stack: AsyncExitStack) -> None:
    """Start the threads, then the services of the event loop; `stack` stops them, the last one first."""
    for thread in threads:
        thread.start()
        stack.push_async_callback(asyncio.to_thread, thread.stop)
    for service in services:
        await service.start()
        stack.push_async_callback(service.stop)


app = create_app()
