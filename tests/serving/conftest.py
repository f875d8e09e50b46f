"""A model that says what it is told to, and a server for it on a free port."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from gptwright.engine.sampling import Sampling
from gptwright.foundations.errors import InputError
from gptwright.generation.model import Piece
from gptwright.serving.api import create_app
from gptwright.serving.listen import take_port


@dataclass
class FakeModel:
    """Says `reply` word by word; counts words as tokens; notes what it was asked. `gate`, when closed, holds it."""

    name: str = "tiny"
    context: int = 64
    reply: str = "Hello there, my friend."
    sampling: Sampling = field(default_factory=lambda: Sampling(max_tokens=32))
    asked: list[tuple[Any, Sampling]] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    paced: bool = False
    made: int = 0
    ended: int = 0

    def stream_chat(self, messages: Any, sampling: Sampling) -> Iterator[Piece]:
        self.asked.append((list(messages), sampling))
        return self._stream(sum(len(m["content"].split()) for m in messages), sampling)

    def stream(self, prompt: str, sampling: Sampling) -> Iterator[Piece]:
        self.asked.append((prompt, sampling))
        return self._stream(len(prompt.split()), sampling)

    def _stream(self, prompt: int, sampling: Sampling) -> Iterator[Piece]:
        if prompt >= self.context:
            raise InputError(
                f"a prompt of fewer than {self.context} tokens, the model's context", f"{prompt}", "Shorten it."
            )
        if self.reply == "crash":
            raise RuntimeError("secret path /home/somebody at 0x7f00")
        try:
            words = self.reply.split(" ")[: sampling.max_tokens]
            for count, word in enumerate(words, start=1):
                if self.paced:
                    assert self.gate.wait(30)
                    self.gate.clear()
                self.made += 1
                yield Piece(word if count == 1 else " " + word, None, prompt, count)
            yield Piece("", "length" if len(words) == sampling.max_tokens else "stop", prompt, len(words))
        finally:
            self.ended += 1


@pytest.fixture
def model() -> FakeModel:
    return FakeModel()


@pytest.fixture
def feedback(tmp_path: Path) -> Path:
    return tmp_path / "run" / "feedback.jsonl"


Client = Callable[..., httpx.AsyncClient]


@pytest.fixture
def client(model: FakeModel, feedback: Path) -> Client:
    """A client of the application itself, without a network; keyword arguments go to `create_app`."""

    def make(**options: Any) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(create_app(model, feedback, **options), raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://localhost")

    return make


@contextmanager
def running(app: FastAPI) -> Iterator[str]:
    """Serves `app` from a thread on a free port."""
    held = take_port("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, http="h11", ws="none", log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [held]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{held.getsockname()[1]}"
    finally:
        app.state.worker.close()
        server.should_exit = True
        thread.join(20)
        held.close()


@pytest.fixture
def serve() -> Callable[[FastAPI], AbstractContextManager[str]]:
    """`with serve(app) as address`."""
    return running


@pytest.fixture
def app(model: FakeModel, feedback: Path) -> FastAPI:
    return create_app(model, feedback, examples=("What is a cat?", "Tell me about the sea."))


@pytest.fixture
def address(app: FastAPI) -> Iterator[str]:
    """The address of a real server for `model`."""
    with running(app) as found:
        yield found
