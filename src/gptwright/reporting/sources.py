"""Where the text came from and what became of it (the sources.json of prepare)."""

from dataclasses import dataclass

from gptwright.reporting.values import items, table, whole


@dataclass(frozen=True, kw_only=True)
class Source:
    """One source's documents and characters. `dropped` counts documents by reason, `cut_lines` lines by reason."""

    name: str
    documents_in: int
    characters_in: int
    train_documents: int
    heldout_documents: int
    characters_kept: int
    dropped: dict[str, int]
    cut_characters: int
    cut_lines: dict[str, int]

    @staticmethod
    def of(name: str, value: object) -> "Source":
        """Reads one account."""
        parts = table(value)
        train, heldout, cut = (table(parts.get(side)) for side in ("train", "heldout", "cut"))
        return Source(
            name=name,
            documents_in=whole(parts.get("documents_in")),
            characters_in=whole(parts.get("characters_in")),
            train_documents=whole(train.get("documents")),
            heldout_documents=whole(heldout.get("documents")),
            characters_kept=whole(train.get("characters")) + whole(heldout.get("characters")),
            dropped={
                reason: whole(table(count).get("documents")) for reason, count in table(parts.get("dropped")).items()
            },
            cut_characters=whole(cut.get("characters")),
            cut_lines={reason: whole(count) for reason, count in table(cut.get("lines")).items()},
        )


@dataclass(frozen=True, kw_only=True)
class InputFile:
    """A file that was read, and its hash then."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The whole manifest."""

    total: Source
    sources: list[Source]
    files: list[InputFile]
    ignored_files: int

    @staticmethod
    def of(value: object) -> "Sources":
        """Reads sources.json."""
        parts = table(value)
        files = [table(file) for file in items(parts.get("files"))]
        return Sources(
            total=Source.of("together", parts.get("total")),
            sources=[Source.of(name, account) for name, account in table(parts.get("sources")).items()],
            files=[
                InputFile(name=str(f.get("file", "")), bytes=whole(f.get("bytes")), sha256=str(f.get("sha256", "")))
                for f in files
            ],
            ignored_files=whole(parts.get("ignored_files")),
        )
