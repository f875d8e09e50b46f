"""Every kind of image file: decoded right, or refused with what was needed, what came and what to do."""

import contextlib
import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gptwright.foundations.errors import ConfigError, InputError
from gptwright.images import decode
from gptwright.images.decode import ImageLimits, decode_image

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def file_of(image: Image.Image, kind: str = "PNG", **how: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **how)
    return buffer.getvalue()


def png(width: int, height: int, body: bytes = b"") -> bytes:
    """A PNG that says it is so large, and holds what it wants."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def two_by_two() -> Image.Image:
    image = Image.new("RGB", (2, 2), RED)
    image.putpixel((1, 0), GREEN)
    image.putpixel((0, 1), BLUE)
    return image


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "WEBP"])
def test_formats_without_loss_give_the_pixels(kind: str) -> None:
    image = two_by_two()
    how = {"lossless": True} if kind == "WEBP" else {}
    assert np.array_equal(np.asarray(decode_image(file_of(image, kind, **how))), np.asarray(image))


def test_a_photograph_is_near() -> None:
    found = decode_image(file_of(Image.new("RGB", (16, 16), (200, 100, 50)), "JPEG"))
    assert np.abs(np.asarray(found).astype(int) - [200, 100, 50]).max() <= 3


def test_what_is_transparent_lies_on_white() -> None:
    image = Image.new("RGBA", (3, 1), (255, 0, 0, 255))
    image.putpixel((1, 0), (255, 0, 0, 0))
    image.putpixel((2, 0), (0, 0, 0, 51))
    assert np.asarray(decode_image(file_of(image))).tolist() == [[[255, 0, 0], [255, 255, 255], [204, 204, 204]]]


def test_a_transparent_colour_of_a_palette_or_of_grey_too() -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([*RED, *BLUE])
    palette.putpixel((1, 0), 1)
    assert np.asarray(decode_image(file_of(palette))).tolist() == [[[*RED], [*BLUE]]]
    assert np.asarray(decode_image(file_of(palette, transparency=1))).tolist() == [[[*RED], [255] * 3]]
    grey = Image.new("L", (1, 1), 7)
    assert np.asarray(decode_image(file_of(grey))).tolist() == [[[7] * 3]]
    assert np.asarray(decode_image(file_of(grey, transparency=7))).tolist() == [[[255] * 3]]
    both = Image.new("LA", (1, 1), (0, 0))
    assert np.asarray(decode_image(file_of(both))).tolist() == [[[255] * 3]]


def test_sixteen_bits_are_rounded_to_eight() -> None:
    values = np.array([[0, 128, 129, 257, 32_768, 65_535]], np.uint16)
    found = decode_image(file_of(Image.fromarray(values)))
    assert np.asarray(found)[0, :, 0].tolist() == [0, 0, 1, 1, 128, 255]
    assert np.asarray(found).shape == (1, 6, 3)


def test_black_and_white_and_print_colours_become_rgb() -> None:
    assert np.asarray(decode_image(file_of(Image.new("1", (1, 1), 1)))).tolist() == [[[255] * 3]]
    found = decode_image(file_of(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"))
    assert np.abs(np.asarray(found).astype(int) - RED).max() <= 5


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_stand_upright(orientation: int) -> None:
    upright = Image.new("RGB", (32, 16), RED)
    upright.paste(BLUE, (0, 0, 8, 8))
    turns = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_90",
             7: "TRANSVERSE", 8: "ROTATE_270"}  # fmt: skip
    lies = upright.transpose(Image.Transpose[turns[orientation]]) if orientation in turns else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = decode_image(file_of(lies, "JPEG", quality=95, exif=exif))
    assert found.size == (32, 16)
    assert found.getpixel((3, 3))[2] > 200 and found.getpixel((28, 12))[0] > 200


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_leaves_the_photograph_as_it_lies() -> None:
    found = decode_image(file_of(Image.new("RGB", (8, 4), RED), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff"))
    assert found.size == (8, 4)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_gives_its_first_frame(kind: str) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in (GREEN, RED, BLUE)]
    found = decode_image(file_of(frames[0], kind, save_all=True, append_images=frames[1:]))
    assert np.abs(np.asarray(found).astype(int) - GREEN).max() <= 2


def test_one_pixel_is_an_image() -> None:
    assert decode_image(file_of(Image.new("RGB", (1, 1), RED))).size == (1, 1)


@pytest.mark.parametrize(("data", "got"), [
    (b"", "an empty file"),
    (b"not an image at all", "something else"),
    (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG"),
    (b"%!PS-Adobe-3.0 EPSF-3.0\n", "something else"),
    (b"\x89PNG\r\n\x1a\n", "something else"),
    (b"GIF89a", "something else"),
    (b"\xff\xd8\xff\xe0", "something else"),
    (b"RIFF\x00\x00\x00\x00WEBP", "something else"),
    (png(4, 4), "a damaged PNG"),
    (png(4, 4, b"no zlib"), "a damaged PNG"),
])  # fmt: skip
def test_what_is_no_image_is_refused(data: bytes, got: str) -> None:
    with pytest.raises(InputError, match=f"got {got}"):
        decode_image(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP"])
def test_no_cut_or_flipped_byte_breaks_it(kind: str) -> None:
    """Each is an image, or an `InputError`: nothing else comes out."""
    noise = np.random.default_rng(0).integers(0, 255, (24, 24, 3), dtype=np.uint8)
    data = file_of(Image.fromarray(noise), kind)
    for at in range(0, len(data), max(len(data) // 60, 1)):
        for broken in (data[:at], data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]):
            with contextlib.suppress(InputError):
                assert decode_image(broken).mode == "RGB"


def test_bombs_are_refused_before_anything_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda _: pytest.fail("decoded"))
    bomb = zlib.compress(bytes(10**6))
    with pytest.raises(InputError, match="at most 30 megapixels; got 8,000 × 8,000 pixels"):
        decode_image(png(8000, 8000, bomb))
    for side, got in ((12_000, "144"), (60_000, "3,600"), (2**31 - 1, "4,611,686,014,132")):  # pillow refuses by itself
        with pytest.raises(InputError, match=f"at most 30 megapixels; got {got}"):
            decode_image(png(side, side, bomb))
    with pytest.raises(InputError, match="at most 100 times as long as wide"):
        decode_image(png(100_000, 10, bomb))
    with pytest.raises(InputError, match=r"an image file of at most 1 MB; got 1\.1 MB"):
        decode_image(bytes(1_100_000), ImageLimits(megabytes=1))


def test_a_jpeg_of_a_thousand_scans_is_refused() -> None:
    data = file_of(Image.new("RGB", (16, 16)), "JPEG", progressive=True)
    assert decode_image(data).size == (16, 16)
    scan = data.index(b"\xff\xda")
    with pytest.raises(InputError, match="at most 100 scans; got 1,510"):
        decode_image(data[:-2] + data[scan:-2] * 150)


def test_a_text_bomb_in_a_png_is_refused_or_passed_over() -> None:
    data = file_of(two_by_two())
    text = b"Comment\x00\x00" + zlib.compress(bytes(50 * 10**6))
    chunk = struct.pack(">I", len(text)) + b"zTXt" + text + struct.pack(">I", zlib.crc32(b"zTXt" + text))
    with contextlib.suppress(InputError):
        assert decode_image(data[:33] + chunk + data[33:]).size == (2, 2)


def test_without_pillow_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(decode, "import_module", missing)
    with pytest.raises(ConfigError, match=r"gptwright\[vision\]"):
        decode_image(b"x")
