"""What `why` found, as text for a terminal: marked words stand in [brackets]."""

from collections.abc import Iterator, Sequence
from textwrap import wrap

from gptwright.foundations.terminal_text import spell_controls
from gptwright.reporting.why.evidence import Evidence, Passage, Piece, Push

WIDTH = 100
BAR = 10


def printed(evidence: Evidence) -> str:
    """All of it, line by line."""
    return "\n".join(_lines(evidence))


def _lines(evidence: Evidence) -> Iterator[str]:
    if evidence.prompt is not None:
        yield from _block("asked   ", evidence.prompt)
    yield from _block("answer  ", _with_marks(evidence.answer))
    yield from _passages("the same words in a row", evidence.by_words)
    yield from _passages("passages that the model sees alike", evidence.by_state)
    yield from _pushes("demonstrations", "the answer", evidence.demonstrations)
    yield from _pushes("rankings", "the answer's reward", evidence.rankings)
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


def _pushes(title: str, what: str, pushes: Sequence[Push]) -> Iterator[str]:
    sides = (("for", [each for each in pushes if each.share > 0]), ("against", [p for p in pushes if p.share < 0]))
    for word, side in sides:
        if side:
            yield f"\n{title} that push {word} {what}"
        for push in side:
            length = max(round(abs(push.share) * BAR), 1)
            yield f"  {'█' * length}{'·' * (BAR - length)} {push.share:+.0%} · {push.origin.line}"
            for role, content in push.turns:
                yield from _block(f"    {role:9} ", content)
            for rank, answer in push.ranks:
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
