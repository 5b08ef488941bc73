"""What routes need, as dependencies."""

from typing import Annotated

from fastapi import Depends, HTTPException, Request

from api.outbox import Outbox
from api.serving import ModelServer, Served
from common.store import Store

NO_MODEL = "there is no model yet: run `python main.py`, and it is picked up within seconds"


def _served(request: Request) -> Served:
    server: ModelServer = request.app.state.server
    if server.current is None:
        raise HTTPException(503, NO_MODEL)
    return server.current


def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


def _outbox(request: Request) -> Outbox:
    outbox: Outbox = request.app.state.outbox
    return outbox


ServedModel = Annotated[Served, Depends(_served)]
TheStore = Annotated[Store, Depends(_store)]
TheOutbox = Annotated[Outbox, Depends(_outbox)]
