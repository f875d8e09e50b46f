import pytest

from gptwright.text.bundled import TEXTS, bundled_file, bundled_folder, bundled_name, bundled_text
from gptwright.text.read import read_documents


@pytest.mark.parametrize("name", TEXTS)
def test_every_bundled_source_has_both_sides_and_sound_documents(name: str) -> None:
    documents = list(read_documents([f"bundled:{name}"]))
    assert {d.split for d in documents} == {"train", "heldout"}
    assert all(d.text.strip() and d.title and d.source == name for d in documents)
    assert len({d.text for d in documents}) == len(documents)


def test_paths_and_names_belong_together() -> None:
    assert bundled_text("novels") == bundled_file("novels.jsonl.xz")
    assert bundled_name(bundled_text("novels")) == "novels"
    assert bundled_name(bundled_folder() / "conversations.jsonl.xz") is None
