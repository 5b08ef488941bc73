"""uvicorn's HTTP protocol with a fast path: it answers plain requests on their connection, without an ASGI task.

For every request uvicorn makes a task, messages and events, reads all headers of the response, and calls the
application through all of its middleware: half of the time of a prediction. This protocol first asks the `FastRoute` of
the path. Its reply goes straight onto the connection. A request without a reply goes to the application as if the route
had not been asked: one to another path, one with a mistake, every request while there is no model. Under another
server, and under `fastapi dev`, all requests go to the application.
"""

import asyncio
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from api.draining.server import DRAINING
from api.fastpath.routes import FAST_ROUTES, FastRoute, FastRoutes, PendingReply, Reply
from api.guards.body_guard import MAX_BODY_BYTES
from api.guards.request_ids import request_id
from common.browsers.policies import NO_PAGE_LINES
from common.connections.protocol import Connection

# Headers whose requests go to the application: of compressed bodies, and of pages in a browser.
TO_APPLICATION = frozenset({b"content-encoding", b"origin", b"sec-fetch-site"})
# The end of each head, with the length of the content.
END = b"content-length: %d\r\n" + NO_PAGE_LINES + b"x-request-id: "


class _NoEvent:
    """Takes the place of the event by which uvicorn wakes an application; no application waits here."""

    def set(self) -> None:
        """Do nothing."""


@dataclass(slots=True)
class FastRequest:
    """A request on the fast path. It stands in for uvicorn's cycle and has the attributes that uvicorn reads.

    Attributes:
        scope: the ASGI scope that uvicorn has begun, with the headers.
        keep_alive: whether the connection stays open after the reply; uvicorn sets it to False when it stops.
        disconnected: whether the client has closed the connection.
    """

    route: FastRoute
    scope: Any
    keep_alive: bool
    body: bytearray = field(default_factory=bytearray)
    begin: float = field(default_factory=perf_counter)
    response_complete: bool = False
    disconnected: bool = False
    message_event: ClassVar = _NoEvent()


class FastPathProtocol(Connection):
    """A connection. Requests that have no fast route take uvicorn's own path."""

    def begin_request(self) -> None:
        """Begin the fast path if there is a route for this request."""
        route = self._route()
        if route is None:
            super().begin_request()
        else:
            self.cycle = FastRequest(route, self.scope, self.parser.should_keep_alive())

    def _route(self) -> FastRoute | None:
        fast: FastRoutes | None = self.app_state.get(FAST_ROUTES)
        if fast is None or (route := fast.routes.get(self.url)) is None:
            return None
        if self.parser.get_method() != b"POST" or self.parser.get_http_version() != "1.1":
            return None
        busy = self.cycle is not None and not self.cycle.response_complete
        if busy or self.expect_100_continue or self.flow.write_paused:
            return None
        # The application refuses compressed bodies, foreign pages and unknown hosts, with an explanation.
        for name, value in self.headers:
            if name in TO_APPLICATION or (name == b"host" and not fast.hosts.allows(value)):
                return None
        return route if route.accepts(self.headers) else None

    def on_body(self, body: bytes) -> None:
        """Keep the body; give it to the application if it is too large for every route."""
        request = self.cycle
        if not isinstance(request, FastRequest):
            super().on_body(body)
            return
        request.body += body
        if len(request.body) > MAX_BODY_BYTES:
            self._hand_over(request, more_body=True)

    def end_request(self) -> None:
        """Send the reply, or give the request to the application."""
        request = self.cycle
        if not isinstance(request, FastRequest):
            super().end_request()
            return
        reply = request.route.answer(request.scope["headers"], bytes(request.body))
        if reply is None:
            self._hand_over(request)
            return
        if isinstance(reply, tuple):
            self._count(request, reply)
            self._send(request, *reply)
            return
        # uvicorn waits for these tasks when it stops.
        self.tasks.add(reply)  # type: ignore[arg-type]  # it waits for a future as it does for a task
        reply.add_done_callback(partial(self._answered, request))

    def _answered(self, request: FastRequest, pending: PendingReply) -> None:
        self.tasks.discard(pending)
        has_gone = request.disconnected or self.transport.is_closing()
        reply = None if pending.cancelled() or pending.exception() else pending.result()
        if reply is not None:
            self._count(request, reply)
        if has_gone:
            return
        if reply is None:
            self._hand_over(request)
        else:
            self._send(request, *reply)

    def _count(self, request: FastRequest, reply: Reply) -> None:
        fast: FastRoutes = self.app_state[FAST_ROUTES]
        seconds = perf_counter() - request.begin
        fast.http.count("POST", request.route.handler, "2xx", seconds, len(request.body), len(reply[0]))

    def _send(self, request: FastRequest, content: bytes, headers: bytes) -> None:
        head = [b"HTTP/1.1 200 OK\r\n"]
        for name, value in self.server_state.default_headers:
            head += name, b": ", value, b"\r\n"
        head += headers, END % len(content), request_id(request.scope["headers"])
        head.append(b"\r\n\r\n" if request.keep_alive else b"\r\nconnection: close\r\n\r\n")
        # Head and content stay apart, because joining them would copy the predictions of a batch.
        self.transport.writelines([b"".join(head), content])
        request.response_complete = True
        if not request.keep_alive or DRAINING in self.app_state:
            self.transport.close()
        self.on_response_complete()

    def _hand_over(self, request: FastRequest, *, more_body: bool = False) -> None:
        """Give a request to the application as uvicorn does. The connection may already be reading the next one."""
        path, scope = request.route.path, request.scope
        scope |= {"method": "POST", "path": path, "raw_path": path.encode(), "query_string": b""}
        cycle = RequestResponseCycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=request.keep_alive,
            on_response=self.on_response_complete,
        )
        cycle.body = request.body
        cycle.more_body = more_body
        cycle.message_event.set()
        if self.cycle is request:
            self.cycle = cycle
        self._start_asgi_task(cycle, self.app)
