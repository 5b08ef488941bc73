"""uvicorn's HTTP protocol, with a short way for what is plain and valid: answered without an ASGI task for each.

uvicorn makes a task, messages and events for every request, looks through every header of its answer, and calls the
application through all that stands before it: half of what a prediction takes. A request that some `Way` takes
(`api/fastpath/routes.py`) is answered here, straight onto its connection; whatever the way does not answer (another
path, a mistake, a service without a model) goes to the application as if nobody had looked. Under another server, or
`fastapi dev`, all goes there.
"""

import asyncio
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from api.fastpath.routes import Answer, Reply, ShortWays, Way
from api.guards.body_guard import MAX_BODY_BYTES
from api.guards.request_ids import request_id
from common.connections.protocol import Connection

STATE = "short_ways"  # where the application's state has its `ShortWays`


class _Nobody:
    """Who waits for a request on the short way to go on."""

    def set(self) -> None:
        """Tell nobody."""


@dataclass(slots=True)
class Short:
    """A request on the short way; for uvicorn the cycle that keeps a connection busy, with what it looks at of one.

    Attributes:
        scope: what uvicorn has noted of the request, the headers among it.
        keep_alive: whether the connection stays; uvicorn changes its mind when it is told to stop.
        disconnected: whether the client has gone.
    """

    way: Way
    scope: Any
    keep_alive: bool
    body: bytearray = field(default_factory=bytearray)
    begin: float = field(default_factory=perf_counter)
    response_complete: bool = False
    disconnected: bool = False
    message_event: ClassVar = _Nobody()


class ShortHttp(Connection):
    """A connection. What has no short way is uvicorn's own business."""

    def begin_request(self) -> None:
        """Take the short way if there is one."""
        way = self._way()
        if way is None:
            super().begin_request()
        else:
            self.cycle = Short(way, self.scope, self.parser.should_keep_alive())

    def _way(self) -> Way | None:
        ways: ShortWays | None = self.app_state.get(STATE)
        way = ways.ways.get(self.url) if ways else None
        if way is None or self.parser.get_method() != b"POST" or self.parser.get_http_version() != "1.1":
            return None
        busy = self.cycle is not None and not self.cycle.response_complete
        if busy or self.expect_100_continue or self.flow.write_paused:
            return None
        # The route says that it must not be compressed.
        if any(name == b"content-encoding" for name, _ in self.headers):
            return None
        return way if way.takes(self.headers) else None

    def on_body(self, body: bytes) -> None:
        """Keep the body, if it is not too large for any way."""
        short = self.cycle
        if not isinstance(short, Short):
            super().on_body(body)
            return
        short.body += body
        if len(short.body) > MAX_BODY_BYTES:
            self._leave(short, more_body=True)

    def end_request(self) -> None:
        """Answer, or let the application do so."""
        short = self.cycle
        if not isinstance(short, Short):
            super().end_request()
            return
        answer = short.way.answer(short.scope["headers"], bytes(short.body))
        if answer is None:
            self._leave(short)
            return
        if isinstance(answer, tuple):
            self._count(short, answer)
            self._send(short, *answer)
            return
        # Which uvicorn waits for when it stops.
        self.tasks.add(answer)  # type: ignore[arg-type]  # a future is waited for as a task is
        answer.add_done_callback(partial(self._answered, short))

    def _answered(self, short: Short, answer: Answer) -> None:
        self.tasks.discard(answer)
        has_gone = short.disconnected or self.transport.is_closing()
        found = None if answer.cancelled() or answer.exception() else answer.result()
        if found is not None:
            self._count(short, found)
        if has_gone:
            return
        if found is None:
            self._leave(short)
        else:
            self._send(short, *found)

    def _count(self, short: Short, found: Reply) -> None:
        ways: ShortWays = self.app_state[STATE]
        seconds = perf_counter() - short.begin
        ways.http.count("POST", short.way.route, "2xx", seconds, len(short.body), len(found[0]))

    def _send(self, short: Short, content: bytes, headers: bytes) -> None:
        head = [b"HTTP/1.1 200 OK\r\n"]
        for name, value in self.server_state.default_headers:
            head += name, b": ", value, b"\r\n"
        head += headers, b"content-length: %d\r\nx-request-id: " % len(content), request_id(short.scope["headers"])
        head.append(b"\r\n\r\n" if short.keep_alive else b"\r\nconnection: close\r\n\r\n")
        # Not as one: the answers of a batch would be copied.
        self.transport.writelines([b"".join(head), content])
        short.response_complete = True
        if not short.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _leave(self, short: Short, *, more_body: bool = False) -> None:
        """Give a request to the application, as uvicorn does; by now it may be about to read the next one."""
        path, scope = short.way.path, short.scope
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
            keep_alive=short.keep_alive,
            on_response=self.on_response_complete,
        )
        cycle.body = short.body
        cycle.more_body = more_body
        cycle.message_event.set()
        if self.cycle is short:
            self.cycle = cycle
        self._start_asgi_task(cycle, self.app)
