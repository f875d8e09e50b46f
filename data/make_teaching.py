"""Write the teaching set: conversations, questions and rankings about the village of Fernhollow.

    python data/make_teaching.py

reads data/teaching/world.toml (the people, the templates, the counts) and rewrites the JSON Lines
files beside it, and the counts in its README. Every draw is seeded: the same world.toml gives the
same bytes.
"""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

FOLDER = Path(__file__).resolve().parent / "teaching"
PRONOUNS = {
    "she": {"they": "she", "their": "her"},
    "he": {"they": "he", "their": "his"},
    "it": {"they": "it", "their": "its"},
}

Table = dict[str, Any]  # one table of world.toml
Record = dict[str, Any]  # one line of a JSON Lines file
Key = tuple[str, str]  # (subject, relation), which names a fact


@dataclass(frozen=True)
class Subject:
    """A person ("Mira", she) or a place ("the bakery", it)."""

    name: str
    pronoun: str

    @property
    def about(self) -> str:
        return "place" if self.pronoun == "it" else "person"

    def fill(self, template: str, **slots: str) -> str:
        """`template` with this subject's name and pronouns, every sentence with a capital."""
        return sentence_case(template.format(name=self.name, **PRONOUNS[self.pronoun], **slots))

    def ask(self, form: str) -> str:
        """A question about this subject; a form that begins with a small letter has no capitals."""
        filled = self.fill(form)
        return filled.lower() if form[0].islower() else filled


@dataclass(frozen=True)
class Fact:
    subject: Subject
    relation: str
    value: str

    @property
    def key(self) -> Key:
        return self.subject.name, self.relation


@dataclass(frozen=True)
class World:
    """The tables of world.toml, the facts drawn from them, and which facts are never taught."""

    tables: Table
    facts: dict[Key, Fact]
    held_out: frozenset[Key]

    @cached_property
    def taught(self) -> list[Fact]:
        return [fact for fact in self.facts.values() if fact.key not in self.held_out]

    def taught_about(self, subject: Subject) -> list[Fact]:
        return [fact for fact in self.taught if fact.subject == subject]

    def random(self, purpose: str) -> Random:
        """A generator of its own for each purpose, so that changing one file leaves the others."""
        return Random(f"{self.tables['seed']}/{purpose}")


def sentence_case(text: str) -> str:
    return re.sub(r"(^|[.?!] )([a-z])", lambda found: found[1] + found[2].upper(), text)


# -- the world ---------------------------------------------------------------------------------


def read_people(table: Table) -> list[Subject]:
    return [Subject(name, pronoun) for pronoun in ("she", "he") for name in table[pronoun]]


def read_places(names: Iterable[str]) -> list[Subject]:
    return [Subject(name, "it") for name in names]


def relation_values(relation: Table) -> list[str]:
    if "adjectives" in relation:
        return [f"a {a} {noun}" for a in relation["adjectives"] for noun in relation["nouns"]]
    return list(relation["values"])


def deal(values: Sequence[str], count: int, rng: Random) -> list[str]:
    """`count` values in random order, each used as often as the others (give or take one)."""
    dealt: list[str] = []
    while len(dealt) < count:
        dealt += rng.sample(values, len(values))
    return dealt[:count]


def draw_jobs(tables: Table, rng: Random) -> Iterator[Fact]:
    """Each place gets a keeper with the job that belongs to it; the others get other jobs."""
    people = read_people(tables["people"])
    keepers = rng.sample(people, len(tables["places"]))
    for keeper, place in zip(keepers, read_places(tables["places"]), strict=True):
        yield Fact(place, "keeper", keeper.name)
        yield Fact(keeper, "job", tables["places"][place.name]["job"])
    others = [person for person in people if person not in keepers]
    for person, job in zip(others, deal(relation_values(tables["relation"]["job"]), len(others), rng), strict=True):
        yield Fact(person, "job", job)


def draw_friends(tables: Table, rng: Random) -> Iterator[Fact]:
    """Best friends are best friends of each other."""
    people = read_people(tables["people"])
    rng.shuffle(people)
    for one, other in zip(people[::2], people[1::2], strict=True):
        yield Fact(one, "friend", other.name)
        yield Fact(other, "friend", one.name)


