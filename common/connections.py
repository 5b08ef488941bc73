"""Connections of the api and of the monitor: uvicorn's, and what it does not do for clients.

A client that asks for another protocol beside its request (`Upgrade: h2c`, as curl and Java's client do) is answered by
HTTP/1.1; uvicorn would lose the body. A client that closes its side after its request still gets the answer.
"""

from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class Connection(HttpToolsProtocol):
    """A connection of a client."""

    cycle: Any  # what keeps the connection busy: uvicorn's, or a shorter one
    _upgrades = False  # whether the request that is being read asks for another protocol
    _is_whole = True  # whether the newest request has been read to its end

    def data_received(self, data: bytes) -> None:
        """Read requests."""
        self._unset_keepalive_if_required()
        while data:
            data = self._read(data)

    def _read(self, data: bytes) -> bytes:
        """Read requests; return what is to be read next."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if not self._upgrades:
                self._read_no_more()
                return b""
            return self._without_upgrade() + data[upgrade.args[0] :]
        except httptools.HttpParserError:
            self.logger.warning("Invalid HTTP request received.")
            self.send_400_response("Invalid HTTP request received.")
        return b""

    def on_headers_complete(self) -> None:
        """Begin a request, unless it has to be read again."""
        # The other reason for an upgrade is CONNECT, which is a method that no route has.
        self._upgrades = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        self._is_whole = False
        if not self._upgrades:
            self.begin_request()

    def on_message_complete(self) -> None:
        """End a request, unless it has to be read again."""
        if not self._upgrades:
            self._is_whole = True
            self.end_request()

    def begin_request(self) -> None:
        """Take a request whose headers are here."""
        super().on_headers_complete()

    def end_request(self) -> None:
        """Take the end of a request's body."""
        super().on_message_complete()

    def _without_upgrade(self) -> bytes:
        """Return the head of the request without its wish, for a parser that has not heard of it."""
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())]
        lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own
        return b"\r\n".join([*lines, b"", b""])

    def _read_no_more(self) -> None:
        """Pass over whatever else comes, and close when what has come is answered."""
        self.parser = _Deaf()  # type: ignore[assignment]
        if self._is_answering:
            self.cycle.keep_alive = False
        else:
            self.transport.close()

    def eof_received(self) -> bool:  # type: ignore[override]  # uvicorn lets every connection go
        """Return whether the connection stays until its client, which sends no more, has its answer."""
        if not self._is_whole or not self._is_answering:
            return False
        self._read_no_more()
        return True

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete


class _Deaf:
    """A parser that passes over everything."""

    def feed_data(self, data: bytes) -> None:
        """Do nothing."""
