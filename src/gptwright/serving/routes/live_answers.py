"""Answers while they are written: they go on when nobody listens, and whoever comes reads from where they want.

What is held in memory is the text so far, of as many answers as a model writes or lets wait; how long one may take is
bounded too.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from gptwright.serving.api_errors import APIError
from gptwright.serving.choices import IndexedChunk
from gptwright.serving.jobs import job_error
from gptwright.serving.worker import Closed, Job

SECONDS = 600.0
"""the longest that an answer may wait and be written"""
LOOK = 0.25
"""seconds after which an answer that waits looks again where it stands"""
EACH = 16
"""answers of one caller at once"""


@dataclass
class LiveAnswer:
    """One answer. `text` grows; `ended` says that no more comes, `error` why that was not as it should be."""

    id: str
    owner: str
    conversation_id: str
    parent_id: str
    model: str
    continues: str = ""
    text: str = ""
    finish: str = ""
    tokens: int = 0
    ended: bool = False
    error: APIError | None = None
    started: float = field(default_factory=time.monotonic)
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    """since it was asked for, until its model began to read, its first text came, and it ended"""
    place: Callable[[], int] = lambda: 0
    """where it stands in line, from 1; 0 when its turn has come"""
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _timeout: asyncio.Timeout | None = None

    def view(self) -> dict[str, Any]:
        """Where it stands and how far it is."""
        names = ("id", "parent_id", "model", "tokens", *(["continues"] if self.continues else []))
        return {name: getattr(self, name) for name in names} | {"offset": len(self.text)}

    def note(self, name: str) -> None:
        """How long it took until now, told once."""
        self.seconds.setdefault(name, round(time.monotonic() - self.started, 4))

    def stop(self) -> None:
        """It ends here, as if its time were over."""
        if self._timeout and not self.ended:
            self._timeout.reschedule(asyncio.get_running_loop().time())

    async def places(self) -> AsyncGenerator[int]:
        """Where it stands in line, where it waits longer than a look, whenever that is another place; 0 at its turn."""
        told = 0
        while not self.ended and "waited" not in self.seconds:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), LOOK)
            place = self.place()
            if place != told:
                told = place
                yield place
        if told:
            yield 0

    async def pieces(self, offset: int) -> AsyncGenerator[tuple[int, str]]:
        """The text from the character `offset` on, as it comes, each piece with where it ends."""
        while True:
            news, ended = self._news, self.ended
            if len(self.text) > offset:
                piece = self.text[offset:]
                offset = len(self.text)
                yield offset, piece
            if ended:
                return
            await news.wait()

    async def write(self, job: "Job[IndexedChunk]", keep: Callable[["LiveAnswer"], Awaitable[None]]) -> None:
        """Takes what the job makes, until it ends or the time does, and keeps what has come."""
        try:
            async with asyncio.timeout(SECONDS) as self._timeout:
                async for new in job:
                    for _, chunk in new:
                        self.text += chunk.text
                        self.tokens, self.finish = chunk.completion_tokens, chunk.finish or ""
                    self._tell("first")
        except (TimeoutError, Closed):
            self.finish = "cancelled"
        except Exception as error:
            self.finish, self.error = "cancelled", job_error(error, "message_id")
        finally:
            job.close()
        self.note("all")
        try:
            await keep(self)
        except APIError as error:
            self.error = error
        finally:
            self.ended = True
            self._tell("all")

    def _tell(self, what: str) -> None:
        self.note(what)
        told, self._news = self._news, asyncio.Event()
        told.set()


class LiveAnswers:
    """Those that are being written, by id."""

    def __init__(self) -> None:
        self._live: dict[str, LiveAnswer] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def find(self, id: str, owner: str) -> LiveAnswer | None:
        """The owner's."""
        found = self._live.get(id)
        return found if found and found.owner == owner else None

    def of(self, conversation_id: str, owner: str) -> list[LiveAnswer]:
        """The owner's of one conversation, oldest first."""
        return [one for one in self._live.values() if (one.conversation_id, one.owner) == (conversation_id, owner)]

    def check_room(self, owner: str) -> None:
        """Raises `APIError` (429) when as many of the owner's are written as may be."""
        if sum(one.owner == owner for one in self._live.values()) >= EACH:
            raise APIError(429, f"{EACH} of your answers are being written; wait for one.", code="queue_full")

    def start(self, live: LiveAnswer, job: "Job[IndexedChunk]", keep: Callable[[LiveAnswer], Awaitable[None]]) -> None:
        """Writes it beside everything else; it is found here until it is kept."""

        async def written() -> None:
            try:
                await live.write(job, keep)
            finally:
                del self._live[live.id]

        self._live[live.id] = live
        task = asyncio.create_task(written())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self) -> None:
        """Waits until all are kept."""
        await asyncio.gather(*self._tasks, return_exceptions=True)


def draw_seed() -> int:
    """For an answer that was asked for without one: with it, it can be written again. JavaScript reads it exactly."""
    return secrets.randbits(53)