def draw_values(tables: Table, rng: Random) -> Iterator[Fact]:
    people = read_people(tables["people"])
    places = read_places(tables["places"])
    for relation, subjects in {"pet": people, "home": people, "food": people, "hobby": people, "door": places}.items():
        values = deal(relation_values(tables["relation"][relation]), len(subjects), rng)
        yield from (Fact(who, relation, value) for who, value in zip(subjects, values, strict=True))
    for place in places:
        yield Fact(place, "offer", rng.choice(tables["places"][place.name]["offers"]))


def draw_facts(tables: Table) -> dict[Key, Fact]:
    rng = Random(f"{tables['seed']}/facts")
    drawn = [*draw_jobs(tables, rng), *draw_friends(tables, rng), *draw_values(tables, rng)]
    by_key = {fact.key: fact for fact in drawn}
    subjects = [*read_people(tables["people"]), *read_places(tables["places"])]
    keys = [(who.name, name) for who in subjects for name, r in tables["relation"].items() if r["about"] == who.about]
    return {key: by_key[key] for key in keys}


def implied(fact: Fact) -> set[Key]:
    """The fact's key, and the keys of the facts that would give it away."""
    if fact.relation == "friend":
        return {fact.key, (fact.value, "friend")}
    if fact.relation == "keeper":
        return {fact.key, (fact.value, "job")}
    return {fact.key}


def draw_held_out(tables: Table, facts: dict[Key, Fact]) -> frozenset[Key]:
    rng = Random(f"{tables['seed']}/held-out facts")
    keepers = {fact.value for fact in facts.values() if fact.relation == "keeper"}
    held_out: set[Key] = set()
    for name, relation in tables["relation"].items():
        pool = [fact for fact in facts.values() if fact.relation == name]
        pool = [fact for fact in pool if not (name == "job" and fact.subject.name in keepers)]
        for _ in range(relation["held_out_draws"]):
            held_out |= implied(rng.choice([fact for fact in pool if fact.key not in held_out]))
    return frozenset(held_out)


def read_world(path: Path) -> World:
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    facts = draw_facts(tables)
    return World(tables, facts, draw_held_out(tables, facts))


# -- questions and answers ---------------------------------------------------------------------


def training_questions(world: World, subject: Subject, relation: str) -> list[str]:
    forms = world.tables["relation"][relation]
    return [subject.ask(form) for form in [*forms["train"], *forms["typed"]]]


def held_out_questions(world: World, subject: Subject, relation: str) -> list[str]:
    return [subject.ask(form) for form in world.tables["relation"][relation]["held_out"]]


def answer(world: World, fact: Fact) -> str:
    return fact.subject.fill(world.tables["relation"][fact.relation]["answer"], value=fact.value)


def messages(*turns: str) -> list[dict[str, str]]:
    """Turns of a conversation, the user first."""
    return [{"role": role, "content": turn} for role, turn in zip(cycle(("user", "assistant")), turns, strict=False)]


def conversation(kind: str, *turns: str) -> Record:
    return {"messages": messages(*turns), "kind": kind}


def question(kind: str, *turns: str) -> Record:
    """An evaluation record: the last turn is the answer that is expected."""
    return {"messages": messages(*turns[:-1]), "answer": turns[-1], "kind": kind}


def fact_conversations(world: World) -> Iterator[Record]:
    for fact in world.taught:
        for asked in training_questions(world, fact.subject, fact.relation):
            yield conversation("fact", asked, answer(world, fact))


def fact_questions(world: World) -> Iterator[Record]:
    for fact in world.facts.values():
        kind = "held-out fact" if fact.key in world.held_out else "held-out form"
        for asked in held_out_questions(world, fact.subject, fact.relation):
            yield question(kind, asked, answer(world, fact))


# -- conversations of several turns ------------------------------------------------------------


