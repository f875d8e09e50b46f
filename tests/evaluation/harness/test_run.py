"""The whole way from a task's files to its figures."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from evaluation.harness.conftest import PLACES, MakeTask, questions
from gptwright.evaluation.harness.fewshot import Shots
from gptwright.evaluation.harness.run import TaskResult, evaluate
from gptwright.foundations.errors import InputError
from gptwright.pipelines.model import Model

LINE = {"generation_kwargs": {"until": ["\n"], "max_gen_toks": 8}, "output_type": "generate_until"}


def value(result: TaskResult, name: str) -> float:
    return result.evaluation.estimates[name].value


class Oracle:
    """The same model in transformers, and log-likelihoods by hand from its logits."""

    def __init__(self, model: Model, folder: Path) -> None:
        model.save(folder)
        self.network: Any = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
        self.tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder)

    def ids(self, text: str) -> list[int]:
        """Behind the token that begins a text."""
        return self.tokenizer(text).input_ids

    @torch.inference_mode()
    def loglikelihood(self, before: list[int], after: list[int]) -> float:
        scores = self.network(torch.tensor([(before + after)[:-1]])).logits[0].double().log_softmax(-1)
        return sum(float(scores[len(before) - 1 + place, id]) for place, id in enumerate(after))

    def pair(self, context: str, continuation: str) -> float:
        """Blanks at the end of a context belong to what follows."""
        before = self.ids(context.rstrip())
        return self.loglikelihood(before, self.ids(context + continuation)[len(before) :])


@pytest.fixture
def oracle(model: Model, tmp_path: Path) -> Oracle:
    return Oracle(model, tmp_path / "model")


@pytest.mark.parametrize("shots", [0, 2])
@pytest.mark.parametrize("draw", ["task", "document"])
def test_each_choice_is_as_likely_as_transformers_says(
    model: Model, oracle: Oracle, make_task: MakeTask, shots: int, draw: Any
) -> None:
    rows = questions(6)
    task = make_task(
        rows, [row | {"n": row["n"] + 50} for row in rows], unconditional="to", doc_to_text="ran {{n}} to "
    )
    result = evaluate(model, task, Shots(shots, draw=draw))
    assert len(result.documents) == 6
    for document in result.documents:
        assert document["prompt"].count("\n\n") == shots
        expected = [oracle.pair(document["prompt"], f" {choice}") for choice in PLACES]
        assert document["logprobs"] == pytest.approx(expected, abs=1e-5)
        alone = [oracle.pair("to", f" {choice}") for choice in PLACES]
        assert document["unconditional_logprobs"] == pytest.approx(alone, abs=1e-5)
        by_hand = {
            "acc": expected,
            "acc_norm": [e / len(c) for e, c in zip(expected, PLACES, strict=True)],
            "acc_mutual_info": [e - a for e, a in zip(expected, alone, strict=True)],
            "acc_tokens": [e / n for e, n in zip(expected, document["tokens"], strict=True)],
        }
        for name, scores in by_hand.items():
            right = scores.index(max(scores)) == document["right"][0]
            assert document["scores"][name] == right


def test_a_log_likelihood_is_of_the_target_as_the_template_writes_it(
    model: Model, oracle: Oracle, make_task: MakeTask
) -> None:
    rows = [{"a": "the cat sat on", "b": "the mat"}, {"a": "", "b": "we"}]
    task = make_task(
        rows, output_type="loglikelihood", doc_to_text="a", doc_to_target="{{' ' + b}}", doc_to_choice=None
    )
    result = evaluate(model, task, Shots(0))
    expected = [oracle.pair("the cat sat on", " the mat"), oracle.pair("", " we")]
    assert [document["logprobs"][0] for document in result.documents] == pytest.approx(expected, abs=1e-5)
    assert value(result, "perplexity") == pytest.approx(torch.tensor(expected).mean().neg().exp().item(), rel=1e-5)


def test_a_rolling_log_likelihood_scores_every_token_once(model: Model, oracle: Oracle, make_task: MakeTask) -> None:
    text = "the dog ran to the sea where we like to be. " * 12
    task = make_task([{"t": text}, {"t": "warm"}], output_type="loglikelihood_rolling", doc_to_text="",
                     doc_to_target="t", doc_to_choice=None)  # fmt: skip
    result = evaluate(model, task, Shots(0))
    ids = oracle.ids(text)
    assert len(ids) > 2 * model.context
    expected, done = 0.0, 1
    while done < len(ids):  # each window as long as the context, the last one reaching back
        last = min(done + model.context, len(ids))
        begin = max(0, last - 1 - model.context)
        expected += oracle.loglikelihood(ids[begin:done], ids[done:last])
        done = last
    assert sum(result.documents[0]["logprobs"]) == pytest.approx(expected, abs=1e-3)
    nats = -(expected + oracle.pair("", "warm"))
    assert value(result, "bits_per_byte") == pytest.approx(nats / (len(text) + 4) / 0.6931472, rel=1e-5)
    assert value(result, "word_perplexity") == pytest.approx(
        2.718281828 ** (nats / (len(text.split(" ")) + 1)), rel=1e-4
    )


def test_who_is_told_the_answers_scores_all_and_with_shuffled_ones_chance(told: Model, make_task: MakeTask) -> None:
    rows = questions()
    knows = evaluate(told, make_task(rows), Shots(0))
    assert value(knows, "acc") == value(knows, "acc_norm") == value(knows, "acc_tokens") == 1.0
    assert value(knows, "calibration_error") < 0.1
    labels = random.Random(0).sample([row["label"] for row in rows], len(rows))
    guesses = evaluate(
        told, make_task([row | {"label": label} for row, label in zip(rows, labels, strict=True)]), Shots(0)
    )
    chance = guesses.evaluation.estimates["acc"]
    assert chance.low < 0.25 < chance.high and chance.high < 0.6


def test_an_answer_is_what_stands_before_the_line_end_blanks_included(told: Model, make_task: MakeTask) -> None:
    answers = {"doc_to_choice": None, "doc_to_target": "{{choices[label]}}", **LINE}
    strict = evaluate(told, make_task(questions(), **answers), Shots(0))
    assert strict.documents[0]["answer"] == f" {strict.documents[0]['targets'][0]}"
    assert value(strict, "exact_match") == 0.0  # the blank is part of what was written
    trimmed = {"filter_list": [{"name": "strict", "filter": [{"function": "take_first"}]},
                               {"name": "trimmed", "filter": [{"function": "remove_whitespace"}]}]}  # fmt: skip
    both = evaluate(told, make_task(questions(), **answers, **trimmed), Shots(0))
    assert (value(both, "exact_match,strict"), value(both, "exact_match,trimmed")) == (0.0, 1.0)
    after_blank = evaluate(
        told, make_task(questions(), **answers | {"doc_to_target": "{{' ' + choices[label]}}"}), Shots(0)
    )
    assert value(after_blank, "exact_match") == 1.0
    early = answers | {"generation_kwargs": {"until": [" "], "max_gen_toks": 8}}
    ended = evaluate(told, make_task(questions(), **early), Shots(0))
    assert {document["answer"] for document in ended.documents} == {""}  # it ends where the task says, here at once
    longer = answers | {"generation_kwargs": {"until": ["zzz"], "max_gen_toks": 8}}
    beyond = evaluate(told, make_task(questions(), **longer, **trimmed), Shots(0))
    assert value(beyond, "exact_match,trimmed") == 0.0  # the line end and what follows it count


def test_it_is_the_same_twice(model: Model, make_task: MakeTask) -> None:
    task = make_task(questions(), [row | {"n": row["n"] + 50} for row in questions()])
    for shots in (Shots(2), Shots(2, draw="document"), Shots(2, shuffle_labels=True)):
        fresh = [Model(model.network, model.tokenizer, "tiny", dtype="float32") for _ in range(2)]
        one, other = (evaluate(each, task, shots) for each in fresh)
        assert one.documents == other.documents and one.evaluation == other.evaluation
        assert evaluate(model, task, replace(shots, seed=7)).documents[0]["prompt"] != one.documents[0]["prompt"]


def test_the_examples_before_all_questions_are_read_once(
    model: Model, make_task: MakeTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    forward = model.engine._forward
    monkeypatch.setattr(
        model.engine, "_forward", lambda works: read.append(sum(w.count for w in works)) or forward(works)
    )
    task = make_task(questions(12), [row | {"n": row["n"] + 50} for row in questions(12)])
    prompts = [document["prompt"] for document in evaluate(model, task, Shots(2)).documents]
    encode = model.tokenizer.encode
    shared = len(encode(prompts[0].rpartition("\n\n")[0]))
    alone = sum(len(encode(prompt.rpartition("\n\n")[2])) + 8 for prompt in prompts)
    assert sum(read) <= shared + alone + 12 * 16  # a block of the prefix cache may be read anew
    assert sum(read) < 0.5 * sum(len(encode(prompt)) * 4 for prompt in prompts)


def test_shuffled_labels_change_the_answers_of_the_examples_and_nothing_else(model: Model, make_task: MakeTask) -> None:
    task = make_task(questions(4), [row | {"n": row["n"] + 50} for row in questions()])
    plain, shuffled = (evaluate(model, task, Shots(3, shuffle_labels=each)).documents for each in (False, True))
    for one, other in zip(plain, shuffled, strict=True):
        assert one["prompt"] != other["prompt"] and one["right"] == other["right"]
        without = [[part.rpartition(" ")[0] for part in each["prompt"].split("\n\n")] for each in (one, other)]
        assert without[0] == without[1]


def test_written_answers_are_shuffled_too(model: Model, make_task: MakeTask) -> None:
    """The examples' answers are those of other documents, not of the places that the examples were drawn from."""
    train = [{"n": n, "word": str(n)} for n in range(50, 90)]
    fields = {"doc_to_choice": None, "doc_to_target": "{{word}}", "output_type": "generate_until"}
    task = make_task([{"n": 1, "word": "x"}], train, **fields)
    found = evaluate(model, task, Shots(3, shuffle_labels=True)).documents[0]
    examples = [part.split() for part in found["prompt"].split("\n\n")[:3]]
    assert all(words[2] != words[-1] for words in examples)


