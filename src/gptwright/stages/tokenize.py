"""tokenize: learn a vocabulary on the prepared text, or on pairs to translate, and pack the text into token files."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from gptwright.configs.tokenize import Tokenize
from gptwright.foundations.errors import ArtifactError
from gptwright.foundations.progress import say
from gptwright.foundations.runs import RECORD, StageFolder, finished_stage, input_paths, stage_file
from gptwright.foundations.workers import WorkerEngine, open_workers, require_engine
from gptwright.pipelines.packing import PART, PARTS, Corpus, pack_corpus
from gptwright.pipelines.resolve import model_folder
from gptwright.text.file_ranges import FileRange, ranges
from gptwright.text.jsonl import stream_range
from gptwright.text.mix import SUFFIX, read_mix
from gptwright.text.mixture import DocumentFacts, describe, write_mixture
from gptwright.text.pack import TokenFile, TokenFileMeta
from gptwright.text.pairs import interleaved, read_pairs
from gptwright.text.scripts import figures_by_script
from gptwright.text.split import Split
from gptwright.text.vocab_sample import vocab_sample
from gptwright.tokenizers.formats.folder import CONFIG_FILES
from gptwright.tokenizers.registry import train
from gptwright.tokenizers.tokenizer import Tokenizer

UNMIXED = "unmixed"


def inputs(config: Tokenize) -> dict[str, Path]:
    """What the stage reads, the files of mixes too."""
    mixes = {"mix": config.mix, "vocab_mix": config.vocab_mix}
    return input_paths(config) | {key: Path(name) for key, name in mixes.items() if name and name.endswith(SUFFIX)}


def run(config: Tokenize, folder: StageFolder) -> dict[str, object]:
    """Leaves tokenizer.json and, for training and held-out text, token files (.bin, .idx, .json)."""
    engine: WorkerEngine = "processes" if config.pairs else config.engine
    require_engine(engine)
    corpus = _corpus(config)
    metrics: dict[str, Any] = {}
    tokenizer = _learned(config, corpus, folder, metrics) if config.model is None else _existing(config.model)
    tokenizer.save(folder.path)
    metrics["vocab"] = tokenizer.vocab
    with open_workers(engine, 1 if corpus.pairs else config.workers, folder / PARTS) as workers:

        def packed(split: Split, stem: Path) -> TokenFileMeta:
            return pack_corpus(corpus, split, folder.path, tokenizer.sha256, stem, workers)

        train = _mixed(config, corpus, packed, folder, metrics) if config.mix else packed("train", folder / "train")
        heldout = packed("heldout", folder / "heldout")
    for split, meta in (("train", train), ("heldout", heldout)):
        metrics |= {
            f"{split}_tokens": meta.tokens,
            f"{split}_bytes_per_token": round(meta.bytes / meta.tokens, 3),
        }
    metrics["heldout_by_script"] = _by_script(folder / "heldout", corpus.texts("heldout"))
    if config.compare:
        metrics |= _compared(tokenizer, config.compare, corpus)
    shutil.rmtree(folder / PARTS, ignore_errors=True)
    say(f"tokenize: {tokenizer.vocab} tokens of {metrics['train_bytes_per_token']} bytes each; "
        f"{metrics['train_tokens']:,} to train on")  # fmt: skip
    return metrics


def _learned(config: Tokenize, corpus: Corpus, folder: StageFolder, metrics: dict[str, Any]) -> Tokenizer:
    """A new vocabulary, or that which a run that was stopped has learned; `metrics` is told from how much of each
    source, where that is not all once."""
    mix = read_mix(config.vocab_mix) if config.vocab_mix else None
    is_learned = (folder / PARTS).is_dir()
    sample = vocab_sample(lambda: corpus.documents("train"), mix, config.vocab_megabytes * 10**6)
    if set(sample.epochs.values()) != {1.0}:
        metrics["vocab_megabytes"] = read = {name: round(size, 3) for name, size in sample.megabytes.items()}
        shares = ", ".join(f"{size:,.1f} MB" + (f" of {name}" if mix else "") for name, size in read.items())
        say(f"tokenize: {'has learned' if is_learned else 'learns'} {config.vocab} tokens from {shares}")
    if is_learned:
        return Tokenizer.load(folder.path)
    return train(config.kind, sample.texts(), config.vocab, config.special_tokens)


def _by_script(stem: Path, texts: Iterable[str]) -> dict[str, dict[str, float]]:
    """What a token stands for in each script of a packed text; said where there are several."""
    tokens = (TokenFile.open(stem).lengths - 1).tolist()
    found = {script: figures.as_dict() for script, figures in figures_by_script(texts, tokens).items()}
    if len(found) > 1:
        shown = ", ".join(f"{script} {each['characters_per_token']:.2f}" for script, each in found.items())
        say(f"tokenize: characters a token of held-out text: {shown}")
    return found


def _mixed(
    config: Tokenize,
    corpus: Corpus,
    packed: Callable[[Split, Path], TokenFileMeta],
    folder: StageFolder,
    metrics: dict[str, Any],
) -> TokenFileMeta:
    """The training text packed once, and mixed from that; `metrics` is told how."""
    assert config.mix is not None
    unmixed = folder / UNMIXED
    unmixed.mkdir(exist_ok=True)
    packed("train", unmixed / "train")
    facts = DocumentFacts.of(corpus.documents("train"))
    meta, figures = write_mixture(TokenFile.open(unmixed / "train"), facts, read_mix(config.mix), folder / "train")
    shutil.rmtree(unmixed)
    for line in describe(figures):
        say(f"tokenize: {line}")
    metrics["mixture"] = {name: asdict(each) for name, each in figures.items()}
    return meta


def _compared(tokenizer: Tokenizer, other: Path, corpus: Corpus) -> dict[str, float]:
    """Tokens a line of the held-out text that is not blank, with both tokenizers."""
    texts = list(corpus.texts("heldout"))
    lines = sum(bool(line.strip()) for text in texts for line in text.splitlines())
    ours, theirs = (round(sum(map(len, each.encode_many(texts))) / max(lines, 1), 2)
                    for each in (tokenizer, _existing(other)))  # fmt: skip
    say(f"tokenize: {ours} tokens a line of held-out text, {theirs} with {other}")
    return {"heldout_tokens_per_line": ours, "heldout_tokens_per_line_compared": theirs}


def _existing(folder: Path) -> Tokenizer:
    """The tokenizer of a model, or of the finished stage that imported or learned it."""
    is_vocabulary = (folder / RECORD).is_file() and (folder / "tokenizer.json").is_file()
    return _whole(folder) if is_vocabulary else Tokenizer.load(model_folder(folder))


def _corpus(config: Tokenize) -> Corpus:
    if config.pairs is not None:
        splits, source, whole = read_pairs(config.pairs), config.pairs.name, [FileRange(config.pairs)]
        return Corpus({"train": whole, "heldout": whole},
                      lambda _, split: ((source, text) for text in interleaved(splits[split])), pairs=True)  # fmt: skip
    assert config.text is not None
    files: dict[Split, Path] = {s: stage_file(config.text, f"{s}.jsonl", "prepare") for s in get_args(Split)}
    return Corpus({split: list(ranges(path, PART)) for split, path in files.items()}, _prepared)


def _prepared(piece: FileRange, split: Split) -> Iterator[tuple[str, str]]:
    lines = stream_range(piece.path, piece.begin, piece.begin + piece.size)
    return ((str(line.get("source")), str(line["text"])) for line in lines)


def open_tokens(tokenized: Path, split: str, tokenizer: Tokenizer | None = None, *, pairs: bool = False) -> TokenFile:
    """The packed tokens of a finished tokenize folder, each file checked against its hash.

    Raises `ArtifactError` when they were made by another tokenizer than the one given, or hold an id that it does not
    know, or are pairs to translate where running text is asked for, or the other way round.
    """
    for suffix in ("bin", "idx", "json"):
        stage_file(tokenized, f"{split}.{suffix}", "tokenize")
    tokens = TokenFile.open(tokenized / split)
    if tokenizer and tokenizer.sha256 != tokens.meta.tokenizer_sha256:
        raise ArtifactError(f"tokens of the model's own tokenizer in {tokenized}", "those of another",
                            "Give the tokenize folder that the model was trained with, or pack the text anew: "
                            "gptwright tokenize --text TEXT --model MODEL.")  # fmt: skip
    if tokenizer and (most := tokens.greatest()) >= tokenizer.vocab:
        raise ArtifactError(f"token ids below the vocabulary's {tokenizer.vocab:,} in {tokenized}", f"the id {most:,}",
                            "Run tokenize again.")  # fmt: skip
    if tokens.meta.pairs != pairs:
        kinds = ("running text", "pairs to translate")
        raise ArtifactError(f"{kinds[pairs]} in {tokenized}", kinds[not pairs],
                            f"Run tokenize with --{'pairs' if pairs else 'text'}.")  # fmt: skip
    return tokens


def open_tokenizer(tokenized: Path) -> Tokenizer:
    """The tokenizer of a finished tokenize folder, each file checked against its hash."""
    return _whole(tokenized, "tokenize")


def _whole(folder: Path, verb: str | None = None) -> Tokenizer:
    written = finished_stage(folder, verb)["outputs"]
    for name in ("tokenizer.json", *(name for name in CONFIG_FILES if name in written)):
        stage_file(folder, name, verb)
    return Tokenizer.load(folder)