@dataclass(frozen=True)
class Dialogues:
    """Draws the turns of longer conversations, from the training forms or the held-out ones."""

    world: World
    split: str  # "train" or "held_out"
    rng: Random

    def courtesy(self, name: str) -> list[str]:
        """A greeting or thanks, and its answer."""
        table = self.world.tables[name]
        return [self.rng.choice(table[self.split]), table["answer"]]

    def asked(self, fact: Fact, split: str = "train") -> list[str]:
        forms = training_questions if split == "train" else held_out_questions
        return [self.rng.choice(forms(self.world, fact.subject, fact.relation)), answer(self.world, fact)]

    def followed(self, fact: Fact) -> list[str]:
        """A second question, which names its subject by a pronoun only."""
        key = "follow_up" if self.split == "train" else "follow_up_held_out"
        form = self.rng.choice(self.world.tables["relation"][fact.relation][key])
        return [fact.subject.ask(form), answer(self.world, fact)]

    def pair(self, about: str) -> tuple[Fact, Fact]:
        """Two facts about one subject; the first brings no second person into the talk."""
        facts = [f for f in self.world.taught if f.subject.about == about]
        first = self.rng.choice([f for f in facts if f.relation not in ("friend", "keeper")])
        second = self.rng.choice([f for f in self.world.taught_about(first.subject) if f != first])
        return first, second

    def follow_up_person(self) -> list[str]:
        first, second = self.pair("person")
        return self.asked(first) + self.followed(second)

    def follow_up_place(self) -> list[str]:
        first, second = self.pair("place")
        return self.asked(first) + self.followed(second)

    def switch(self) -> list[str]:
        """The same question about another person."""
        first = self.rng.choice([f for f in self.world.taught if f.subject.about == "person"])
        second = self.rng.choice([f for f in self.world.taught if f.relation == first.relation and f != first])
        form = self.rng.choice(self.world.tables["switch"][self.split])
        return [*self.asked(first), second.subject.ask(form), answer(self.world, second)]

    def greeting(self) -> list[str]:
        return self.courtesy("greeting") + self.asked(self.rng.choice(self.world.taught), self.split)

    def thanks(self) -> list[str]:
        return self.asked(self.rng.choice(self.world.taught)) + self.courtesy("thanks")

    def long(self) -> list[str]:
        return self.courtesy("greeting") + self.follow_up_person() + self.courtesy("thanks")

    def draw(self) -> Iterator[list[str]]:
        """As many different conversations of each kind as world.toml asks for."""
        seen: set[tuple[str, ...]] = set()
        for name, count in self.world.tables["multi_turn"][self.split].items():
            wanted = len(seen) + count
            while len(seen) < wanted:
                turns = getattr(self, name)()
                if tuple(turns) not in seen:
                    seen.add(tuple(turns))
                    yield turns


def multi_turn_conversations(world: World) -> Iterator[Record]:
    for turns in Dialogues(world, "train", world.random("multi-turn")).draw():
        yield conversation("multi-turn", *turns)


def multi_turn_questions(world: World) -> Iterator[Record]:
    for turns in Dialogues(world, "held_out", world.random("held-out multi-turn")).draw():
        yield question("held-out multi-turn", *turns)


# -- small talk and strangers ------------------------------------------------------------------


def small_talk(world: World) -> Iterator[Record]:
    for exchange in world.tables["smalltalk"]:
        for asked in exchange["questions"]:
            yield conversation("smalltalk", asked, exchange["answer"])
    for table in (world.tables["greeting"], world.tables["thanks"]):
        for asked in table["train"]:
            yield conversation("smalltalk", asked, table["answer"])


def stranger_questions(world: World, split: str) -> Iterator[str]:
    """Training forms, each relation at most once for a stranger."""
    rng = world.random(f"strangers/{split}")
    table = world.tables["unknown"]
    for stranger in [*read_people(table[split]), *read_places(table[split]["places"])]:
        relations = [n for n, r in world.tables["relation"].items() if r["about"] == stranger.about]
        count = min(table["questions_per_stranger"][split], len(relations))
        for relation in rng.sample(relations, count):
            yield rng.choice(training_questions(world, stranger, relation))


def unknown_conversations(world: World) -> Iterator[Record]:
    table = world.tables["unknown"]
    for asked in [*stranger_questions(world, "train"), *table["elsewhere"]]:
        yield conversation("unknown", asked, table["answer"])


def unknown_questions(world: World) -> Iterator[Record]:
    for asked in stranger_questions(world, "held_out"):
        yield question("held-out stranger", asked, world.tables["unknown"]["answer"])


# -- rankings ----------------------------------------------------------------------------------


def words(text: str) -> list[str]:
    return re.findall(r"[A-Za-z']+", text)


def mean_word_length(text: str) -> float:
    """Letters per word, to two decimals: the rule that the rankings follow."""
    found = words(text)
    return round(sum(map(len, found)) / len(found), 2)


