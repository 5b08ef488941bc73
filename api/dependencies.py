"""What routes need, as dependencies: asynchronous ones, since others would each cost a request a hop to a thread."""

from typing import Annotated

from fastapi import Depends, HTTPException, Request

from api.log import PredictionLog
from api.outbox import Outbox
from api.predict import Predictor
from api.serving import ChampionServer, Served
from common.store import Store

NO_MODEL = "there is no model yet: run `python main.py`, and it is picked up within seconds"


async def _served(request: Request) -> Served:
    champion: ChampionServer = request.app.state.champion
    if champion.current is None:
        raise HTTPException(503, NO_MODEL)
    return champion.current


async def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


async def _outbox(request: Request) -> Outbox:
    outbox: Outbox = request.app.state.outbox
    return outbox


async def _predictor(request: Request) -> Predictor:
    predictor: Predictor = request.app.state.predictor
    return predictor


async def _log(request: Request) -> PredictionLog:
    log: PredictionLog = request.app.state.log
    return log


ServedModel = Annotated[Served, Depends(_served)]
TheStore = Annotated[Store, Depends(_store)]
TheOutbox = Annotated[Outbox, Depends(_outbox)]
ThePredictor = Annotated[Predictor, Depends(_predictor)]
TheLog = Annotated[PredictionLog, Depends(_log)]
