"""Licences of bundled texts, as the tables have them."""

from pathlib import Path

from gptwright.text.bundled import TEXTS, bundled_file
from gptwright.text.bundled_licences import licence_of_file, licence_of_source


def test_every_bundled_text_has_one() -> None:
    assert all(licence_of_source(name) for name in TEXTS)
    assert licence_of_source("novels") == "texts: public domain; package: MIT"
    assert licence_of_source("flask") == "BSD-3-Clause" and licence_of_source("cpython") == "PSF-2.0"
    assert licence_of_source("mine") is None


def test_files_inside_and_outside(tmp_path: Path) -> None:
    assert licence_of_file(bundled_file("teaching/conversations.jsonl")) == "Apache-2.0 (gptwright's own)"
    assert licence_of_file(bundled_file("conversations.jsonl.xz")) == "BSD 3-clause"
    assert licence_of_file(tmp_path / "conversations.jsonl.xz") is None