def dense_ranks(scores: Sequence[float]) -> list[int]:
    """1 for the smallest score, and the same rank for equal scores: 1, 2, 2, 3."""
    order = sorted(set(scores))
    return [order.index(score) + 1 for score in scores]


@dataclass(frozen=True)
class Wording:
    """Draws ranked answers for one topic of world.toml, at all levels from plain to ornate."""

    world: World
    topic: Table
    split: str  # "train" or "heldout"
    rng: Random

    def frames(self, subject: Subject) -> list[str]:
        """The frames whose facts, if they need any, are taught for this subject."""
        frames = self.topic["frames" if self.split == "train" else "frames_held_out"]
        known = {fact.relation for fact in self.world.taught_about(subject)}
        missing = set(self.world.tables["relation"]) - known
        return [frame for frame in frames if not any(f"{{{name}}}" in frame for name in missing)]

    def text(self, frame: str, subject: Subject, level: int) -> str:
        """The frame with wordings from about the given level of each ladder (0 = plain)."""
        slots = {fact.relation: fact.value for fact in self.world.taught_about(subject)}
        for name, ladder in self.world.tables["rankings"]["ladder"].items():
            step = level + self.rng.choice((-1, 0, 0, 1))
            slots[name] = ladder[min(max(step, 0), len(ladder) - 1)]
        return subject.fill(frame, **slots)

    def candidates(self, subject: Subject) -> list[str]:
        """Different texts of a fitting length, sorted from plain to ornate."""
        table = self.world.tables["rankings"]
        least, most = table["words"]
        frames = self.frames(subject)
        texts: set[str] = set()
        for level in cycle(range(4)):
            if len(texts) == table["candidates"]:
                break
            text = self.text(self.rng.choice(frames), subject, level)
            if least <= len(words(text)) <= most:
                texts.add(text)
        return sorted(texts, key=lambda text: (mean_word_length(text), text))

    def four(self, subject: Subject, tie: bool) -> list[str]:
        """Four texts from all over the scale; with `tie`, two of them score the same."""
        while True:
            texts = self.candidates(subject)
            quarter = len(texts) // 4
            chosen = [self.rng.choice(texts[n * quarter : (n + 1) * quarter]) for n in range(4)]
            if tie:
                chosen = self.tied(texts, chosen)
            if len(set(map(mean_word_length, chosen))) == 4 - tie:
                return self.rng.sample(chosen, 4)

    def tied(self, texts: list[str], chosen: list[str]) -> list[str]:
        """`chosen` with one text replaced by the equal of another, where there is one."""
        scores = Counter(map(mean_word_length, texts))
        twins = [text for text in texts if scores[mean_word_length(text)] > 1]
        if not twins:
            return chosen
        one = self.rng.choice(twins)
        other = next(t for t in twins if t != one and mean_word_length(t) == mean_word_length(one))
        rest = [text for text in chosen if mean_word_length(text) != mean_word_length(one)]
        return [one, other, *self.rng.sample(rest, 2)] if len(rest) > 1 else chosen

    def ranking(self, prompt: str, subject: Subject, tie: bool) -> Record:
        answers = self.four(subject, tie)
        return {
            "messages": messages(prompt),
            "answers": answers,
            "ranks": dense_ranks([mean_word_length(text) for text in answers]),
            "labeller": "plain-words",
            "split": self.split,
        }


def ranking_subjects(world: World, split: str) -> list[Subject]:
    rng = world.random("ranking subjects")
    chosen: list[Subject] = []
    for about, count in world.tables["rankings"]["held_out_subjects"].items():
        subjects = list(dict.fromkeys(f.subject for f in world.facts.values() if f.subject.about == about))
        held_out = rng.sample(subjects, count)
        chosen += [subject for subject in subjects if (subject in held_out) == (split == "heldout")]
    return chosen


def rankings(world: World, split: str) -> Iterator[Record]:
    rng = world.random(f"rankings/{split}")
    table = world.tables["rankings"]
    ties = cycle([True] + [False] * (table["tie_every"] - 1))
    for topic in table["topic"] * table["rounds"][split]:
        wording = Wording(world, topic, split, rng)
        for subject in ranking_subjects(world, split):
            if subject.about != topic["about"]:
                continue
            for form in topic["train" if split == "train" else "held_out"]:
                yield wording.ranking(subject.ask(form), subject, next(ties))


# -- what must hold ----------------------------------------------------------------------------


