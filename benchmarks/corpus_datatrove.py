"""datatrove's own blocks for the chain that `corpus.py` measures: run by the Python of datatrove's environment.

    DT/bin/python benchmarks/corpus_datatrove.py JOB.json

JOB.json has `archives` and `out` (folders), `tokenizer` (its file), `language_model` and `tests` (texts). Printed, as
one line of JSON, are processor seconds of this process and its children for each step, and what each left. The
thresholds are those of its example for FineWeb. Blocks are chained here without an executor, which would cost more, and
a page may take a minute, so that none is dropped because the machine is busy.
"""

import json
import resource
import sys
from collections import deque
from pathlib import Path

import numpy as np
from datatrove.data import Document
from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter
from datatrove.pipeline.dedup.exact_dedup import (
    ExactDedupConfig,
    ExactDedupFilter,
    ExactDedupSignature,
    ExactFindDedups,
)
from datatrove.pipeline.dedup.minhash import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.extractors import Trafilatura
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    LanguageFilter,
)
from datatrove.pipeline.readers import JsonlReader, WarcReader
from datatrove.pipeline.tokens import DocumentTokenizer
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.hashing import HashConfig, create_hash_func
from datatrove.utils.lid import FT176LID
from datatrove.utils.text import ngrams, simplify_text
from datatrove.utils.word_tokenizers import load_word_tokenizer

HASHES = HashConfig(precision=64, hash_fc="sha1")
BUCKETS = 14


def text_of(document: Document) -> str:
    return document.text


def spent() -> float:
    """Processor seconds of this process and of its children that have ended."""
    found = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in found)


def run(*steps, rank: int = 0, world_size: int = 1) -> None:
    data = None
    for step in steps:
        data = step.run(data, rank, world_size)
    if data is not None:
        deque(data, maxlen=0)


def filtered(archives: str, out: str) -> None:
    run(
        WarcReader(archives, glob_pattern="*.warc.gz"),
        Trafilatura(favour_precision=True, timeout=60),
        LanguageFilter(languages="en"),
        GopherRepetitionFilter(),
        GopherQualityFilter(),
        C4QualityFilter(filter_no_terminal_punct=False),
        FineWebQualityFilter(),
        JsonlWriter(f"{out}/filtered"),
    )


def exact(out: str) -> None:
    config = ExactDedupConfig(content_getter=text_of)
    Path(out, "exact-dups").mkdir()  # which it does not make where nothing is there twice
    run(JsonlReader(f"{out}/filtered"), ExactDedupSignature(f"{out}/exact", config))
    run(ExactFindDedups(f"{out}/exact", f"{out}/exact-dups", config))
    run(JsonlReader(f"{out}/filtered"), ExactDedupFilter(f"{out}/exact-dups", config), JsonlWriter(f"{out}/once"))


def minhash(out: str) -> None:
    config = MinhashConfig(num_buckets=BUCKETS, hashes_per_bucket=8, n_grams=5, hash_config=HASHES)
    run(JsonlReader(f"{out}/once"), MinhashDedupSignature(f"{out}/signatures", config))
    for rank in range(BUCKETS):
        run(MinhashDedupBuckets(f"{out}/signatures", f"{out}/buckets", config=config), rank=rank, world_size=BUCKETS)
    run(MinhashDedupCluster(f"{out}/buckets", f"{out}/remove", config=config))
    run(JsonlReader(f"{out}/once"), MinhashDedupFilter(f"{out}/remove"), JsonlWriter(f"{out}/different"))


def packed(out: str, tokenizer: str) -> None:
    run(
        JsonlReader(f"{out}/different"),
        NGramsDecontFilter(f"{out}/tests", NGramsDecontConfig(n_grams=13)),
        DocumentTokenizer(f"{out}/tokens", tokenizer, eos_token="<|endoftext|>", shuffle_documents=False),
    )


def index(out: str, tests: list[str]) -> None:
    """Its indexer asks for another package; this is what it would leave of these texts."""
    config, words = NGramsDecontConfig(n_grams=13), load_word_tokenizer("en")
    hashed = create_hash_func(config.hash_config)
    found = {
        hashed(" ".join(gram))
        for text in tests
        for gram in ngrams(words.word_tokenize(simplify_text(text, config.norm_config)), 13)
    }
    Path(out, "tests").mkdir(parents=True, exist_ok=True)
    np.array(sorted(found), dtype=config.hash_config.np_descr).tofile(Path(out, "tests", "tests.index.hashes"))


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text())
    out = job["out"]
    FT176LID.MODEL_URL = job["language_model"]
    index(out, job["tests"])
    steps = {
        "read, extract, language, filters": lambda: filtered(job["archives"], out),
        "exact duplicates": lambda: exact(out),
        "near-duplicates": lambda: minhash(out),
        "tests, tokens": lambda: packed(out, job["tokenizer"]),
    }
    seconds = {}
    for name, step in steps.items():
        began = spent()
        step()
        seconds[name] = spent() - began
        print(f"datatrove: {name} {seconds[name]:.1f} s", file=sys.stderr, flush=True)
    left = {name: sum(1 for _ in JsonlReader(f"{out}/{name}").run()) for name in ("filtered", "once", "different")}
    tokens = sum(path.stat().st_size // 2 for path in Path(out, "tokens").glob("*.ds"))
    print(json.dumps({"seconds": seconds, "left": left | {"tokens": tokens}}))


if __name__ == "__main__":
    main()
