"""Write the teaching set: conversations, questions and rankings about the village of Fernhollow.

    python data/make_teaching.py

reads data/teaching/world.toml (the people, what can be asked) and data/teaching/talk.toml (how it is answered, and all
else that people say) and rewrites the JSON Lines files beside them, and the counts in their README. Every draw is
seeded: the same tables give the same bytes.
"""

import json
import lzma
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import cycle, product
from pathlib import Path
from random import Random
from typing import Any

from teaching_world import Fact, Subject, World, plain, read_people, read_world, sentence_case, spoken

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))
from gptwright.text.rule_labeller import RULES, ranks

FOLDER = Path(__file__).resolve().parent / "teaching"
LABELLER = "friendly"

Record = dict[str, Any]  # one line of a JSON Lines file


# -- answers -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reply:
    """One answer in all its styles, and the phrases of which any makes an answer right."""

    relation: str
    right: list[str]
    bare: str
    sentence: str
    openings: Sequence[str]
    closings: Sequence[str]
    rambling: Sequence[str]
    fact: Fact | None = None

    def styled(self, style: str, rng: Random) -> str:
        """The answer as "bare", "sentence", "friendly" or "rambling", in one of the wordings."""
        if style == "bare":
            return self.bare
        if style == "rambling":
            return rng.choice(self.rambling).format(sentence=uncapitalised(self.sentence))
        parts = [rng.choice(self.openings), self.sentence, rng.choice(self.closings)]
        kind = rng.choice(("opening", "closing", "both")) if style == "friendly" else ""
        return " ".join(parts[0 if kind in ("opening", "both") else 1 : 3 if kind in ("closing", "both") else 2])


def uncapitalised(text: str) -> str:
    """Within a sentence: the first letter is small, where it is not a name's."""
    first = text.split()[0]
    return text if first == "I" else text[0].lower() + text[1:] if first in COMMON else text


COMMON = {"A", "At", "The", "People", "There", "You", "Yes,", "No,", "Hello.", "Goodbye,"}


@dataclass(frozen=True)
class Replies:
    """What is answered to everything."""

    world: World

    @cached_property
    def styles(self) -> Record:
        return self.world.tables["styles"]

    def fact(self, fact: Fact) -> Reply:
        relation, who = self.world.tables["relation"][fact.relation], fact.subject
        about = self.styles["closings_about"][who.about]
        return Reply(
            fact.relation, fact.right, who.fill(relation["bare"], value=fact.value),
            who.fill(relation["answer"], value=fact.value),
            [who.fill(opening) for opening in relation["openings"]],
            [*self.styles["closings"], *(who.fill(closing) for closing in about)], self.styles["rambling"], fact,
        )  # fmt: skip

    def wrong(self, reply: Reply, rng: Random) -> Reply:
        """Another value, not knowing what it should, or a fact that nobody asked for."""
        if (fact := reply.fact) and rng.random() < 0.5:
            taught = [o for o in self.world.taught if o.relation == fact.relation and not {*o.right} & {*fact.right}]
            return self.fact(replace(fact, value=rng.choice(taught).value))
        return self.fact(rng.choice(self.world.taught)) if reply.relation == "unknown" else self.talk("unknown")

    def talk(self, name: str) -> Reply:
        """An exchange of small talk, or "unknown"."""
        tables = self.world.tables
        table = tables["unknown"] if name == "unknown" else tables["smalltalk"][name]
        return Reply(
            name, table["right"], table["bare"], table["answer"],
            table.get("openings", self.styles["openings"]), table["closings"], self.styles["rambling"],
        )  # fmt: skip

    def named(self, name: str | list[str]) -> Reply:
        """As talk.toml refers to them: an exchange, or [subject, relation]."""
        return self.talk(name) if isinstance(name, str) else self.fact(self.world.facts[name[0], name[1]])

    def styled(self, reply: Reply, rng: Random) -> str:
        """In a style drawn as often as the table says."""
        shares = self.styles["shares"]
        return reply.styled(rng.choices(list(shares), list(shares.values()))[0], rng)


Turn = tuple[str, Reply]


def questions_about(world: World, subject: Subject, relation: str, split: str) -> list[str]:
    forms = world.tables["relation"][relation]
    return [
        subject.ask(form) for form in (forms["held_out"] if split == "held_out" else forms["train"] + forms["typed"])
    ]


