"""The fast routes of an application, made from the parts in its state."""

from typing import Any

from api.fastpath.batches import BatchAnswers
from api.fastpath.oip import infer_routes  # room: protocols
from api.fastpath.predict import PredictRoute
from api.fastpath.routes import FastRoute, FastRoutes
from api.fastpath.rows import RowAnswers


def fast_routes(state: Any) -> FastRoutes:
    """Return the fast routes of the application whose `app.state` this is."""
    rows = RowAnswers(state.problem, state.champion, state.predictor)
    batches = BatchAnswers(state.problem, state.champion, state.predictor, state.large)
    routes: list[FastRoute] = [PredictRoute(state.problem, rows, batches)]
    routes += infer_routes(state.problem, state.champion, state.inference)  # room: protocols
    return FastRoutes({route.path.encode(): route for route in routes}, state.http_metrics)