def test_examples_that_do_not_fit_are_dropped_from_the_front_and_counted(
    model: Model, make_task: MakeTask, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row | {"n": row["n"] + 50} for row in questions(8)]
    found = evaluate(model, make_task(questions(2), rows), Shots(8))
    kept = found.documents[0]["prompt"].split("\n\n")
    assert 1 < len(kept) < 9
    assert found.evaluation.metrics["examples_dropped"] == 2 * (9 - len(kept))
    said = " ".join(capsys.readouterr().err.split())
    assert "2 cut (2 with fewer examples, as the context holds no more, the first on line 1 of" in said
    assert "seed 1234" in said
    long = make_task([questions(1)[0] | {"n": "the mat " * 60}], [*rows[:2], rows[2] | {"n": "the sea " * 90}])
    found = evaluate(model, long, Shots(3))
    assert found.documents[0]["tokens"] == [2] * 4 or all(found.documents[0]["tokens"])
    said = " ".join(capsys.readouterr().err.split())
    assert "1 without an example that is longer than the context" in said and "1 at the beginning" in said


def test_what_cannot_be_scored_is_dropped_and_counted(
    model: Model, make_task: MakeTask, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"a": "the cat", "b": ""}, {"a": "the cat", "b": " sat"}, {"a": "the", "b": " dog ran" * 70}]
    fields = {"output_type": "loglikelihood", "doc_to_text": "a", "doc_to_target": "b", "doc_to_choice": None}
    found = evaluate(model, make_task(rows, **fields), Shots(0))
    assert len(found.documents) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "1 without a token to score, the first on line 1" in said and "1 whose target is longer" in said
    with pytest.raises(InputError, match="that can be scored"):
        evaluate(model, make_task(rows[:1], **fields), Shots(0))


