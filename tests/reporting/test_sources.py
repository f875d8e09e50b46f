from gptwright.reporting.sources import Sources


def test_a_manifest_is_read() -> None:
    account = {
        "documents_in": 10, "characters_in": 1000, "train": {"documents": 7, "characters": 600, "bytes": 620},
        "heldout": {"documents": 1, "characters": 90, "bytes": 90}, "cut": {"characters": 5, "lines": {"menu": 2}},
        "dropped": {"duplicate": {"documents": 2, "characters": 300}},
    }  # fmt: skip
    read = Sources.of({"total": account, "sources": {"books": account}, "ignored_files": 3,
                       "files": [{"file": "a.txt", "bytes": 12, "sha256": "ab"}]})  # fmt: skip
    (source,) = read.sources
    assert (source.name, source.documents_in, source.train_documents, source.heldout_documents) == ("books", 10, 7, 1)
    assert (source.characters_kept, source.dropped, source.cut_characters) == (690, {"duplicate": 2}, 5)
    assert (read.files[0].name, read.files[0].bytes, read.files[0].sha256, read.ignored_files) == ("a.txt", 12, "ab", 3)


def test_an_empty_manifest_is_no_error() -> None:
    assert Sources.of(None).sources == []