def messages(*turns: str) -> list[dict[str, str]]:
    """Turns of a conversation, the user first."""
    return [{"role": role, "content": turn} for role, turn in zip(cycle(("user", "assistant")), turns, strict=False)]


@dataclass(frozen=True)
class Asked:
    """Turns of which the last one waits for its answer, those before it are answered."""

    kind: str
    turns: Sequence[Turn]

    def messages(self, said: Iterable[str]) -> list[dict[str, str]]:
        """With the answers given until then."""
        earlier = zip(self.turns, said, strict=False)
        return messages(*[text for (asked, _), answer in earlier for text in (asked, answer)], self.turns[-1][0])

    @property
    def reply(self) -> Reply:
        return self.turns[-1][1]

    def conversation(self, replies: Replies, rng: Random) -> Record:
        """A demonstration: all turns are answered, each in a style of its own."""
        *earlier, last = [replies.styled(reply, rng) for _, reply in self.turns]
        return {"messages": [*self.messages(earlier), *messages("", last)[1:]], "kind": self.kind}

    def line(self, said: Iterable[str]) -> Record:
        """A question and what makes its answer right."""
        return {"messages": self.messages(said), "answer": self.reply.sentence, "right": self.reply.right,
                "relation": self.reply.relation, "kind": self.kind}  # fmt: skip

    def question(self) -> Record:
        """A question to measure by; the earlier answers are whole sentences."""
        return self.line(reply.sentence for _, reply in self.turns[:-1])


# -- conversations of several turns ------------------------------------------------------------


@dataclass(frozen=True)
class Dialogues:
    """Draws the turns of longer conversations, from the training forms or the held-out ones."""

    world: World
    split: str  # "train" or "held_out"
    rng: Random

    @cached_property
    def replies(self) -> Replies:
        return Replies(self.world)

    def talk(self, name: str) -> Turn:
        """A turn of small talk."""
        return self.rng.choice(self.world.tables["smalltalk"][name][self.split]), self.replies.talk(name)

    def courtesy(self, place: str) -> Turn:
        """What conversations "begin" or "end" with."""
        return self.talk(self.rng.choice(self.world.tables["courtesies"][place]))

    def unknown(self) -> Turn:
        return self.rng.choice(everyday(self.world, self.split)), self.replies.talk("unknown")

    def chat(self) -> Turn:
        courtesies = {name for names in self.world.tables["courtesies"].values() for name in names}
        return self.talk(self.rng.choice([name for name in self.world.tables["smalltalk"] if name not in courtesies]))

    def asked(self, fact: Fact) -> Turn:
        forms = questions_about(self.world, fact.subject, fact.relation, self.split)
        return self.rng.choice(forms), self.replies.fact(fact)

    def followed(self, fact: Fact) -> Turn:
        """A second question, which names its subject by a pronoun only."""
        key = "follow_up" if self.split == "train" else "follow_up_held_out"
        form = self.rng.choice(self.world.tables["relation"][fact.relation][key])
        return fact.subject.ask(form), self.replies.fact(fact)

    def about(self, subject: Subject) -> list[Fact]:
        """Facts that can be asked for with a pronoun."""
        return [f for f in self.world.taught_about(subject) if "follow_up" in self.world.tables["relation"][f.relation]]

    def subject(self, about: str = "") -> Subject:
        return self.rng.choice([f for f in self.world.taught if about in ("", f.subject.about)]).subject

    def pair(self, about: str = "") -> tuple[Fact, Fact]:
        """Two facts about one subject; the first brings no second person into the talk."""
        facts = self.about(self.subject(about))
        first = self.rng.choice([f for f in facts if f.relation not in ("friend", "keeper")])
        return first, self.rng.choice([f for f in facts if f != first])

    def follow_up_person(self) -> list[Turn]:
        first, second = self.pair("person")
        return [self.asked(first), self.followed(second)]

    def follow_up_place(self) -> list[Turn]:
        first, second = self.pair("place")
        return [self.asked(first), self.followed(second)]

    def switch(self) -> list[Turn]:
        """The same question about another person."""
        first = self.rng.choice([f for f in self.world.taught if f.subject.about == "person"])
        second = self.rng.choice([f for f in self.world.taught if f.relation == first.relation and f != first])
        form = self.rng.choice(self.world.tables["switch"][self.split])
        return [self.asked(first), (second.subject.ask(form), self.replies.fact(second))]

    def led(self, turn: Turn) -> Turn:
        """Now and then with a word on the answer before it."""
        asked, reply = turn
        return (
            (f"{self.rng.choice(self.world.tables['leads'][self.split])} {asked}", reply)
            if self.rng.random() < 0.25
            else turn
        )

    def mixed(self) -> list[Turn]:
        """Three to six turns of everything."""
        turns = [self.courtesy("begin")] if self.rng.random() < 0.5 else []
        end = [self.courtesy("end")] if self.rng.random() < 0.5 else []
        wanted = self.rng.randint(max(3 - len(end), 1), 6 - len(end))
        while len(turns) < wanted:
            kind = self.rng.choice(("fact", "pair", "switch", "unknown", "chat", "chat"))
            if kind == "fact":
                turns.append(self.asked(self.rng.choice(self.world.taught)))
            elif kind == "pair":
                turns += self.follow_up_person() if self.rng.random() < 0.8 else self.follow_up_place()
            elif kind == "switch":
                turns += self.switch()
            else:
                turns.append(self.unknown() if kind == "unknown" else self.chat())
        return [turns[0], *map(self.led, turns[1:wanted]), *end]

    def draw(self) -> Iterator[list[Turn]]:
        """As many different conversations of each kind as talk.toml asks for."""
        seen: set[tuple[str, ...]] = set()
        for name, count in self.world.tables["multi_turn"][self.split].items():
            wanted = len(seen) + count
            while len(seen) < wanted:
                turns: list[Turn] = getattr(self, name)()
                questions = tuple(asked for asked, _ in turns)
                if questions not in seen:
                    seen.add(questions)
                    yield turns


