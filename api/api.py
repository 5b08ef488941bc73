"""The online service: `create_app` wires it; `app` is what `fastapi dev|run api/api.py` serves."""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from api.errors import add_error_handlers
from api.guard import BodyGuard
from api.metrics import Metrics
from api.outbox import Outbox
from api.predict_routes import predict_router
from api.service_routes import service_router
from api.serving import ModelServer
from api.suggest_routes import suggest_router
from common.problem import get_problem
from common.registry import Registry
from common.settings import Settings, load_settings
from common.store import Store


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application; without `settings` they are read when it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        logging.getLogger("api").setLevel(logging.INFO)
        async with AsyncExitStack() as stack:
            await _start(app, settings or load_settings(), stack)
            yield

    app = FastAPI(
        title="Closed-loop MLOps lab",
        summary="Predictions, and corrections that become the next model.",
        version="0.1.0",
        lifespan=lifespan,
    )
    app.state.metrics = Metrics()
    add_error_handlers(app)
    app.add_middleware(BodyGuard)
    app.state.metrics.instrument(app)
    return app


async def _start(app: FastAPI, settings: Settings, stack: AsyncExitStack) -> None:
    problem = get_problem(settings.problem)
    app.state.columns = problem.columns
    for router in (predict_router(problem), suggest_router(problem), service_router(problem)):
        app.include_router(router)
    app.state.store = Store(settings.database_url)
    stack.callback(app.state.store.close)
    registry = await stack.enter_async_context(Registry(settings.mlflow_uri))
    app.state.server = ModelServer(problem, settings, registry, app.state.metrics)
    app.state.outbox = Outbox(problem, settings, app.state.store)
    for service in (app.state.server, app.state.outbox):
        await service.start()
        stack.push_async_callback(service.stop)


app = create_app()
