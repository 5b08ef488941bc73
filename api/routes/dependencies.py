"""The parts of the application that routes need, as dependencies.

They are asynchronous: FastAPI runs the others in a thread, and each such hop would cost a request more than its work.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.routing import APIRoute

from api.corrections.prefect_outbox import Outbox
from api.guards.json_bodies import BoundedRoute  # room: guards
from api.guards.rate_limit import NOT_TOO_OFTEN  # room: guards
from api.http.access import WITH_KEY
from api.inference.prediction_log import PredictionLog
from api.inference.predictor import Predictor
from api.model.follower import ChampionFollower, ServedVersion
from common.store.threads import StoreThreads

NO_MODEL = (
    "there is no model yet: run `python main.py` (in containers `docker compose run --rm train`), "
    "and it is picked up within seconds"
)


# The dependencies of the route that takes corrections.
FOR_CORRECTIONS = [WITH_KEY]
FOR_CORRECTIONS.append(NOT_TOO_OFTEN)  # room: guards


def router_for_bodies(**options: Any) -> APIRouter:
    """Return a router for routes that read JSON bodies; `options` are those of `APIRouter`."""
    route_class = APIRoute
    route_class = BoundedRoute  # room: guards
    return APIRouter(route_class=route_class, **options)


async def _served(request: Request) -> ServedVersion:
    champion: ChampionFollower = request.app.state.champion
    if champion.current is None:
        raise HTTPException(503, NO_MODEL)
    return champion.current


def part(name: str) -> Any:
    """Return the dependency on a part of the application, by the name that `api.py` gives it in the state."""

    async def find(request: Request) -> Any:
        return getattr(request.app.state, name)

    return Depends(find)


async def _offload(request: Request) -> Callable[[Callable[[], Any]], Awaitable[Any]]:
    return partial(request.app.state.large.do, size=len(await request.body()))


# Does a piece of work, in a thread if the body of the request is large.
Offload = Annotated[Callable[[Callable[[], Any]], Awaitable[Any]], Depends(_offload)]
ServedModel = Annotated[ServedVersion, Depends(_served)]
TheChampion = Annotated[ChampionFollower, part("champion")]
TheLog = Annotated[PredictionLog, part("log")]
TheOutbox = Annotated[Outbox, part("outbox")]
ThePredictor = Annotated[Predictor, part("predictor")]
TheStore = Annotated[StoreThreads, part("store")]