# -- what is asked -----------------------------------------------------------------------------


def everyday(world: World, split: str) -> list[str]:
    """Questions that the village cannot answer: forms × topics, either all of training or all held out."""
    tables = world.tables["everyday"].values()
    forms, topics = ("train", "topics") if split == "train" else ("held_out", "topics_held_out")
    found = [asked_in(form, topic) for table in tables for form, topic in product(table[forms], table[topics])]
    return list(dict.fromkeys(found + (world.tables["unknown"]["others"] if split == "train" else [])))


def some_everyday(world: World, split: str) -> list[str]:
    """As many of them as talk.toml asks for."""
    return world.random(f"everyday/{split}").sample(everyday(world, split), world.tables["unknown"]["everyday"][split])


def asked_in(form: str, topic: str) -> str:
    filled = form.format(x=topic)
    return filled.lower() if form[0].islower() else sentence_case(filled)


def strangers(world: World, split: str) -> Iterator[str]:
    """Training forms, each relation at most once for a stranger."""
    rng = world.random(f"strangers/{split}")
    table = world.tables["unknown"]
    places = [Subject(name, "it", "keeper") for name in table[split]["places"]]
    for stranger in [*read_people(table[split]), *places]:
        relations = [n for n, r in world.tables["relation"].items() if r["about"] == stranger.about and n != "keeper"]
        for relation in rng.sample(relations, min(table["questions_per_stranger"][split], len(relations))):
            yield rng.choice(questions_about(world, stranger, relation, "train"))


def demonstrated(world: World) -> Iterator[Asked]:
    """All that is taught."""
    rng, replies = world.random("forms"), Replies(world)
    for fact in world.taught:
        forms = questions_about(world, fact.subject, fact.relation, "train")
        for asked in rng.sample(forms, min(world.tables["styles"]["forms_a_fact"], len(forms))):
            yield Asked("fact", [(asked, replies.fact(fact))])
    for turns in Dialogues(world, "train", world.random("multi-turn")).draw():
        yield Asked("multi-turn", turns)
    for name, exchange in world.tables["smalltalk"].items():
        for asked in exchange["train"] * world.tables["styles"]["times_smalltalk"]:
            yield Asked("smalltalk", [(asked, replies.talk(name))])
    for asked in [*strangers(world, "train"), *some_everyday(world, "train")]:
        yield Asked("unknown", [(asked, replies.talk("unknown"))])


