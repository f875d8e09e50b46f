"""An image file as pixels, whoever sent it: its size is known before anything of it is decoded.

Animations give their first frame, photographs stand upright (EXIF), what is transparent lies on white, 16 bits are
rounded to 8, and every colour model becomes RGB.
"""

import re
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from gptwright.foundations.errors import ConfigError, InputError
from gptwright.foundations.settings import Count, settings

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP")
SCANS = 100  # of a progressive JPEG; each passes over all pixels, and a small file can hold thousands
WHITE = (255, 255, 255, 255)
START_OF_SCAN = b"\xff\xda"  # in the pixels of a JPEG no 0xff is followed by anything but 0
PIXELS = re.compile(r"(\d+) pixels")  # as pillow says how large an image is that it does not open
ANEW = "Save it anew as a PNG or a JPEG."


@settings
class ImageLimits:
    """What one image may be: memory and time are bounded by it."""

    megabytes: Count = 20
    """of the file"""
    megapixels: Count = 30
    """width × height; a pixel takes some 16 bytes while it is decoded"""
    stretch: Count = 100
    """how many times as long as wide, or as wide as long"""


LIMITS = ImageLimits()


def check_bytes(size: int, limits: ImageLimits = LIMITS) -> None:
    """Raises `InputError` for a file of more bytes than are read."""
    if size > limits.megabytes * 10**6:
        raise InputError(f"an image file of at most {limits.megabytes} MB", f"{size / 1e6:.1f} MB",
                         "Save it smaller: the model sees a few hundred pixels a side.")  # fmt: skip


def decode_image(data: bytes, limits: ImageLimits = LIMITS) -> "Image":
    """The RGB image in a file's bytes.

    Raises `InputError` for what is no image, a damaged one, one of another format or beyond the limits, `ConfigError`
    without pillow.
    """
    pil = pillow()
    check_bytes(len(data), limits)
    image = _opened(pil, data, limits)
    _check_size(image, limits)
    if image.format == "JPEG" and data.count(START_OF_SCAN) > SCANS:
        raise InputError(f"a JPEG of at most {SCANS} scans", f"{data.count(START_OF_SCAN):,}", ANEW)
    try:
        image.load()
    except MemoryError:
        raise
    except Exception as error:  # decoders of damaged files raise anything
        raise InputError("a whole image", f"a damaged {image.format} ({str(error)[:80]})", ANEW) from error
    return _rgb(pil, _upright(image))


def pillow() -> Any:
    """The library that decodes. Raises `ConfigError` without it."""
    try:
        import_module("PIL.ImageOps")
        return import_module("PIL.Image")
    except ImportError as error:
        raise ConfigError("pillow to read images", f"none that works here ({error})",
                          "pip install 'gptwright[vision]'") from error  # fmt: skip


def _opened(pil: Any, data: bytes, limits: ImageLimits) -> Any:
    """The header alone is read."""
    if not data:
        raise InputError("an image", "an empty file", "Give a PNG, JPEG, GIF, WebP or BMP.")
    if b"<svg" in data[:2048].lower():
        raise InputError("an image of pixels", "an SVG, which is a drawing program", "Save it as a PNG.")
    try:
        return pil.open(BytesIO(data), formats=FORMATS)
    except (pil.DecompressionBombError, pil.DecompressionBombWarning) as error:  # far beyond our own limit
        pixels = PIXELS.search(str(error))
        got = f"{int(pixels[1]) / 10**6:,.0f}" if pixels else "far more"
        raise InputError(f"an image of at most {limits.megapixels} megapixels", got, "Save it smaller.") from error
    except Exception as error:
        raise InputError("a PNG, JPEG, GIF, WebP or BMP", "something else, or a damaged one", ANEW) from error


def _check_size(image: Any, limits: ImageLimits) -> None:
    width, height = image.size
    size = f"{width:,} × {height:,} pixels"
    if width * height > limits.megapixels * 10**6:
        raise InputError(f"an image of at most {limits.megapixels} megapixels", size, "Save it smaller.")
    if max(width, height) > limits.stretch * min(width, height):
        raise InputError(f"an image at most {limits.stretch} times as long as wide, or as wide as long", size,
                         "Cut out the part that matters.")  # fmt: skip


def _upright(image: Any) -> Any:
    """As the camera was held; where EXIF cannot be read, as it lies."""
    try:
        return import_module("PIL.ImageOps").exif_transpose(image)
    except Exception:
        return image


def _rgb(pil: Any, image: Any) -> Any:
    if image.mode.startswith("I"):  # 16 bits, which pillow would cut off at 255
        values = np.asarray(image).astype(np.int32).clip(0, 65_535)
        return pil.fromarray(((values + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return pil.alpha_composite(pil.new("RGBA", image.size, WHITE), image).convert("RGB")
    return image.convert("RGB")