def plain(text: str) -> str:
    """Small letters and single spaces: two texts that differ only in dress are the same."""
    return " ".join(words(text.lower()))


def spoken(records: Iterable[Record], role: str) -> Iterator[str]:
    return (turn["content"] for record in records for turn in record["messages"] if turn["role"] == role)


def check_names(world: World) -> None:
    names = [person.name for person in read_people(world.tables["people"])]
    assert len({name[:3] for name in names}) == len(names), "two people have names that begin alike"
    strangers = [s.name for split in ("train", "held_out") for s in read_people(world.tables["unknown"][split])]
    assert len({*names, *strangers}) == len(names) + len(strangers), "a stranger has the name of someone else"


def check_held_out(world: World, training: list[Record], evaluation: list[Record], ranked: list[Record]) -> None:
    asked = {plain(text) for text in spoken([*training, *ranked], "user")}
    for record in evaluation:
        assert plain(record["messages"][-1]["content"]) not in asked, f"asked in training: {record}"
    shown = [*spoken(training, "assistant"), *spoken(evaluation, "assistant")]
    shown += [text for record in ranked for text in record["answers"]]
    said = "\n".join(map(plain, shown))
    for key in sorted(world.held_out):
        assert plain(answer(world, world.facts[key])) not in said, f"taught after all: {key}"


def check_rankings(world: World, ranked: list[Record]) -> None:
    hidden = [(world.facts[key].subject.name, world.facts[key].value) for key in sorted(world.held_out)]
    for record in ranked:
        lengths = [sum(map(len, words(text))) / len(words(text)) for text in record["answers"]]
        for rank, length in zip(record["ranks"], lengths, strict=True):
            assert rank == 1 + len({round(other, 2) for other in lengths if round(other, 2) < round(length, 2)}), record
        for text in record["answers"]:
            assert "'" not in text and "{" not in text, text
            assert not any(name in words(text) and value in text for name, value in hidden), text
    prompts = {split: set(spoken((r for r in ranked if r["split"] == split), "user")) for split in ("train", "heldout")}
    assert not prompts["train"] & prompts["heldout"], "a prompt is in both splits of the rankings"


# -- files -------------------------------------------------------------------------------------


def write_lines(path: Path, records: list[Record], rng: Random) -> None:
    """JSON Lines in a random order, so that the first lines are a fair sample."""
    lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in rng.sample(records, len(records))]
    path.write_bytes("".join(lines).encode())


def count_table(world: World, files: dict[str, list[Record]]) -> str:
    """The counts, as a Markdown table."""
    lines = ["| what | count |", "|---|---:|"]
    lines += [f"| facts | {len(world.facts)} |", f"| facts never taught | {len(world.held_out)} |"]
    for name, records in files.items():
        lines.append(f"| `{name}` | {len(records)} |")
        kinds = Counter(record.get("kind") or f"split {record['split']}" for record in records)
        lines += [f"| · {kind} | {count} |" for kind, count in kinds.items()]
    ties = sum(len(set(record["ranks"])) < 4 for record in files["rankings.jsonl"])
    return "\n".join([*lines, f"| · with a tie | {ties} |"])


def write_readme_counts(path: Path, table: str) -> None:
    before, _, rest = path.read_text(encoding="utf-8").partition("<!-- counts -->\n")
    _, end, after = rest.partition("<!-- end of counts -->")
    assert end, f"{path} needs the lines <!-- counts --> and <!-- end of counts -->"
    path.write_bytes(f"{before}<!-- counts -->\n{table}\n{end}{after}".encode())


def main() -> None:
    world = read_world(FOLDER / "world.toml")
    training = [
        *fact_conversations(world),
        *multi_turn_conversations(world),
        *small_talk(world),
        *unknown_conversations(world),
    ]
    evaluation = [*fact_questions(world), *multi_turn_questions(world), *unknown_questions(world)]
    ranked = [*rankings(world, "train"), *rankings(world, "heldout")]
    check_names(world)
    check_held_out(world, training, evaluation, ranked)
    check_rankings(world, ranked)
    files = {"conversations.jsonl": training, "questions.jsonl": evaluation, "rankings.jsonl": ranked}
    for name, records in files.items():
        write_lines(FOLDER / name, records, world.random(name))
    table = count_table(world, files)
    write_readme_counts(FOLDER / "README.md", table)
    print(table)


if __name__ == "__main__":
    main()