def measured(world: World) -> Iterator[Asked]:
    """All that is asked to measure by."""
    rng, replies = world.random("questions"), Replies(world)
    for fact in world.facts.values():
        kind = "held-out fact" if fact.key in world.held_out else "held-out form"
        count = len(world.tables["relation"][fact.relation]["held_out"]) if kind == "held-out fact" else 1
        for asked in rng.sample(questions_about(world, fact.subject, fact.relation, "held_out"), count):
            yield Asked(kind, [(asked, replies.fact(fact))])
    for turns in Dialogues(world, "held_out", world.random("held-out multi-turn")).draw():
        yield Asked("held-out multi-turn", turns)
    unknown = replies.talk("unknown")
    for asked in strangers(world, "held_out"):
        yield Asked("held-out stranger", [(asked, unknown)])
    for asked in some_everyday(world, "held_out"):
        yield Asked("everyday", [(asked, unknown)])
    for line in world.tables["visitor"]:
        yield Asked("visitor", [(line["asked"], replies.named(line["as"]))])
    long = [(line["asked"], replies.named(line["as"])) for line in world.tables["long"]]
    for number in range(len(long)):  # the oldest turns leave the context of a small model
        yield Asked("long conversation", long[max(number - 5, 0) : number + 1])


# -- rankings ----------------------------------------------------------------------------------


def prompts(world: World, split: str, shown: set[str]) -> Iterator[Asked]:
    """What is answered several times and ranked: some of everything, of the held-out split nothing that is `shown`.

    Forms and topics are those of training, put together anew; only small talk has forms of its own.
    """
    rng, replies = world.random(f"prompts/{split}"), Replies(world)
    dialogues = Dialogues(world, "train", rng)
    facts = [
        Asked("fact", [(asked, replies.fact(fact))])
        for fact in world.taught
        for asked in questions_about(world, fact.subject, fact.relation, "train")
    ]
    several = (dialogues.follow_up_person, dialogues.follow_up_place, dialogues.switch, dialogues.mixed)
    unknown = [
        Asked("unknown", [(asked, replies.talk("unknown"))])
        for asked in [*everyday(world, "train"), *strangers(world, split)]
    ]
    talk = [
        Asked("smalltalk", [(asked, replies.talk(name))])
        for name, exchange in world.tables["smalltalk"].items()
        for asked in exchange[split]
    ]
    pools = {
        "fact": facts,
        "multi-turn": [Asked("multi-turn", rng.choice(several)()[:3]) for _ in range(1000)],
        "unknown": unknown,
        "smalltalk": talk,
    }
    for kind, count in world.tables["rankings"][split].items():
        new = {asked_of_turns(asked): asked for asked in pools[kind]}
        if split == "held_out":
            new = {key: asked for key, asked in new.items() if key not in shown}
        yield from rng.sample(list(new.values()), count)


def asked_of_turns(asked: Asked) -> str:
    return plain(" / ".join(text for text, _ in asked.turns))


def asked_of(record: Record) -> str:
    """All that the user says, without its dress."""
    return plain(" / ".join(spoken([record], "user")))


def ranking(world: World, asked: Asked, split: str, rng: Random) -> Record:
    """Four answers, as a rule one of every style; some are wrong, and some are equally good."""
    replies, table = Replies(world), world.tables["rankings"]
    earlier = [replies.styled(reply, rng) for _, reply in asked.turns[:-1]]
    line, answers = asked.line(earlier), list[str]()
    while len(answers) < 4:
        style = ("friendly", "rambling", "sentence", rng.choice(("bare", "friendly")))[len(answers)]
        wrong = rng.random() < table["wrong"]
        answer = (replies.wrong(asked.reply, rng) if wrong else asked.reply).styled(style, rng)
        if answer not in answers:
            answers.append(answer)
        elif style == "sentence":
            answers.append(asked.reply.bare)
    rng.shuffle(answers)
    return line | {"answers": answers, "ranks": ranks(line, answers, RULES[LABELLER]), "labeller": LABELLER,
                   "split": "train" if split == "train" else "heldout"}  # fmt: skip


