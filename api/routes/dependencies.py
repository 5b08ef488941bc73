"""What routes need, as dependencies: asynchronous ones, since others would each cost a request a hop to a thread."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request

from api.challenger.shadow import Shadow
from api.corrections.prefect_outbox import Outbox
from api.inference.prediction_log import PredictionLog
from api.inference.predictor import Predictor
from api.model.server import ChallengerServer, ChampionServer, Served
from common.registry.client import Registry
from common.store.threads import StoreThreads

NO_MODEL = (
    "there is no model yet: run `python main.py` (in containers `docker compose run --rm train`), "
    "and it is picked up within seconds"
)


async def _served(request: Request) -> Served:
    champion: ChampionServer = request.app.state.champion
    if champion.current is None:
        raise HTTPException(503, NO_MODEL)
    return champion.current


def _part(name: str) -> Any:
    """Return the dependency on a part of the application, as `api.py` has put it into its state."""

    async def part(request: Request) -> Any:
        return getattr(request.app.state, name)

    return Depends(part)


async def _beside(request: Request) -> Callable[[Callable[[], Any]], Awaitable[Any]]:
    return partial(request.app.state.large.do, size=len(await request.body()))


# Does work, in a thread if the request is large.
Beside = Annotated[Callable[[Callable[[], Any]], Awaitable[Any]], Depends(_beside)]
ServedModel = Annotated[Served, Depends(_served)]
TheChampion = Annotated[ChampionServer, _part("champion")]
TheChallenger = Annotated[ChallengerServer, _part("challenger")]
TheLog = Annotated[PredictionLog, _part("log")]
TheOutbox = Annotated[Outbox, _part("outbox")]
ThePredictor = Annotated[Predictor, _part("predictor")]
TheRegistry = Annotated[Registry, _part("registry")]
TheShadow = Annotated[Shadow, _part("shadow")]
TheStore = Annotated[StoreThreads, _part("store")]
