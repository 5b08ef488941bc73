"""The fast routes of an application, made from the parts in its state."""

from collections.abc import Sequence
from typing import Any

from api.fastpath.batches import BatchAnswers
from api.fastpath.predict import PredictRoute
from api.fastpath.routes import FastRoute, FastRoutes
from api.fastpath.rows import RowAnswers


def fast_routes(state: Any, more: Sequence[FastRoute] = ()) -> FastRoutes:
    """Return the fast routes of the application whose `app.state` this is, and `more`."""
    rows = RowAnswers(state.problem, state.champion, state.predictor)
    batches = BatchAnswers(state.problem, state.champion, state.predictor, state.large)
    routes = [PredictRoute(state.problem, rows, batches), *more]
    return FastRoutes({route.path.encode(): route for route in routes}, state.http_metrics, state.hosts)
