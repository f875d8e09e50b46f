"""Images by name: files, parts of files, data: URIs; nothing else, and nothing from elsewhere."""

import base64
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from gptwright.foundations.errors import InputError
from gptwright.images.decode import decode_image
from gptwright.images.named import data_uri, named_image


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    """Two by one squares of 4 pixels, red and blue."""
    image = Image.new("RGB", (8, 4), (255, 0, 0))
    image.paste((0, 0, 255), (4, 0, 8, 4))
    image.save(tmp_path / "sheet.png")
    return tmp_path


def test_a_part_is_cut_out_of_its_file(sheet: Path) -> None:
    assert named_image("sheet.png", sheet) == (sheet / "sheet.png").read_bytes()
    for name in ("sheet.png#xywh=4,1,3,2", "sheet.png#xywh=pixel:4,1,3,2"):
        part = decode_image(named_image(name, sheet))
        assert part.size == (3, 2) and part.getcolors() == [(6, (0, 0, 255))]


@pytest.mark.parametrize("name", [
    "sheet.png#xywh=4,0,5,4", "sheet.png#xywh=0,0,0,4", "other.png", "http://example.org/a.png", "file:///etc/passwd",
    "sheet.png#xywh=0,0,4", "data:text/plain;base64,aGk=", "",
])  # fmt: skip
def test_what_names_no_image_is_refused(sheet: Path, name: str) -> None:
    with pytest.raises(InputError):
        named_image(name, sheet)


def test_a_data_uri_holds_its_file() -> None:
    buffer = BytesIO()
    Image.new("RGB", (2, 2)).save(buffer, "PNG")
    uri = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    assert data_uri(uri) == named_image(uri, Path()) == buffer.getvalue()
    for wrong in ("data:image/png;base64,!!", "data:image/png,abc", "https://example.org"):
        with pytest.raises(InputError):
            data_uri(wrong)


def test_a_uri_that_is_too_large_is_not_decoded() -> None:
    with pytest.raises(InputError, match="at most 20 MB"):
        data_uri("data:image/png;base64," + "A" * 28_000_000)


@pytest.mark.parametrize("part", ["", "#xywh=0,0,4,4"])
def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(20_000_001)
    monkeypatch.setattr(Path, "read_bytes", lambda self: pytest.fail("it is read"))
    with pytest.raises(InputError, match=r"at most 20 MB; got 20\.0 MB"):
        named_image(f"large.png{part}", tmp_path)