def rankings(world: World, training: list[Record]) -> Iterator[Record]:
    shown = set(map(asked_of, training))
    for split in ("train", "held_out"):
        rng = world.random(f"rankings/{split}")
        for asked in prompts(world, split, shown):
            line = ranking(world, asked, split, rng)
            shown.add(asked_of(line))
            yield line


# -- what must hold ----------------------------------------------------------------------------


def check_names(world: World) -> None:
    names = [person.name for person in read_people(world.tables["people"])]
    assert len({name[:3] for name in names}) == len(names), "two people have names that begin alike"
    unknown = [s.name for split in ("train", "held_out") for s in read_people(world.tables["unknown"][split])]
    assert len({*names, *unknown}) == len(names) + len(unknown), "a stranger has the name of someone else"


def check_held_out(world: World, training: list[Record], evaluation: list[Record], ranked: list[Record]) -> None:
    taught = [record for record in ranked if record["split"] == "train"]
    asked = {plain(text) for text in spoken([*training, *taught], "user")}
    known = [q for record in evaluation if plain(q := record["messages"][-1]["content"]) in asked]
    assert not known, f"asked in training: {known}"
    shown = [*spoken(training, "assistant"), *spoken(evaluation, "assistant")]
    shown += [text for record in ranked for text in record["answers"]]
    said = "\n".join(map(plain, shown))
    for key in sorted(world.held_out):
        assert plain(Replies(world).fact(world.facts[key]).sentence) not in said, f"taught after all: {key}"


def check_rankings(training: list[Record], ranked: list[Record]) -> None:
    seen = {asked_of(record) for record in [*training, *(r for r in ranked if r["split"] == "train")]}
    assert not [r for r in ranked if r["split"] == "heldout" and asked_of(r) in seen], (
        "a held-out prompt is in training"
    )


# -- files -------------------------------------------------------------------------------------


def write_lines(path: Path, records: list[Record], rng: Random) -> None:
    """JSON Lines in a random order, so that the first lines are a fair sample; compressed as NAME.xz."""
    lines = [
        json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"
        for record in rng.sample(records, len(records))
    ]
    written = "".join(lines).encode()
    path.write_bytes(lzma.compress(written, preset=9 | lzma.PRESET_EXTREME) if path.suffix == ".xz" else written)


def count_table(world: World, files: dict[str, list[Record]]) -> str:
    """The counts, as a Markdown table."""
    lines = ["| what | count |", "|---|---:|"]
    lines += [f"| facts | {len(world.facts)} |", f"| facts never taught | {len(world.held_out)} |"]
    for name, records in files.items():
        lines.append(f"| `{name}` | {len(records)} |")
        kinds = Counter(f"split {record['split']}" if "split" in record else record["kind"] for record in records)
        lines += [f"| · {kind} | {count} |" for kind, count in kinds.items()]
    ties = sum(len(set(record["ranks"])) < 4 for record in files["rankings.jsonl.xz"])
    return "\n".join([*lines, f"| · with a tie | {ties} |"])


def write_readme_counts(path: Path, table: str) -> None:
    before, _, rest = path.read_text(encoding="utf-8").partition("<!-- counts -->\n")
    _, end, after = rest.partition("<!-- end of counts -->")
    assert end, f"{path} needs the lines <!-- counts --> and <!-- end of counts -->"
    path.write_bytes(f"{before}<!-- counts -->\n{table}\n{end}{after}".encode())


def main() -> None:
    world = read_world(FOLDER / "world.toml", FOLDER / "talk.toml")
    rng = world.random("styles")
    training = [asked.conversation(Replies(world), rng) for asked in demonstrated(world)]
    evaluation = [asked.question() for asked in measured(world)]
    ranked = list(rankings(world, training))
    check_names(world)
    check_held_out(world, training, evaluation, ranked)
    check_rankings(training, ranked)
    files = {"conversations.jsonl": training, "questions.jsonl": evaluation, "rankings.jsonl.xz": ranked}
    for name, records in files.items():
        write_lines(FOLDER / name, records, world.random(name.removesuffix(".xz")))
    table = count_table(world, files)
    write_readme_counts(FOLDER / "README.md", table)
    print(table)


if __name__ == "__main__":
    main()
