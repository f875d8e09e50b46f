from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

from torch import nn

from gptwright.alignment.rankings import RankedIds, comparable, ranked_ids, rankings_of_step, with_shuffled_ranks
from gptwright.foundations.intake import Intake
from gptwright.pipelines.loaded_model import LoadedModel
from gptwright.store.ranking_lines import Ranking
from gptwright.tokenizers.chat_templates.chat import Message, render
from gptwright.tokenizers.special_tokens import END_OF_TURN
from gptwright.tokenizers.tokenizer import Tokenizer

ASK: list[Message] = [{"role": "user", "content": "q"}]


def reader(tokenizer: Tokenizer, context: int) -> LoadedModel:
    """What reads conversations, without a network."""
    network = nn.Module()
    network.config = SimpleNamespace(context=context)  # pyright: ignore[reportAttributeAccessIssue]
    return LoadedModel(network, tokenizer, "reader")


def test_what_cannot_be_compared_is_dropped_with_its_reason(tokenizer: Tokenizer) -> None:
    def ranking(place: int, answers: list[str], ranks: list[int]) -> Ranking:
        return Ranking(ASK, answers, ranks, where=f"line {place}")

    long = "the dog ran " * 30
    intake = Intake("reward")
    found = comparable(
        [
            ranking(1, ["a", "b"], [1, 1]),
            ranking(2, [f"one {long}", f"two {long}"], [1, 2]),
            ranking(3, ["a", "a"], [1, 2]),
            ranking(4, ["a", long, "b"], [1, 2, 3]),
            ranking(5, ["a", "b", "a"], [1, 2, 3]),
            ranking(6, ["a", "b"], [2, 1]),
            ranking(7, ["a", "b", "a"], [1, 2, 1]),
        ],
        reader(tokenizer, 24),
        intake,
    )
    assert [(r.where, ids.ranks) for r, ids in found] == [("line 4", [1, 3]), ("line 6", [2, 1]), ("line 7", [1, 2, 1])]
    assert intake.dropped.counts.total() == 4 and intake.shortened.counts.total() == 1
    assert "1 all tied, the first on line 1" in str(intake.dropped)
    assert "3 without two answers to compare" in str(intake.dropped) and "the first on line 2" in str(intake.dropped)
    whole = ranked_ids(found[1][0], reader(tokenizer, 24))
    assert all(row[-1] == tokenizer.special_id(END_OF_TURN) for row in whole.rows) and not whole.cut


def test_answers_become_whole_conversations_and_long_prompts_lose_their_beginning(tokenizer: Tokenizer) -> None:
    ranking = Ranking([{"role": "user", "content": "x" * 30}], ["good", "y"], [1, 2])
    whole = render([*ranking.messages, {"role": "assistant", "content": "good"}], tokenizer)[0]
    assert ranked_ids(ranking, reader(tokenizer, 64)).rows[0] == whole
    cut = ranked_ids(ranking, reader(tokenizer, 12))
    assert cut.rows[0] == whole[-12:]
    assert all(row[-1] == tokenizer.special_id(END_OF_TURN) for row in cut.rows)


def test_rows_end_where_the_assistant_does_though_a_template_goes_on(tokenizer: Tokenizer) -> None:
    template = (
        "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + '<|end|>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    foreign = Tokenizer(tokenizer.backend, replace(tokenizer.special_tokens, chat_template=template))
    ranking = Ranking([{"role": "user", "content": "x"}], ["good", "y"], [1, 2])
    found = ranked_ids(ranking, reader(foreign, 64)).rows
    newline = tokenizer.encode("\n")
    for row, own in zip(found, ranked_ids(ranking, reader(tokenizer, 64)).rows, strict=True):
        end = own.index(tokenizer.special_id(END_OF_TURN)) + 1
        assert row == [*own[:end], *newline, *own[end:]]


def test_the_control_deals_the_same_ranks_anew() -> None:
    ranks = [1, 2, 2, 3]
    items = [RankedIds([[i]] * 4, ranks) for i in range(200)]
    dealt = with_shuffled_ranks(items, seed=3)
    assert all(Counter(d.ranks) == Counter(ranks) and d.rows == i.rows for d, i in zip(dealt, items, strict=True))
    assert dealt == with_shuffled_ranks(items, seed=3) != with_shuffled_ranks(items, seed=4)
    firsts = Counter(d.ranks[0] for d in dealt)
    assert firsts[1] in range(30, 71) and firsts[2] in range(75, 126)


def test_every_prompt_comes_once_an_epoch() -> None:
    items = [RankedIds([[i], [i]], [1, 2]) for i in range(10)]
    seen = [item.rows[0][0] for step in range(5) for item in rankings_of_step(items, 2, step, seed=1)]
    assert sorted(seen) == list(range(10)) != seen
    assert rankings_of_step(items, 2, 7, 1) == rankings_of_step(items, 2, 7, 1)
