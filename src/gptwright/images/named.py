"""Images by name, as messages bring them: a file, a part of a file (Media Fragments 1.0, §4.2.2: `sheet.webp#xywh=0,32,
32,32`, in pixels), or a data: URI with all of it. Nothing is fetched from elsewhere."""

import base64
import binascii
import re
from collections.abc import Iterable
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from gptwright.foundations.errors import InputError, found_at
from gptwright.images.decode import check_bytes, decode_image

if TYPE_CHECKING:
    from PIL.Image import Image

PART = re.compile(r"(.+)#xywh=(?:pixel:)?(\d{1,6}),(\d{1,6}),(\d{1,6}),(\d{1,6})")
DATA = re.compile(r"data:image/[\w.+-]+;base64,")
KINDS = {b"\x89PNG": "png", b"\xff\xd8": "jpeg", b"GIF8": "gif", b"RIFF": "webp", b"BM": "bmp"}
SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:", re.IGNORECASE)


def named_image(name: str, folder: Path) -> bytes:
    """The bytes of an image file; a file's name is relative to `folder`.

    Raises `InputError` for what names no image or is too large, and as `decode_image` does for the file that a part is
    cut from.
    """
    if DATA.match(name):
        return data_uri(name)
    if SCHEME.match(name):
        raise InputError("the name of an image file, or a data: URI", name[:60], "Save the image beside the file.")
    part = PART.fullmatch(name)
    path = folder / (part[1] if part else name)
    if not path.is_file():
        raise InputError(f"an image at {path}", found_at(path), "Correct the name.")
    return _cut(_sheet(path), [int(number) for number in part.groups()[1:]], name) if part else _read(path)


def read_images(paths: Iterable[Path]) -> list[bytes]:
    """Image files. Raises `InputError` for those that are not there, and as `decode_image` does."""
    found = [named_image(str(path.resolve()), path) for path in paths]
    for image in found:
        decode_image(image)
    return found


def data_uri(uri: str) -> bytes:
    """The file in a data: URI. Raises `InputError` for another URI, another encoding, and more than `LIMITS` allow."""
    head = DATA.match(uri)
    if head is None:
        raise InputError("a data: URI of an image in base64", uri[:40], "Write data:image/png;base64,….")
    check_bytes((len(uri) - head.end()) * 3 // 4 - 2)  # the last two may be padding
    try:
        return base64.b64decode(uri[head.end() :], validate=True)
    except binascii.Error as error:
        raise InputError("an image in base64", f"something else ({error})", "Encode the file again.") from error


def drawn_uri(image: "Image") -> str:
    """The URI of a picture to look at, none of whose colours is changed."""
    buffer = BytesIO()
    image.save(buffer, "WEBP", lossless=True)
    return as_data_uri(buffer.getvalue())


def as_data_uri(image: bytes) -> str:
    """The URI that holds a file."""
    kind = next((kind for first, kind in KINDS.items() if image.startswith(first)), "png")
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"


@lru_cache(maxsize=4)
def _sheet(path: Path) -> "Image":
    return decode_image(_read(path))


def _read(path: Path) -> bytes:
    """A file that is too large is refused unread."""
    check_bytes(path.stat().st_size)
    return path.read_bytes()


def _cut(sheet: "Image", part: list[int], name: str) -> bytes:
    left, top, width, height = part
    if not (width and height and left + width <= sheet.width and top + height <= sheet.height):
        raise InputError(f"a part within the {sheet.width} × {sheet.height} pixels of the image", name[-60:],
                         "Correct the numbers: left, top, width, height.")  # fmt: skip
    buffer = BytesIO()
    sheet.crop((left, top, left + width, top + height)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
