"""Task sets from WordNet: topics, entailment, definitions and graded similarity of glosses.

A branch is a largest subtree of the hypernyms with at most `BRANCH_SENSES` senses. Whole branches are held out.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from build import UNWANTED_SENSE, WORDNET, fetch, held_out, members, read_synset, split_name
from task_rows import Row, Unit, draw, shuffled, stems

BRANCH_SENSES = 400
HELD_OUT_BRANCHES = 6  # one in so many
FILES = {
    4: "act", 5: "animal", 6: "artifact", 8: "body", 10: "communication", 12: "feeling", 13: "food", 14: "group",
    15: "location", 17: "object", 18: "person", 20: "plant", 21: "possession", 23: "quantity", 26: "state",
    27: "substance", 28: "time",
}  # fmt: skip
# Two kinds of one thing here mostly exclude each other; two kinds of tool, person or deed do not.
EXCLUSIVE_FILES = (5, 8, 13, 17, 20, 27)


@dataclass(frozen=True)
class Sense:
    offset: str
    file: int
    word: str
    gloss: str
    parent: str | None  # offset of the first hypernym
    antonym: str | None
    head: str | None  # offset of a satellite adjective's head


def read_sense(row: str) -> Sense:
    synset = read_synset(row)
    fields = row.partition(" | ")[0].split()
    pointers = fields[5 + 2 * int(fields[3], 16) :]

    def first(sign: str) -> str | None:
        return pointers[pointers.index(sign) + 1] if sign in pointers else None

    word = synset.words[0][0].replace("_", " ")
    return Sense(row[:8], synset.file_number, word, synset.gloss, first("@"), first("!"), synset.head)


class Senses:
    """All senses of one part of speech, as a tree of first hypernyms."""

    def __init__(self, text: str) -> None:
        rows = (line for line in text.splitlines() if not line.startswith("  "))
        self.by_offset = {row[:8]: read_sense(row) for row in rows}
        self.children: dict[str, list[Sense]] = defaultdict(list)
        for sense in self.by_offset.values():
            if sense.parent:
                self.children[sense.parent].append(sense)

    def parent(self, sense: Sense) -> Sense | None:
        return self.by_offset[sense.parent] if sense.parent else None

    def ancestors(self, sense: Sense) -> Iterator[Sense]:
        """The sense itself first, the root last."""
        at: Sense | None = sense
        while at:
            yield at
            at = self.parent(at)

    @cached_property
    def sizes(self) -> Counter[str]:
        return Counter(a.offset for sense in self.by_offset.values() for a in self.ancestors(sense))

    @cached_property
    def branches(self) -> dict[str, str]:
        """The branch of every sense, by offset, named after its top."""
        found: dict[str, str] = {}
        for sense in self.by_offset.values():
            within = [a for a in self.ancestors(sense) if self.sizes[a.offset] <= BRANCH_SENSES]
            top = within[-1] if within else sense
            found[sense.offset] = f"{top.word} {top.offset}"
        return found

    def branch(self, sense: Sense) -> str:
        return self.branches[sense.offset]

    def usable(self, senses: list[Sense], branch: str) -> list[Sense]:
        return [sense for sense in senses if is_plain(sense) and self.branch(sense) == branch]


@cache
def is_plain(sense: Sense) -> bool:
    """A common word with a whole gloss of 3 to 40 words, fit for everybody."""
    whole = sense.gloss.count("(") == sense.gloss.count(")") and 3 <= len(sense.gloss.split()) <= 40
    return whole and sense.word.islower() and not UNWANTED_SENSE.search(f"{sense.word} {sense.gloss}")


def read(work: Path, part: str) -> Senses:
    (data,) = members(fetch(WORDNET, work), lambda name: name.endswith(f"/wordnet/data.{part}")).values()
    return Senses(data.decode("latin-1"))


def placed(row: Row, group: str) -> Row:
    return {**row, "split": split_name(held_out(group, HELD_OUT_BRANCHES)), "source": "wordnet", "group": group}


# ---------------------------------------------------------------------------
# Topics: gloss -> lexicographer's file
# ---------------------------------------------------------------------------


def topics(work: Path) -> Iterator[Unit]:
    nouns = read(work, "noun")
    for sense in nouns.by_offset.values():
        if sense.file in FILES and is_plain(sense):
            yield [placed({"text": sense.gloss, "label": FILES[sense.file]}, nouns.branch(sense))]


# ---------------------------------------------------------------------------
# Entailment: one hypothesis, three premises
# ---------------------------------------------------------------------------

OPPOSITE = {"entailment": "contradiction", "contradiction": "entailment", "neutral": "neutral"}


def entailment(work: Path) -> Iterator[Unit]:
    yield from noun_entailment(read(work, "noun"))
    yield from adjective_entailment(read(work, "adj"))


def noun_entailment(nouns: Senses) -> Iterator[Unit]:
    """A kind of it entails, a sister contradicts, and of what it is a kind of, nothing follows."""
    for sense in nouns.by_offset.values():
        branch, parent = nouns.branch(sense), nouns.parent(sense)
        if sense.file not in EXCLUSIVE_FILES or not is_plain(sense) or not parent:
            continue
        kinds = nouns.usable(nouns.children[sense.offset], branch)
        sisters = nouns.usable(nouns.children[parent.offset], branch)
        # A sister with kinds of its own first, so that the premise alone tells little.
        sisters = sorted(
            (s for s in sisters if s != sense), key=lambda s: (not nouns.children[s.offset], draw(sense.word, s.word))
        )
        kinds.sort(key=lambda k: (not nouns.children[k.offset], draw(sense.word, k.word)))
        if kinds and sisters and nouns.usable([parent], branch):
            premises = {"entailment": kinds[0], "contradiction": sisters[0], "neutral": parent}
            yield three_rows(premises, sense.word, "a kind of ", branch)


def adjective_entailment(adjectives: Senses) -> Iterator[Unit]:
    """What is like it entails, what is like its antonym contradicts, what is like another word does neither."""
    likes: dict[str, list[Sense]] = defaultdict(list)
    for sense in adjectives.by_offset.values():
        if sense.head and is_plain(sense):
            likes[sense.head].append(sense)
    heads = [h for h in adjectives.by_offset.values() if h.antonym in likes and h.offset in likes and h.word.isalpha()]
    names = {h.offset: " / ".join(sorted((h.word, adjectives.by_offset[str(h.antonym)].word))) for h in heads}
    sides = {h.offset: held_out(names[h.offset], HELD_OUT_BRANCHES) for h in heads}
    for head in heads:
        strangers = (o for o in sample(heads, head) if sides[o.offset] == sides[head.offset])
        other = next(o for o in strangers if names[o.offset] != names[head.offset])
        premises = {
            label: min(likes[offset], key=lambda sense: draw(head.offset, sense.offset))
            for label, offset in (
                ("entailment", head.offset), ("contradiction", str(head.antonym)), ("neutral", other.offset),
            )
        }  # fmt: skip
        yield three_rows(premises, head.word, "", names[head.offset])


def three_rows(premises: dict[str, Sense], word: str, link: str, group: str) -> Unit:
    """All three labels for one hypothesis; half of the hypotheses deny, so that shared words do not tell the label."""
    denies = draw("not", word, group) % 2 == 1
    hypothesis = f"It is {'not ' if denies else ''}{link}{word}."
    return [
        placed(
            {
                "premise": f"It is {link}{sense.word}: {sense.gloss}.",
                "hypothesis": hypothesis,
                "label": OPPOSITE[label] if denies else label,
            },
            group,
        )
        for label, sense in premises.items()
    ]


# ---------------------------------------------------------------------------
# Definitions: gloss -> word, among its sisters
# ---------------------------------------------------------------------------


def definitions(work: Path) -> Iterator[Unit]:
    """Four words of one parent. Of the words that share a stem with their definition half are left out."""
    nouns = read(work, "noun")
    for sense in nouns.by_offset.values():
        told = stems(sense.gloss) & stems(sense.word)
        if not sense.parent or not is_plain(sense) or (told and draw("told", sense.offset) % 2):
            continue
        branch = nouns.branch(sense)
        others = {s.word for s in nouns.usable(nouns.children[sense.parent], branch)} - {sense.word}
        if len(others) >= 3:
            choices = shuffled([sense.word, *shuffled(others, sense.offset)[:3]], sense.offset, "place")
            yield [placed({"context": sense.gloss, "choices": choices, "label": choices.index(sense.word)}, branch)]


# ---------------------------------------------------------------------------
# Similarity of two glosses, 0 to 5
# ---------------------------------------------------------------------------

SAME, KIND, SISTER, COUSIN, SECOND_COUSIN, STRANGER = 5.0, 4.0, 3.0, 2.0, 1.0, 0.0


def gloss_similarity(work: Path) -> Iterator[Unit]:
    """How near two senses stand, from 5 (two wordings of one) to 0 (another branch).

    Every text is one clause of a gloss, so that neither length nor form tells the level.
    """
    nouns = read(work, "noun")
    senses = [s for s in nouns.by_offset.values() if is_plain(s) and clauses(s)]
    relatives: dict[tuple[int, str], list[Sense]] = defaultdict(list)
    for sense in senses:
        for depth, ancestor in enumerate(line(nouns, sense)):
            relatives[depth, ancestor].append(sense)
    sides = {True: [s for s in senses if is_held(nouns, s)], False: [s for s in senses if not is_held(nouns, s)]}
    for sense in senses:
        level = SAME if len(clauses(sense)) > 1 else float(draw("level", sense.offset) % 5)
        if other := relative(nouns, sense, level, relatives, sides[is_held(nouns, sense)]):
            pair = [clauses(sense)[0], clauses(other)[-1]]
            first, second = pair if draw("order", sense.offset) % 2 else reversed(pair)
            yield [placed({"first": first, "second": second, "label": level}, nouns.branch(sense))]


@cache
def clauses(sense: Sense) -> list[str]:
    """The parts of a gloss that each define the word in full."""
    plain = re.sub(r"\([^)]*\)", "", sense.gloss)
    parts = [" ".join(part.split()) for part in plain.split(";")]
    defining = re.compile(r"(an?|the|any|some|someone|something) (?!.*\b(is|are|was|were)\b)\w+( \w+){2}")
    return [part for part in parts if defining.match(part)]


def line(nouns: Senses, sense: Sense) -> list[str]:
    """The sense, its parent, its grandparent …: who shares the second but not the first is a sister."""
    return [ancestor.offset for ancestor in nouns.ancestors(sense)][:4]


def is_held(nouns: Senses, sense: Sense) -> bool:
    return held_out(nouns.branch(sense), HELD_OUT_BRANCHES)


def relative(
    nouns: Senses, sense: Sense, level: float, relatives: dict[tuple[int, str], list[Sense]], side: list[Sense]
) -> Sense | None:
    """Another sense that stands at `level` to this one, on the same side; None where there is none."""
    branch, own = nouns.branch(sense), line(nouns, sense)
    depth = int(KIND - level)
    if level == SAME:
        return sense
    if level == STRANGER:
        return next((s for s in sample(side, sense) if s.file != sense.file and nouns.branch(s) != branch), None)
    if len(own) <= max(depth, 1):
        return None
    if level == KIND:
        near = relatives[0, own[1]]
    else:
        near = [s for s in relatives[depth, own[depth]] if line(nouns, s)[depth - 1] != own[depth - 1]]
    near = [s for s in near if nouns.branch(s) == branch]
    return min(near, key=lambda s: draw(sense.offset, s.offset), default=None)


def sample(senses: list[Sense], key: Sense) -> list[Sense]:
    """Some of the senses, drawn by hash."""
    return [senses[draw(key.offset, turn) % len(senses)] for turn in range(60)]
