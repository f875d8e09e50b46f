"""What `why` found, as text for a terminal: marked words stand in [brackets]."""

from collections.abc import Iterator, Sequence
from textwrap import wrap

from gptwright.foundations.terminal_text import spell_controls
from gptwright.reporting.why.evidence import Evidence, Influence, Passage, Piece

WIDTH = 100
BAR = 10


def printed(evidence: Evidence) -> str:
    """All of it, line by line."""
    return "\n".join(_lines(evidence))


def _lines(evidence: Evidence) -> Iterator[str]:
    before, last = evidence.asked[:-1], evidence.asked[-1:]
    width = max(len("answer  "), *(len(role) + 1 for role, _ in before), 0)
    for role, text in (*before, *(("asked", text) for _, text in last)):
        yield from _block(role.ljust(width), text)
    yield from _block("answer".ljust(width), _with_marks(evidence.answer))
    yield from _passages("the same words in a row", evidence.by_words)
    yield from _passages("passages that the model sees alike", evidence.by_state)
    yield from _influences("demonstrations", "the answer", evidence.demonstrations)
    yield from _influences("rankings", "the answer", evidence.pairs)
    yield from _influences("rankings", "the answer's reward", evidence.rankings)
    if evidence.notes:
        yield ""
    for note in evidence.notes:
        yield from _block("note    ", note)


def _passages(title: str, passages: Sequence[Passage]) -> Iterator[str]:
    if not passages:
        return
    yield f"\n{title}"
    for passage in passages:
        if passage.similarity is None:
            figure = f"{passage.tokens} tokens"
            often = f" (1 of {passage.count:,} places)" if passage.count > 1 else ""
        else:
            figure, often = f"cosine {passage.similarity:.2f}", ""
        yield f"  {figure} · {passage.origin.line}{often}"
        yield from _block("    ", _with_marks(passage.text))


def _influences(title: str, what: str, influences: Sequence[Influence]) -> Iterator[str]:
    for word, sign in (("for", 1), ("against", -1)):
        side = [each for each in influences if each.share * sign > 0]
        if side:
            yield f"\n{title} with influence {word} {what}"
        for each in side:
            length = max(round(abs(each.share) * BAR), 1)
            yield f"  {'█' * length}{'·' * (BAR - length)} {each.share:+.0%} · {each.origin.line}"
            width = max(9, *(len(role) for role, _ in each.turns))
            for role, content in each.turns:
                yield from _block(f"    {role:{width}} ", content)
            for rank, answer in each.ranks:
                yield from _block(f"    rank {rank:<4} ", answer)


def _block(before: str, text: str) -> Iterator[str]:
    """Wrapped, without what could steer a terminal."""
    whole = spell_controls(" ".join(text.split()))
    lines = wrap(whole, WIDTH - len(before), break_on_hyphens=False) or [""]
    for number, line in enumerate(lines):
        yield f"{before if not number else ' ' * len(before)}{line}"


def _with_marks(pieces: Sequence[Piece]) -> str:
    """Blanks stay outside of the brackets."""
    found = list[str]()
    for text, mark in pieces:
        inner = text.strip()
        if mark and inner:
            before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
            text = f"{before}[{inner}]{after}"
        found.append(text)
    return "".join(found)
