"""A model that says what it is told to, and a server for it on a free port."""

import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch
from fastapi import FastAPI

from gptwright.inference.engine import PromptTooLong
from gptwright.inference.sampling import Sampling
from gptwright.inference.stream import Chunk, Prompt
from gptwright.pipelines.truncation import drop_oldest_turns, room_for_prompt
from gptwright.serving.api import create_app
from gptwright.serving.server import serving, take_port
from gptwright.store.database import Store, open_store
from gptwright.store.exports import thumbs
from gptwright.tokenizers.chat_templates.parts import images_of


class FakeTokenizer:
    """Ids without a meaning."""

    vocab = 100

    def said(self, id: int) -> bytes | None:
        return b"x"


@dataclass
class FakeModel:
    """Says `reply` word by word; counts words as tokens; notes what it was asked. `gate`, when closed, holds it."""

    name: str = "tiny"
    context: int = 64
    max_requests: int = 1
    reply: str = "Hello there, my friend."
    width: int = 4
    sees: bool = False
    inserts: bool = False
    edits: bool = False
    sampling: Sampling = field(default_factory=lambda: Sampling(max_tokens=32))
    tokenizer: FakeTokenizer = field(default_factory=FakeTokenizer)
    read: list[Any] = field(default_factory=list)
    tools: list[Any] = field(default_factory=list)
    asked: list[tuple[Any, Sampling]] = field(default_factory=list)
    seeds: list[int | None] = field(default_factory=list)
    seen: list[Any] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    paced: bool = False
    made: int = 0
    tokens_read: int = 0
    tokens_written: int = 0
    ended: int = 0
    open_now: list["FakeStream"] = field(default_factory=list)

    @property
    def engine(self) -> "FakeModel":
        return self

    def chat_ids(self, messages: Any, tools: Any = (), begun: str = "") -> list[int]:
        self.tools.append(tools)
        return self._kept(list(messages), sum(len(m["content"].split()) for m in messages) + len(begun.split()))

    def text_ids(self, prompt: str) -> list[int]:
        return self._kept(prompt, len(prompt.split()))

    def text_prompt(self, prompt: str | list[int]) -> Prompt:
        text = prompt if isinstance(prompt, str) else " ".join(map(str, prompt))
        return Prompt(self.text_ids(text), text)

    def truncated(self, messages: Any, sampling: Sampling, tools: Any = (), begun: str = "") -> Any:
        return drop_oldest_turns(messages, lambda some: sum(len(m["content"].split()) for m in some),
                              room_for_prompt(self.context, sampling.max_tokens))  # fmt: skip

    def chat_content(self, messages: Any, tools: Any = ()) -> dict[int, Any]:
        return dict(enumerate(images_of(messages)))

    def matcher(self, sampling: Sampling, *, starts_text: bool) -> None:
        pass

    def _kept(self, prompt: Any, words: int) -> list[int]:
        self.read.append(prompt)
        return [len(self.read) - 1] * words

    def open_stream(
        self,
        ids: list[int],
        sampling: Sampling,
        *,
        seed: int | None,
        starts_text: bool = True,
        echo: Prompt | None = None,
        content: Any = None,
    ) -> "FakeStream":
        self.seen.append(content)
        self.asked.append((self.read[ids[0]] if ids else "", sampling))
        self.seeds.append(seed)
        if len(ids) >= self.context:
            raise PromptTooLong(len(ids), self.context, answered=True)
        stream = FakeStream(self, len(ids), self.reply.split(" "), sampling.max_tokens)
        self.open_now.append(stream)
        return stream

    def embeddings(self, rows: Any) -> Any:
        return torch.ones(len(rows), 4) / 2

    def step(self) -> None:
        if self.paced:
            assert self.gate.wait(30)
            self.gate.clear()
        if self.reply == "crash":
            raise RuntimeError("secret path /home/somebody at 0x7f00")
        for stream in self.open_now:
            stream.said += 1
            self.made += 1


class FakeStream:
    """One reply of a `FakeModel`."""

    def __init__(self, model: FakeModel, prompt: int, words: list[str], most: int) -> None:
        self.model, self.prompt, self.words = model, prompt, words[:most]
        self.cut, self.joint = len(words) >= most, " "
        self.said = self.told = 0

    def next(self) -> Chunk | None:
        if self.said == self.told:
            return None
        self.told += 1
        text = self.joint.join(["", *self.words[self.told - 1 : self.told]][self.told == 1 :])
        if self.told < len(self.words):
            return Chunk(text, None, self.prompt, self.told)
        self.close()
        return Chunk(text, "length" if self.cut else "stop", self.prompt, self.told)

    def close(self) -> None:
        self.model.open_now.remove(self)
        self.model.ended += 1


@pytest.fixture
def model() -> FakeModel:
    return FakeModel()


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which nothing was kept: its tables are made once, and copied for every test."""
    path = tmp_path_factory.mktemp("empty") / "store.sqlite"
    open_store(path).close()
    return path


@pytest.fixture
def store_path(tmp_path: Path, empty_store: Path) -> Path:
    """Where the store of this test lies, in the folder of its run."""
    (tmp_path / "run").mkdir()
    return Path(shutil.copy(empty_store, tmp_path / "run"))


@pytest.fixture
def store(store_path: Path) -> Iterator[Store]:
    with open_store(store_path, patience=0.1) as opened:
        yield opened


@pytest.fixture
def rated(store: Store) -> Callable[[], list[dict[str, Any]]]:
    """The ratings that are kept."""

    def read() -> list[dict[str, Any]]:
        with store.read() as session:
            return list(thumbs(session))

    return read


Client = Callable[..., httpx.AsyncClient]


@pytest.fixture
def client(model: FakeModel, store: Store) -> Client:
    """A client of the application, without a network. `more` models are served too; options go to `create_app`."""

    def make(more: Mapping[str, Any] | None = None, **options: Any) -> httpx.AsyncClient:
        app = create_app({model.name: model, **(more or {})}, store, **options)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://localhost")

    return make


@contextmanager
def running(app: FastAPI) -> Iterator[str]:
    """Serves `app` from a thread on a free port."""
    held = take_port("127.0.0.1", 0)
    address = f"http://127.0.0.1:{held.getsockname()[1]}"
    with serving(app, held):
        yield address


@pytest.fixture
def serve() -> Callable[[FastAPI], AbstractContextManager[str]]:
    """`with serve(app) as address`."""
    return running


@pytest.fixture
def app(model: FakeModel, store: Store) -> FastAPI:
    return create_app({model.name: model}, store, examples=("What is a cat?", "Tell me about the sea."))


@pytest.fixture
def address(app: FastAPI) -> Iterator[str]:
    """The address of a real server for `model`."""
    with running(app) as found:
        yield found