def test_documents_among_the_examples_are_counted_and_never_their_own_example(
    model: Model, make_task: MakeTask, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = questions(6)
    found = evaluate(model, make_task(rows, rows[:3]), Shots(2))
    assert "3 of them stand among the examples too" in " ".join(capsys.readouterr().err.split())
    same = evaluate(model, make_task(rows), Shots(2))  # examples from the split itself
    for row, document in zip(rows * 2, [*found.documents, *same.documents], strict=True):
        assert document["prompt"].count(f"we ran {row['n']} to") == 1
    with pytest.raises(InputError, match="at least 7 documents to give 6 examples"):
        evaluate(model, make_task(rows), Shots(6))


def test_examples_may_be_written_in_the_task(model: Model, make_task: MakeTask) -> None:
    written = [{"n": 70, "choices": PLACES, "label": 2}, {"n": 71, "choices": PLACES, "label": 3}]
    task = make_task(questions(3), fewshot_config={"sampler": "first_n", "samples": written})
    for document in evaluate(model, task, Shots(2)).documents:
        assert document["prompt"].startswith("we ran 70 to dog\n\nwe ran 71 to cat\n\nwe ran ")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"n": 1, "choices": PLACES, "label": 4}, "a label among the choices"),
        ({"n": 1, "choices": PLACES, "label": -1}, "a label among the choices"),
        ({"n": 1, "choices": PLACES, "label": "bird"}, "a label among the choices"),
        ({"n": 1, "choices": PLACES}, "the field label"),
        ({"choices": PLACES, "label": 1}, "'n' is undefined"),
        ({"n": 1, "choices": "mat", "label": 1}, "a list of choices"),
    ],
)
def test_a_document_that_does_not_fit_is_named(model: Model, make_task: MakeTask, row: Any, said: str) -> None:
    with pytest.raises(InputError) as error:
        evaluate(model, make_task([questions(1)[0], row]), Shots(0))
    assert said in str(error.value) and "line 2 of" in str(error.value)


def test_a_metric_of_another_type_is_refused(model: Model, make_task: MakeTask) -> None:
    with pytest.raises(InputError, match="'word_perplexity'"):
        evaluate(model, make_task(questions(2), metric_list=[{"metric": "word_perplexity"}]), Shots(0))
    with pytest.raises(InputError, match="'lable'"):
        evaluate(model, make_task(questions(2), doc_to_target="lable"), Shots(0))
