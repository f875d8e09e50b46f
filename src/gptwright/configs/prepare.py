"""Options of prepare."""

from dataclasses import field
from pathlib import Path
from typing import Annotated, Literal

from gptwright.configs.validation import known
from gptwright.configs.workers import WorkerOptions
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.settings import FREE, Range, Seed, settings

MIN_CORPUS = 20_000
FILTERS = ("gopher", "c4", "fineweb", "gpt3", "webtext")
HTML_READERS = ("own", "resiliparse", "trafilatura")
MASKS = ("email", "ip", "iban", "card", "phone")


@settings
class Prepare(WorkerOptions):
    """Read, clean and split the text."""

    data: tuple[str, ...] = ("bundled",)
    """Files, folders, globs, `bundled`, `bundled:NAME`, `code:FOLDER`, URLs, `pypi:N==V`, `npm:N@V`, `debian:N=V`."""
    heldout_fraction: Annotated[float, Range(0, 0.5, above=True)] = 0.05
    """Share of the documents that is held out for measuring, where their source has not fixed it."""
    seed: Seed = 1
    """Chooses which documents are held out."""
    max_characters: Annotated[int, Range(2 * MIN_CORPUS, 10**15)] | None = None
    """Take only the first so many characters, evenly over the files."""
    encoding: str | None = None
    """What files are written in that are not UTF-8, such as windows-1252 or euc-kr; otherwise it is found out."""
    html: tuple[str, ...] = ("own",)
    """readers of web pages, own, resiliparse or trafilatura; of several, the first whose text the filters keep"""
    language: tuple[str, ...] = ()
    """keep what is in these languages alone, such as en zh"""
    links: Path | None = None
    """submissions (.jsonl with url and score); of web archives, keep pages to which a link of 3 points leads"""
    licence: Literal["any", "permissive"] = "any"
    """of programs and packages, keep those whose licence is permissive"""
    text_field: tuple[str, ...] = ("text",)
    """which field of a record in .jsonl, .json and .parquet is its text; of several, the first that it has"""
    fix_mojibake: bool = False
    """mend text that was read in a wrong encoding once, such as cafÃ©"""
    mask: tuple[str, ...] = ()
    """put examples in the place of what points to a person: email, ip, iban, card, phone"""
    filter: tuple[str, ...] = ()
    """filters for text of the web, one after the other: gopher, c4, fineweb, webtext (English), gpt3, FILE.toml"""
    good: tuple[str, ...] = ()
    """good text that gpt3's filter learns from, beside the data; or the quality.safetensors that a run has learned"""
    signals: Path | None = field(default=None, metadata=FREE)
    """folder of parquet files with the signals of every text: looked up, or counted and left for other filters"""
    near_duplicates: Annotated[float, Range(0, 1, above=True)] | None = None
    """drop what is as like an earlier text as this: the share of all runs of five words that both have, such as 0.8"""
    against: tuple[Path, ...] = ()
    """folders of earlier runs of prepare: what they kept is not kept again, nor its near-duplicates"""
    decontaminate: str | None = None
    """tasks of evaluate, by name or tag with commas between them, whose texts are taken out of the corpus"""
    task_data: Path | None = None
    """folder with the data of those tasks that do not come with gptwright"""
    skip_unreadable: bool = False
    """count files and records that cannot be read, and go on, instead of refusing them"""
    explain: bool = False
    """leave explained.html, what went for which reason, with examples, and dropped.jsonl, all that went"""
    tokenizer: Path | None = None
    """with explain: folder with a tokenizer, whose tokens the page counts by language"""
    parts: Path | None = field(default=None, metadata=FREE)
    """folder for what was read, which several commands on several machines may share; it stays"""
    share: str | None = None
    """read one share of the files alone, such as 3/16, and leave it in --parts for the command that joins all"""

    def __post_init__(self) -> None:
        for name in self.filter:
            if not name.endswith(".toml"):
                known(name, FILTERS, "filter")
        for name in self.html:
            known(name, HTML_READERS, "reader of web pages")
        for name in self.mask:
            known(name, MASKS, "kind to mask")
        if not self.html:
            raise ConfigError("a reader of web pages", "none", f"Known: {', '.join(HTML_READERS)}.")
        if self.tokenizer is not None and not self.explain:
            raise ConfigError("a page to count tokens for", "a tokenizer without explain", "Give --explain too.")
        self._check_parts()

    def _check_parts(self) -> None:
        needs_parts = self.workers > 1 or self.engine == "ray" or self.decontaminate or self.signals or self.parts
        if self.max_characters is not None and needs_parts:
            raise ConfigError("max_characters without workers, engine, parts, decontaminate and signals, which read "
                              "whole files", "both", "Leave one of them out.")  # fmt: skip
        if self.share is not None:
            read_share(self.share)
            if self.parts is None:
                raise ConfigError("a folder for the share that is read", "none",
                                  "Give --parts, the same for all shares.")  # fmt: skip


def read_share(share: str) -> tuple[int, int]:
    """Which share of how many. Raises `ConfigError` for anything but two numbers, the first at most the second."""
    number, _, count = share.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise ConfigError("a share such as 3/16, the first number at least 1 and at most the second", f"'{share}'",
                          "Change it.")  # fmt: skip
    return int(number), int(count)
