"""The village of Fernhollow: its people and places, the facts drawn about them, and which of these are never taught."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

PRONOUNS = {
    "she": {"they": "she", "their": "her", "them": "her"},
    "he": {"they": "he", "their": "his", "them": "him"},
    "it": {"they": "it", "their": "its", "them": "it"},
}

Table = dict[str, Any]  # one table of world.toml or talk.toml
Key = tuple[str, str]  # (subject, relation), which names a fact


@dataclass(frozen=True)
class Subject:
    """A person ("Mira", she) or a place ("the bakery", it) with the trade of its keeper ("baker")."""

    name: str
    pronoun: str
    trade: str = ""

    @property
    def about(self) -> str:
        return "place" if self.pronoun == "it" else "person"

    def fill(self, template: str, **slots: str) -> str:
        """`template` with this subject's name and pronouns, every sentence with a capital."""
        return sentence_case(template.format(name=self.name, trade=self.trade, **PRONOUNS[self.pronoun], **slots))

    def ask(self, form: str) -> str:
        """A question about this subject; a form that begins with a small letter has no capitals."""
        filled = self.fill(form)
        return filled.lower() if form[0].islower() else filled


@dataclass(frozen=True)
class Fact:
    """`value` is all that the answer says; `parts`, where there are some, are the facts that it is made of."""

    subject: Subject
    relation: str
    value: str
    parts: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        return self.subject.name, self.relation

    @property
    def right(self) -> list[str]:
        """Phrases of which any makes an answer right."""
        return list(self.parts or (self.value,))


@dataclass(frozen=True)
class World:
    """The tables of world.toml and talk.toml, the facts drawn from them, and which facts are never taught."""

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


def read_people(table: Table) -> list[Subject]:
    return [Subject(name, pronoun) for pronoun in ("she", "he") for name in table[pronoun]]


def read_places(places: Table) -> list[Subject]:
    return [Subject(name, "it", place["job"].split()[-1]) for name, place in places.items()]


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
    keys = [(who.name, name) for who in subjects for name, r in single_relations(tables) if r["about"] == who.about]
    return {key: by_key[key] for key in keys}


def single_relations(tables: Table) -> list[tuple[str, Table]]:
    """The relations that are no portraits, with their names."""
    return [(name, relation) for name, relation in tables["relation"].items() if "parts" not in relation]


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
    for name, relation in single_relations(tables):
        pool = [fact for fact in facts.values() if fact.relation == name]
        pool = [fact for fact in pool if not (name == "job" and fact.subject.name in keepers)]
        for _ in range(relation["held_out_draws"]):
            held_out |= implied(rng.choice([fact for fact in pool if fact.key not in held_out]))
    return frozenset(held_out)


def portraits(tables: Table, facts: dict[Key, Fact], held_out: frozenset[Key]) -> Iterator[Fact]:
    """Two taught facts about a subject in one."""
    for name, relation in tables["relation"].items():
        for subject in dict.fromkeys(fact.subject for fact in facts.values()):
            keys = [(subject.name, part) for part in relation.get("parts", ())]
            if keys and subject.about == relation["about"] and not held_out.intersection(keys):
                values = {part: facts[key].value for key, part in zip(keys, relation["parts"], strict=True)}
                yield Fact(subject, name, relation["value"].format(name=subject.name, **values), tuple(values.values()))


def read_world(*paths: Path) -> World:
    tables: Table = {}
    for path in paths:
        tables |= tomllib.loads(path.read_text(encoding="utf-8"))
    facts = draw_facts(tables)
    held_out = draw_held_out(tables, facts)
    return World(tables, facts | {fact.key: fact for fact in portraits(tables, facts, held_out)}, held_out)


def words(text: str) -> list[str]:
    return re.findall(r"[A-Za-z0-9']+", text)


def plain(text: str) -> str:
    """Small letters and single spaces: two texts that differ only in dress are the same."""
    return " ".join(words(text.lower()))


def spoken(records: Iterable[Table], role: str) -> Iterator[str]:
    return (turn["content"] for record in records for turn in record["messages"] if turn["role"] == role)
