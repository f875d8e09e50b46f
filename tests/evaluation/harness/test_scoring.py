"""Figures by hand numbers; answers changed before they are compared."""

from math import exp, log, log2

import pytest
import sacrebleu

from gptwright.evaluation.harness.filters import filtered
from gptwright.evaluation.harness.requests import Reading
from gptwright.evaluation.harness.scoring import DEFAULTS, METRICS, Outcome
from gptwright.evaluation.harness.task_config import FilterPipeline, FilterStep, MetricConfig
from gptwright.evaluation.harness.templates import Item
from gptwright.evaluation.translation import bleu_counts
from gptwright.text.jsonl import Line

LINE = Line({}, "line 1")
CHOICES = ["a", "four", "ändé"]  # of 1, 4 and 4 letters, 1, 4 and 6 bytes
ITEM = Item(LINE, "", ["what?"], CHOICES, ["four"], [1])
READ = Outcome(
    readings=[Reading([-1.0], False), Reading([-1.5, -0.6], True), Reading([-1.0, -0.5, -0.5, -0.1], False)],
    unconditional=[Reading([-1.0], False), Reading([-2.0, -1.0], False), Reading([-3.5], False)],
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("acc", 0.0),  # -1, -2.1, -2.1
        ("acc_norm", 1.0),  # -1, -0.525, -0.525: the first of equals, "four"
        ("acc_bytes", 0.0),  # -1, -0.525, -0.35
        ("acc_tokens", 0.0),  # -1, -1.05, -0.525
        ("acc_mutual_info", 0.0),  # 0, 0.9, 1.4
        ("exact_match", 1.0),
        ("f1", (1, 0)),
    ],
)
def test_a_choice_is_taken_by_each_of_the_scores(name: str, expected: object) -> None:
    found = METRICS["multiple_choice"][name].of(ITEM, READ, MetricConfig(metric=name))
    assert found == expected


def test_probabilities_are_among_the_choices() -> None:
    weights = [exp(-1.0), exp(-2.1), exp(-2.1)]
    assert READ.probabilities == pytest.approx([weight / sum(weights) for weight in weights])
    sure, right = METRICS["multiple_choice"]["calibration_error"].of(ITEM, READ, MetricConfig(metric="x"))
    assert (sure, right) == (pytest.approx(weights[0] / sum(weights)), 0.0)
    brier = METRICS["multiple_choice"]["brier_score"].of(ITEM, READ, MetricConfig(metric="x"))
    p = READ.probabilities
    assert brier == pytest.approx(p[0] ** 2 + (p[1] - 1) ** 2 + p[2] ** 2)


def test_perplexities_are_over_all_texts_together() -> None:
    texts = [("two words", -6.0), ("é", -1.0)]
    done = [(Item(LINE, "", [""], [], [text], raw=text), Outcome([Reading([total], False)])) for text, total in texts]
    found = {name: METRICS["loglikelihood_rolling"][name] for name in DEFAULTS["loglikelihood_rolling"]}
    values = {name: m.together([m.of(*each, MetricConfig(metric=name)) for each in done]) for name, m in found.items()}
    assert values["word_perplexity"].value == pytest.approx(exp(7 / 3))
    assert values["byte_perplexity"].value == pytest.approx(exp(7 / 11))
    assert values["bits_per_byte"].value == pytest.approx(7 / 11 / log(2)) == pytest.approx(log2(exp(7 / 11)))
    for each in values.values():
        assert each.low <= each.value <= each.high and each.count == 2
    perplexity = METRICS["loglikelihood"]["perplexity"]
    assert perplexity.together([-6.0, -1.0]).value == pytest.approx(exp(3.5))
    assert not perplexity.higher_is_better


def test_an_answer_is_compared_letter_by_letter_but_for_what_is_ignored() -> None:
    item = Item(LINE, "", [""], [], ["Paris", "Lutetia 2"])
    same = METRICS["generate_until"]["exact_match"].of
    assert same(item, Outcome(answer="Paris"), MetricConfig(metric="exact_match")) == 1.0
    for answer in (" Paris", "Paris\n", "paris", "Paris."):
        assert same(item, Outcome(answer=answer), MetricConfig(metric="exact_match")) == 0.0
    lenient = MetricConfig(metric="exact_match", ignore_case=True, ignore_punctuation=True, ignore_numbers=True,
                           regexes_to_ignore=["^the "])  # fmt: skip
    assert same(item, Outcome(answer="the paris."), lenient) == same(item, Outcome(answer="LUTETIA 3"), lenient) == 1.0
    assert METRICS["generate_until"]["em"].of(item, Outcome(answer="the Paris!"), lenient) == 1.0
    assert METRICS["generate_until"]["f1"].of(item, Outcome(answer="Lutetia 3"), lenient) == 0.5


@pytest.mark.parametrize(
    ("step", "answer", "expected"),
    [
        (FilterStep(function="regex"), "so #### 1,234.", "1,234."),
        (FilterStep(function="regex", regex_pattern=r"(\d)|([a-c])", group_select=-1), "x 1 b", "b"),
        (FilterStep(function="regex", regex_pattern=r"\d"), "none", "[invalid]"),
        (FilterStep(function="lowercase"), "Ab", "ab"),
        (FilterStep(function="uppercase"), "Ab", "AB"),
        (FilterStep(function="remove_whitespace"), " a \n", "a"),
        (FilterStep(function="take_first"), " a ", " a "),
        (FilterStep(function="multi_choice_regex", regex_pattern=r"\([A-Z]\)"), "It is (C).", "(C)"),
        (FilterStep(function="multi_choice_regex", regex_pattern=r"\([A-Z]\)", ignore_case=True), "the FOUR", "(B)"),
        (FilterStep(function="multi_choice_regex", regex_pattern=r"\([A-Z]\)"), "Answer: B", "(B)"),
        (FilterStep(function="multi_choice_regex", regex_pattern=r"\([A-Z]\)"), "????", "[invalid]"),
    ],
)
def test_filters_do_what_their_names_say(step: FilterStep, answer: str, expected: str) -> None:
    assert filtered(answer, FilterPipeline(name="x", filter=[step]), ["one", "four", "six"]) == expected


def test_bleu_is_sacrebleus_over_all_answers() -> None:
    answers = ["the house is small today", "we ran to the sea", "a dog"]
    references = [["the house is small now"], ["we ran to the sea", "we went to the sea"], ["the dog"]]
    metric = METRICS["generate_until"]["bleu"]
    assert metric.corpus
    counts = [bleu_counts(*each) for each in zip(answers, references, strict=True)]
    found = metric.together(counts)
    streams = [[each[0] for each in references], [each[1] if len(each) > 1 else None for each in references]]
    assert found.value == pytest.approx(sacrebleu.corpus_bleu(answers, streams).score)
    assert found.low <= found.value <= found.high and found.count == 3
    assert metric.corpus(counts) == found.value
