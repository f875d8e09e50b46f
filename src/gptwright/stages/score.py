"""score: a reward model scores the answers in a file, whoever gave them."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import Any, cast

from gptwright.alignment.answer_batch import common_lengths, states_of_all
from gptwright.alignment.prompts import text_of
from gptwright.alignment.rankings import RankedIds, Reader, answer_ids
from gptwright.configs.score import Score
from gptwright.evaluation.ranking_metrics import ScoredAnswers, evaluate_ranking
from gptwright.foundations.atomic_io import require_room
from gptwright.foundations.device import use_threads
from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.foundations.intake import Intake
from gptwright.foundations.progress import say
from gptwright.images.named import named_image
from gptwright.inference.content import Content
from gptwright.models.heads import RewardModel
from gptwright.pipelines.load import load, load_writer
from gptwright.pipelines.model import Model
from gptwright.pipelines.sequence_scorer import SequenceScorer
from gptwright.stages.reward_model import require_same_sight
from gptwright.store.ranking_lines import Ranking, read_ranking
from gptwright.text.heldout import normalised
from gptwright.text.jsonl import Line, read_objects, write_objects
from gptwright.tokenizers.chat_templates.chat import read_messages, read_prompt
from gptwright.tokenizers.chat_templates.parts import images_of


@dataclass(frozen=True)
class Asked:
    """A line, what it holds, and the answers as ids: None where one does not fit into the model's context."""

    line: Line
    ranking: Ranking
    ids: Sequence[list[int] | None]
    content: Mapping[int, Content]
    """what stands in the places of the prompt's images"""

    @property
    def items(self) -> RankedIds:
        """Those that fit."""
        fitting = [(ids, rank) for ids, rank in zip(self.ids, self.ranking.ranks, strict=True) if ids]
        return RankedIds([ids for ids, _ in fitting], [rank for _, rank in fitting], content=self.content)


def run(config: Score) -> None:
    """Every line of the file with its "scores", in the order of the answers, as JSON Lines; of a conversation "score".

    Where answers are ranked, it is said how well the scores order them.
    """
    use_threads(config.threads)
    if config.out:
        require_room(config.out)
    scorer = load(config.model)
    if not isinstance(scorer, SequenceScorer) or not isinstance(scorer.network, RewardModel):
        raise ArtifactError(f"a reward model in {config.model}", "a model of another kind", "Give a folder of reward.")
    reader = scorer if config.base is None else _eyes(config, scorer)
    asked = _read(config, scorer, reader)
    items = [each.items for each in asked]
    found: list[float] = scorer.network.head(states_of_all(scorer.network, items, scorer.tokenizer.pad_id)).tolist()
    if not all(map(isfinite, found)):
        raise ArtifactError(f"a reward model in {config.model} whose scores are numbers", "NaN or an infinity",
                            "Train it anew, with a lower --learning-rate.")  # fmt: skip
    numbers = iter(found)
    scores = [[next(numbers) for _ in item.rows] for item in items]
    _say_order(asked, items, scores)
    lines = [_with_scores(each, own) for each, own in zip(asked, scores, strict=True)]
    if config.out:
        write_objects(config.out, lines)
        say(f"score: {len(found):,} answers in {config.out}")
    else:
        print("\n".join(json.dumps(line, ensure_ascii=False) for line in lines))


def _eyes(config: Score, scorer: SequenceScorer) -> Model:
    """What brings images to the reward model. Raises `ArtifactError` for a model that it was not trained on."""
    assert config.base
    base = load_writer(config.base)
    require_same_sight(config.model, base)
    base.context = min(base.context, scorer.context)
    return base


def _read(config: Score, scorer: SequenceScorer, reader: Reader) -> list[Asked]:
    """What can be scored. Raises `InputError` naming a line of another shape, or when nothing can be."""
    intake, found = Intake("score"), list[Asked]()
    load = partial(named_image, folder=config.file.parent)
    for line in read_objects(config.file):
        ranking = _answers(line, load)
        if reader is scorer and images_of(ranking.messages):
            raise InputError(f"--base, the model that sees, for the image in {line.where}", "a reward model alone",
                             "Give the folder of the model on which it was trained.")  # fmt: skip
        with intake.dropping(line.where):
            content = reader.chat_content(ranking.messages)
            whole = [answer_ids(ranking.messages, answer, reader) for answer in ranking.answers]
            if content:  # nothing of a prompt with images is cut
                whole = [ids if ids and len(ids) <= scorer.context else None for ids in whole]
            each = Asked(line, ranking, [ids and ids[-scorer.context :] for ids in whole], content)
            too_long = f"by answers that leave no room for a prompt in {scorer.context:,} tokens"
            if not any(whole):
                intake.drop(f"emptied {too_long}", line.where)
                continue
            if None in whole:
                intake.cut(too_long, line.where)
            elif any(len(ids or ()) > scorer.context for ids in whole):
                intake.cut(f"at the prompt's beginning, to {scorer.context:,} tokens", line.where)
            found.append(each)
    intake.require(found, "answers to score", "Give a file of prompts with answers.")
    intake.report(f"{len(found):,} prompts, {sum(len(each.items.rows) for each in found):,} answers")
    return found


def _answers(line: Line, load: Callable[[str], bytes]) -> Ranking:
    """The prompt and its answers, all tied where the line does not rank them."""
    if any(line.get(name) is not None for name in ("chosen", "rejected", "ranks")):
        return read_ranking(line, load)
    answers = line.get("answers")
    if answers is None:
        *before, last = read_messages(line.get("messages"), line.where, load)
        if last["role"] != "assistant":
            raise InputError(f"answers to score in {line.where}", "a prompt alone",
                             'Add "answers", or end the messages with the assistant\'s.')  # fmt: skip
        return Ranking(before, [last["content"]], [1])
    texts = cast("list[Any]", answers) if isinstance(answers, list) else []
    if not texts or not all(isinstance(text, str) for text in texts):
        raise InputError(f"a list of texts as 'answers' in {line.where}", repr(answers)[:60], "Mend the line.")
    return Ranking(read_prompt(line, line.where, load), texts, [1] * len(texts))


def _with_scores(each: Asked, scores: Sequence[float]) -> dict[str, Any]:
    """None stands for an answer that does not fit."""
    own: Iterator[float] = iter(scores)
    every = [next(own) if ids else None for ids in each.ids]
    several = {"answers", "chosen", "rejected"} & each.line.keys()
    return {**each.line, "scores": every} if several else {**each.line, "score": every[0]}


def _say_order(asked: Sequence[Asked], items: Sequence[RankedIds], scores: Sequence[list[float]]) -> None:
    """Of the rankings in which not all answers tie."""
    every = zip(asked, items, scores, common_lengths(items), strict=True)
    ranked = [
        ScoredAnswers(normalised(text_of(each.ranking.messages)), own, item.ranks,
                      [len(row) - common for row in item.rows])
        for each, item, own, common in every if len({*item.ranks}) > 1
    ]  # fmt: skip
    if ranked:
        estimates = evaluate_ranking(ranked).estimates
        pairs, tau, gain = (estimates[name] for name in ("pair_accuracy", "kendall_tau_b", "ndcg"))
        say(f"score: {pairs.value:.1%} of {pairs.count:,} pairs right ({pairs.low:.1%} to {pairs.high:.1%}), "
            f"Kendall's τ-b {tau.value:.2f}, NDCG {gain.value:.3f}")  # fmt: skip
