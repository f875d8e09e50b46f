"""Every kind of image from the command line and over HTTP: seen as it is, or refused with what was needed, what came
and what to do."""

import asyncio
import io
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from gptwright.images.named import as_data_uri
from gptwright.pipelines.load import load_writer
from gptwright.serving.api import create_app
from gptwright.store.database import open_store

ASKED = "Who fell?"
RED = (200, 30, 30)


def file_of(image: Image.Image, kind: str = "PNG", **how: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **how)
    return buffer.getvalue()


def says_it_is(width: int, height: int) -> bytes:
    """A PNG with such a header, and few bytes that unpack to many."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(10**6))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def rotated() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return file_of(Image.new("RGB", (16, 8), RED), "JPEG", exif=exif)


PLAIN = file_of(Image.new("RGB", (16, 16), RED))
FRAMES = [Image.new("RGB", (16, 16), colour) for colour in (RED, (0, 0, 0))]
SEEN = {
    "animated": file_of(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:]),
    "cmyk": file_of(Image.new("CMYK", (16, 16), (0, 200, 200, 20)), "JPEG"),
    "sixteen-bits": file_of(Image.fromarray(np.full((16, 16), 40_000, np.uint16))),
    "one-pixel": file_of(Image.new("RGB", (1, 1), RED)),
    "rotated": rotated(),
}
REFUSED = {
    "empty": (b"", "an empty file"),
    "cut": (PLAIN[: len(PLAIN) // 2], "damaged"),
    "text": (b"hello", "something else"),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg"><rect/></svg>', "an SVG"),
    "enormous": (says_it_is(60_000, 60_000), "30 megapixels; got 3,600"),
    "bomb": (says_it_is(8_000, 8_000), "8,000 × 8,000 pixels"),
    "long": (says_it_is(30_000, 10), "30,000 × 10 pixels"),
    "heavy": (PLAIN + bytes(21 * 10**6), "21.0 MB"),
}  # fmt: skip


@pytest.mark.parametrize("kind", SEEN)
def test_what_can_be_seen_is_seen_from_the_command_line(
    kind: str, seeing: Path, gptwright: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / kind).write_bytes(SEEN[kind])
    done = gptwright("generate", seeing, ASKED, "--image", tmp_path / kind, "--temperature", 0, "--max-tokens", 2)
    assert done.code == 0 and done.out, done.err


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_is_refused_from_the_command_line(
    kind: str, seeing: Path, refused: Callable[..., str], tmp_path: Path
) -> None:
    data, got = REFUSED[kind]
    (tmp_path / kind).write_bytes(data)
    for verb in (("generate", seeing, ASKED), ("chat", seeing)):
        said = refused(*verb, "--image", tmp_path / kind)
        assert said.startswith("gptwright: needed") and "; got " in said and got in said
        assert said.rstrip().count("\n") == 1, "what to do stands on a line of its own"


async def answers(app: Any, asked: Mapping[str, Mapping[str, Any]]) -> dict[str, httpx.Response]:
    """What the server says to each body, sent to the path that it names."""
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client,
    ):
        return {name: await client.post(str(body["path"]), json={**body["json"], "max_tokens": 2, "temperature": 0})
                for name, body in asked.items()}  # fmt: skip


def chat(*images: bytes, model: str = "seeing", text: str = ASKED, url: str = "") -> dict[str, Any]:
    parts = [{"type": "image_url", "image_url": {"url": url or as_data_uri(image)}} for image in images]
    content = [*parts, {"type": "text", "text": text}]
    return {
        "path": "/v1/chat/completions",
        "json": {"model": model, "messages": [{"role": "user", "content": content}]},
    }


def sound(*images: bytes) -> dict[str, Any]:
    """What no model here reads, beside images."""
    asked = chat(*images)
    asked["json"]["messages"][0]["content"].append(
        {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}
    )
    return asked


def completion(prompt: Any) -> dict[str, Any]:
    return {"path": "/v1/completions", "json": {"model": "seeing", "prompt": prompt}}


def test_the_same_over_http(seeing: Path, tuned: Path, tmp_path: Path) -> None:
    writer = load_writer(seeing)
    place = writer.tokenizer.special_id("<|image|>")
    fine = {kind: chat(data) for kind, data in SEEN.items()} | {
        "the place's name in a text": chat(PLAIN, text="<|image|> <image>"),
        "no image": chat(text="<|image|>"),
        "the same in a completion": completion("<|image|>"),
    }
    wrong = {kind: chat(data) for kind, (data, _) in REFUSED.items() if data} | {
        "an empty one": chat(b"", url="data:image/png;base64,"),
        "no base64": chat(b"", url="data:image/png;base64,%%%"),
        "from elsewhere": chat(b"", url="https://example.org/a.png"),
        "a file of the server's": chat(b"", url="file:///etc/passwd"),
        "for a model that cannot see": chat(PLAIN, model="blind"),
        "one more than allowed": chat(*[PLAIN] * 17),
        "more than the context holds": chat(*[PLAIN] * 6),
        "a place without an image": completion([1, place, 2]),
        "a sound": sound(),
        "a sound beside an image": sound(PLAIN),
    }  # fmt: skip
    with open_store(tmp_path / "store.sqlite") as store:
        app = create_app({"seeing": writer, "blind": load_writer(tuned)}, store)
        found = asyncio.run(answers(app, fine | wrong))
    for name, response in found.items():
        expected = 200 if name in fine else 413 if name == "heavy" else 400
        assert response.status_code == expected, (name, response.text[:200])
        if name in wrong:
            error = response.json()["error"]
            assert error["message"] and error["type"] == "invalid_request_error", name
            assert not name.startswith("a sound") or "input_audio" in error["message"], name
    for kind, (_, got) in REFUSED.items():
        if kind in found and kind != "heavy":
            assert got in found[kind].json()["error"]["message"], kind
