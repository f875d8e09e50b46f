"""Connections within limits: how long one may take to say what it wants and to take what it is told, and how many there
may be.

uvicorn bounds the bytes of a request's head, and the silence after an answer. Whoever sends nothing, or a head byte by
byte, would keep a connection for ever.
"""

import asyncio
from typing import cast

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

HEAD_SECONDS = 10.0
"""for the whole head of a request, from the connection or from the first byte behind an answer"""
TAKE_SECONDS = 30.0
"""for a caller to take what stands in the way of all that is to be sent"""
MOST = 512
"""connections; a process may often have 1,024 files open"""
LATE = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class BoundedConnection(H11Protocol):
    """uvicorn's connection with deadlines. Beyond `MOST`, the one that has waited longest for a request makes room, and
    where all have one, the newest."""

    _head: asyncio.TimerHandle | None = None
    _take: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().connection_made(transport)
        self._watch()
        self._make_room()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._take = self.loop.call_later(TAKE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._take = _cancelled(self._take)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._head, self._take = _cancelled(self._head), _cancelled(self._take)

    @property
    def _begun(self) -> RequestResponseCycle | None:
        """The last request whose head was whole; uvicorn declares that there is always one."""
        return self.cycle

    @property
    def waits(self) -> bool:
        """Whether there is no request to answer."""
        return self._begun is None or self._begun.response_complete

    @property
    def deadline(self) -> float:
        """Until when the head of its request must be there; one that is silent after an answer has none of ours."""
        return self._head.when() if self._head else float("inf")

    def _watch(self) -> None:
        """More bytes move no deadline; a whole head ends it."""
        if not self.waits:
            self._head = _cancelled(self._head)
        elif self._head is None:
            self._head = self.loop.call_later(HEAD_SECONDS, self._late)

    def _late(self) -> None:
        """Whoever has sent some of a head is told why."""
        is_between = self._begun is None or not self._begun.more_body
        if is_between and self.conn.trailing_data[0]:
            self.transport.write(LATE)
        self.transport.close()

    def _make_room(self) -> None:
        there = [one for one in cast("set[BoundedConnection]", self.connections) if not one.transport.is_closing()]
        if len(there) > MOST:
            idle = [one for one in there if one.waits and one is not self]
            (min(idle, key=lambda one: one.deadline) if idle else self).transport.abort()


def _cancelled(timer: asyncio.TimerHandle | None) -> None:
    if timer:
        timer.cancel()
