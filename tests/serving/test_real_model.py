"""A real tiny model behind OpenAI's client: the engine's settings arrive, log-probabilities are right, and many texts
that are written side by side are those that are written alone."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest
import torch
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gptwright.inference.sampling import Sampling
from gptwright.models.gpt2 import GPT2
from gptwright.pipelines.generation_config import GenerationConfig
from gptwright.pipelines.model import Model
from gptwright.serving.api import create_app
from gptwright.store.database import Store
from gptwright.tokenizers.special_tokens import END_OF_TEXT
from gptwright.tokenizers.tokenizer import Tokenizer

HELLO: Any = [{"role": "user", "content": "the cat"}]
PROMPT = "the cat sat"


@pytest.fixture
def real(network: GPT2, tokenizer: Tokenizer) -> Model:
    return Model(network, tokenizer, "real", GenerationConfig.of(Sampling(max_tokens=12, temperature=1.0)))


@pytest.fixture
def base(real: Model, serve: Any, store: Store) -> Iterator[str]:
    with serve(create_app({real.name: real}, store)) as address:
        yield f"{address}/v1"


@pytest.fixture
def ai(base: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=base, api_key="none", max_retries=0) as client:
        yield client


def eventually(true: Callable[[], bool]) -> bool:
    """Whether it becomes true before a time that only a fault can use up."""
    end = time.monotonic() + 20
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    return true()


def expected(real: Model, ids: list[int], temperature: float = 1.0) -> list[float]:
    """Log-probabilities of ids[1:], from one pass of the network."""
    scores = (real.logits(torch.tensor([ids]))[0] / temperature).log_softmax(-1)
    return [float(scores[i, token]) for i, token in enumerate(ids[1:])]


def test_chat_logprobs(ai: openai.OpenAI, real: Model) -> None:
    reply = ai.chat.completions.create(model="real", messages=HELLO, logprobs=True, top_logprobs=3, seed=1)
    ChatCompletion.model_validate(reply.to_dict(), strict=True)
    choice = reply.choices[0]
    assert choice.logprobs and choice.logprobs.content and choice.message.content is not None
    said = [token.bytes for token in choice.logprobs.content if token.bytes is not None]
    assert b"".join(map(bytes, said)).decode("utf-8", "replace") == choice.message.content
    for token in choice.logprobs.content:
        assert len(token.top_logprobs) == 3 and token.logprob <= token.top_logprobs[0].logprob <= 0
        assert [t.logprob for t in token.top_logprobs] == sorted((t.logprob for t in token.top_logprobs), reverse=True)


def test_chat_logprobs_in_a_stream_are_those_of_the_whole(ai: openai.OpenAI) -> None:
    ask: Any = {"model": "real", "messages": HELLO, "logprobs": True, "top_logprobs": 2, "seed": 1}
    whole = ai.chat.completions.create(**ask).choices[0]
    content: list[Any] = []
    text = ""
    for chunk in ai.chat.completions.create(**ask, stream=True):
        ChatCompletionChunk.model_validate(chunk.to_dict(), strict=True)
        text += chunk.choices[0].delta.content or ""
        if chunk.choices[0].logprobs:
            content += chunk.choices[0].logprobs.content or []
    assert whole.logprobs and text == whole.message.content
    assert [t.token for t in content] == [t.token for t in whole.logprobs.content or []]
    # what is written beside it changes the last bits of a sum, no more
    assert [t.logprob for t in content] == pytest.approx([t.logprob for t in whole.logprobs.content or []], abs=1e-4)


def test_completion_logprobs_with_echo(ai: openai.OpenAI, real: Model) -> None:
    reply = ai.completions.create(model="real", prompt=PROMPT, logprobs=2, echo=True, seed=1, max_tokens=4)
    Completion.model_validate(reply.to_dict())
    choice = reply.choices[0]
    told = choice.logprobs
    assert told and told.tokens and told.token_logprobs and told.text_offset and told.top_logprobs
    assert choice.text.startswith(PROMPT) and reply.usage and reply.usage.completion_tokens == 4
    ids = real.text_ids(PROMPT)
    assert ids[0] == real.tokenizer.bos_id
    assert told.token_logprobs[: len(ids) - 1] == pytest.approx(expected(real, ids), abs=1e-4)
    assert "".join(told.tokens[: len(ids) - 1]) == PROMPT
    for token, offset, likeliest in zip(told.tokens, told.text_offset, told.top_logprobs, strict=True):
        assert "\ufffd" in token or choice.text[offset:].startswith(token)
        assert 2 <= len(likeliest) <= 3 and token in likeliest


@pytest.mark.parametrize("settings", [{"temperature": 0}, {"temperature": 0.3}, {"temperature": 2, "top_p": 0.1}, {}])
def test_log_probabilities_are_the_models_own(ai: openai.OpenAI, real: Model, settings: Any) -> None:
    """However the tokens are drawn, and whatever the folder's own temperature is."""
    real.sampling = Sampling(max_tokens=12, temperature=0.4, top_k=5, repetition_penalty=1.3)
    more = {"extra_body": {"repetition_penalty": 3.0}, "logit_bias": {"70": 5}}
    told = (
        ai.completions.create(
            model="real", prompt=PROMPT, logprobs=1, echo=True, seed=1, max_tokens=4, **settings, **more
        )
        .choices[0]
        .logprobs
    )
    assert told and told.tokens and told.token_logprobs
    ids = real.text_ids(PROMPT)
    assert sum(told.token_logprobs[: len(ids) - 1]) == pytest.approx(sum(expected(real, ids)), abs=1e-3)
    chat = ai.chat.completions.create(model="real", messages=HELLO, logprobs=True, top_logprobs=5, seed=1, **settings)
    assert chat.choices[0].logprobs and chat.choices[0].logprobs.content
    first = chat.choices[0].logprobs.content[0]
    scores = real.logits(torch.tensor([real.chat_ids(HELLO)]))[0, -1].log_softmax(-1)
    assert [top.logprob for top in first.top_logprobs] == pytest.approx(scores.topk(5).values.tolist(), abs=1e-4)


def test_prompts_of_ids_are_told_token_by_token(base: str, real: Model) -> None:
    """As lm-eval asks for likelihoods: lists of ids, echoed, one token more; it sums [context:-1] of each choice, and
    calls an answer greedy where every token is the likeliest."""
    texts = ["the cat sat", " on the mat", "the dog ran to the sea"]
    rows = [real.tokenizer.encode(text) for text in texts]
    ask = {
        "model": "real",
        "prompt": rows,
        "temperature": 0,
        "max_tokens": 1,
        "logprobs": 1,
        "seed": 1234,
        "echo": True,
    }
    body = httpx.post(f"{base}/completions", json=ask, timeout=60).json()
    choices = sorted(body["choices"], key=lambda choice: choice["index"])
    assert len(choices) == 3 and body["usage"]["prompt_tokens"] == sum(map(len, rows))
    for row, text, choice in zip(rows, texts, choices, strict=True):
        told = choice["logprobs"]
        assert len(told["token_logprobs"]) == len(row) + 1 and choice["text"].startswith(text)
        assert told["token_logprobs"][0] is None and told["top_logprobs"][0] is None
        assert told["token_logprobs"][1 : len(row)] == pytest.approx(expected(real, row), abs=1e-4)
        assert "".join(told["tokens"][: len(row)]) == text
        for token, offset in zip(told["tokens"][: len(row)], told["text_offset"], strict=False):
            assert choice["text"][offset:].startswith(token)


def test_the_token_that_ends_a_text_is_told_and_counted(ai: openai.OpenAI, real: Model) -> None:
    """lm-eval leaves out the last entry as the one that was written: without it a token of the text would go."""
    ask: Any = {"model": "real", "logit_bias": {str(real.tokenizer.eos_id): 100}, "max_tokens": 1}
    ids = real.text_ids(PROMPT)
    for stream in (False, True):
        reply = ai.completions.create(**ask, prompt=[ids], logprobs=1, echo=True, temperature=0, stream=stream)
        choices = [part.choices[0] for part in reply] if stream else [reply.choices[0]]
        told = [choice.logprobs for choice in choices if choice.logprobs]
        tokens = [token for one in told for token in one.tokens or []]
        scores = [score for one in told for score in one.token_logprobs or []]
        assert (choices[-1].finish_reason, "".join(choice.text for choice in choices)) == ("stop", PROMPT)
        assert len(tokens) == len(ids) + 1 and tokens[-1] == END_OF_TEXT
        assert scores[1:] == pytest.approx(expected(real, [*ids, real.tokenizer.eos_id]), abs=1e-4)
        assert (told[-1].text_offset or [])[-1] == len(PROMPT)
    chat = ai.chat.completions.create(**ask, messages=HELLO, logprobs=True).choices[0]
    assert (chat.finish_reason, chat.message.content) == ("stop", "") and not (chat.logprobs and chat.logprobs.content)


def test_with_no_token_to_write_the_prompt_is_read_alone(ai: openai.OpenAI, real: Model) -> None:
    ids = real.text_ids(PROMPT)
    ask: Any = {"model": "real", "max_tokens": 0, "echo": True, "logprobs": 1}
    for given, told_of in ((PROMPT, ids[1:]), (ids, ids), ([ids], ids), ([PROMPT, ids], None)):
        if told_of is None:
            with pytest.raises(openai.BadRequestError):
                ai.completions.create(**ask, prompt=given)
            continue
        reply = ai.completions.create(**ask, prompt=given)
        (choice,) = reply.choices
        assert (choice.text, choice.finish_reason) == (PROMPT, "length")
        assert reply.usage and reply.usage.completion_tokens == 0 and reply.usage.prompt_tokens == len(ids)
        assert choice.logprobs and choice.logprobs.token_logprobs
        assert len(choice.logprobs.token_logprobs) == len(told_of)
        found = [value for value in choice.logprobs.token_logprobs if value is not None]
        assert found == pytest.approx(expected(real, ids), abs=1e-4)
        parts = list(ai.completions.create(**ask, prompt=given, stream=True))
        assert "".join(part.choices[0].text for part in parts) == PROMPT
        assert parts[-1].choices[0].finish_reason == "length"
    assert ai.completions.create(model="real", prompt=PROMPT, max_tokens=0).choices[0].text == ""
    whole = [5] * real.context
    assert ai.completions.create(**ask, prompt=whole).usage
    with pytest.raises(openai.BadRequestError, match="maximum context length is 64 tokens"):
        ai.completions.create(model="real", prompt=whole, max_tokens=1)


@pytest.mark.parametrize("stream", [False, True])
def test_a_list_of_prompts_says_what_each_says_alone(ai: openai.OpenAI, stream: bool) -> None:
    prompts = ["the cat", "on the mat and the dog", "", "we like"]
    ask: Any = {"model": "real", "n": 2, "seed": 7, "max_tokens": 6, "temperature": 1}
    alone = [choice.text for prompt in prompts for choice in ai.completions.create(**ask, prompt=prompt).choices]
    if stream:
        texts = [""] * 8
        for part in ai.completions.create(**ask, prompt=prompts, stream=True):
            texts[part.choices[0].index] += part.choices[0].text
    else:
        reply = ai.completions.create(**ask, prompt=prompts)
        assert [choice.index for choice in reply.choices] == list(range(8))
        texts = [choice.text for choice in reply.choices]
    assert texts == alone


def test_the_best_of_many_of_each_prompt(ai: openai.OpenAI) -> None:
    ask: Any = {"model": "real", "seed": 5, "logprobs": 0, "max_tokens": 6, "n": 2, "best_of": 4}
    prompts = ["the cat", "on the mat"]
    both = [choice.text for choice in ai.completions.create(**ask, prompt=prompts).choices]
    assert both == [c.text for prompt in prompts for c in ai.completions.create(**ask, prompt=prompt).choices]


def test_ids_that_the_model_does_not_know(ai: openai.OpenAI) -> None:
    for ids in ([99_999], [-1], [1 << 70]):
        with pytest.raises(openai.BadRequestError, match="ids from 0") as error:
            ai.completions.create(model="real", prompt=ids)
        assert error.value.param == "prompt"


def test_echo_alone_and_in_a_stream(ai: openai.OpenAI) -> None:
    ask: Any = {"model": "real", "prompt": PROMPT, "seed": 3}
    plain = ai.completions.create(**ask).choices[0].text
    assert ai.completions.create(**ask, echo=True).choices[0].text == PROMPT + plain
    stream = ai.completions.create(**ask, echo=True, logprobs=0, stream=True, n=2)
    texts, tokens = ["", ""], 0
    for chunk in stream:
        texts[chunk.choices[0].index] += chunk.choices[0].text
        told = chunk.choices[0].logprobs
        tokens += len(told.tokens or []) if told else 0
    assert texts[0] == PROMPT + plain and texts[1].startswith(PROMPT) and tokens > 2 * len(PROMPT.split())


def test_tokens_of_a_stop_text_are_not_told(ai: openai.OpenAI, real: Model) -> None:
    never = {str(id): -100 for id in real.tokenizer.all_special_ids}
    ask: Any = {"model": "real", "prompt": PROMPT, "logprobs": 0, "seed": 4, "max_tokens": 12, "logit_bias": never}
    free = ai.completions.create(**ask).choices[0]
    assert free.logprobs and free.logprobs.tokens and len(free.logprobs.tokens) > 6
    stop = free.logprobs.tokens[4]
    at = free.text.index(stop)
    cut = ai.completions.create(**ask, stop=stop).choices[0]
    assert (cut.text, cut.finish_reason) == (free.text[:at], "stop") and cut.logprobs
    assert "".join(cut.logprobs.tokens or []).startswith(cut.text)
    assert all(offset < at for offset in cut.logprobs.text_offset or [])


def test_the_best_of_many(ai: openai.OpenAI, real: Model) -> None:
    ask: Any = {"model": "real", "prompt": PROMPT, "seed": 5, "logprobs": 0, "max_tokens": 6}
    every = ai.completions.create(**ask, n=6).choices
    best = ai.completions.create(**ask, n=2, best_of=6)
    means = {c.text: sum(c.logprobs.token_logprobs) / 6 for c in every if c.logprobs and c.finish_reason == "length"}
    assert len(means) == 6
    assert [c.text for c in best.choices] == sorted(means, key=lambda text: -means[text])[:2]
    assert best.usage and best.usage.completion_tokens == 36
    with pytest.raises(openai.BadRequestError, match="best_of"):
        ai.completions.create(**ask, best_of=2, stream=True)
    with pytest.raises(openai.BadRequestError, match="best_of"):
        ai.completions.create(**ask, n=3, best_of=2)


def test_bias_and_stop_ids_and_penalties_arrive(ai: openai.OpenAI, real: Model) -> None:
    (x,) = real.tokenizer.encode("x")
    forced = ai.completions.create(model="real", prompt=PROMPT, logit_bias={str(x): 100}, max_tokens=5, temperature=0)
    assert forced.choices[0].text == "xxxxx"
    stopped = ai.completions.create(
        model="real", prompt=PROMPT, logit_bias={str(x): 100}, extra_body={"stop_token_ids": [x]}
    )
    assert (stopped.choices[0].text, stopped.choices[0].finish_reason) == ("", "stop")
    ask: Any = {"model": "real", "prompt": PROMPT, "max_tokens": 30, "logit_bias": {str(x): 8}, "temperature": 0}
    counts = [
        ai.completions.create(**ask, **more).choices[0].text.count("x")
        for more in ({}, {"presence_penalty": 2}, {"frequency_penalty": 2}, {"extra_body": {"repetition_penalty": 50}})
    ]
    assert counts[0] > max(counts[2:]) and counts[0] >= counts[1]
    with pytest.raises(openai.BadRequestError, match="logit_bias"):
        ai.completions.create(model="real", prompt="x", logit_bias={"99999": 1})


def test_min_p_one_is_greedy(ai: openai.OpenAI) -> None:
    ask: Any = {"model": "real", "prompt": PROMPT, "max_tokens": 8}
    greedy = ai.completions.create(**ask, temperature=0).choices[0].text
    assert ai.completions.create(**ask, extra_body={"min_p": 1.0}).choices[0].text == greedy


@pytest.mark.parametrize("stream", [False, True])
def test_side_by_side_they_say_what_they_say_alone(ai: openai.OpenAI, real: Model, stream: bool) -> None:
    prompts = [" ".join(["the cat sat on the mat"] * (1 + i % 3)) + " x" * i for i in range(16)]

    def ask(i: int) -> str:
        if not stream:
            return ai.completions.create(model="real", prompt=prompts[i], seed=i, max_tokens=20).choices[0].text
        parts = ai.completions.create(model="real", prompt=prompts[i], seed=i, max_tokens=20, stream=True)
        return "".join(part.choices[0].text for part in parts)

    alone = [ask(i) for i in range(16)]
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, range(16))) == alone
    assert not real.engine.scheduler.running and not real.engine.scheduler.waiting


def test_a_refused_prompt_does_not_hurt_the_others(base: str, ai: openai.OpenAI, real: Model) -> None:
    def ask(i: int) -> int:
        body = {"model": "real", "prompt": "the cat" if i % 2 else "x " * 200, "seed": i, "n": 3}
        return httpx.post(f"{base}/completions", json=body, timeout=60).status_code

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(16))) == [400, 200] * 8
    assert not real.engine.scheduler.running and not real.engine._decoding


def test_a_caller_who_leaves_stops_what_was_written_for_him(ai: openai.OpenAI, real: Model) -> None:
    """All three replies, while the others are written on."""
    never = {str(id): -100 for id in real.tokenizer.all_special_ids}
    ask: Any = {"model": "real", "prompt": PROMPT, "max_tokens": 50, "logit_bias": never, "stream": True}
    left = ai.completions.create(**ask, n=3)
    next(iter(left))
    left.close()
    assert "".join(chunk.choices[0].text for chunk in ai.completions.create(**ask))
    assert eventually(lambda: not real.engine.scheduler.running and not real.engine._decoding)


def test_a_step_that_fails_is_500_for_all_that_run_and_nothing_stays_behind(
    base: str, ai: openai.OpenAI, real: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("no memory")

    with monkeypatch.context() as patched:
        patched.setattr(type(real.engine.scheduler), "schedule", broken)
        body = {"model": "real", "prompt": PROMPT, "n": 2}
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: httpx.post(f"{base}/completions", json=body, timeout=60), range(4)))
        assert [answer.status_code for answer in answers] == [500] * 4
    assert not real.engine.scheduler.waiting and not real.engine._decoding
    assert ai.completions.create(model="real", prompt=PROMPT).choices[0].finish_reason


SCHEMA: Any = {"type": "object", "properties": {"cat": {"enum": ["mat", "sea"]}, "dog": {"type": "boolean"}},
               "required": ["cat", "dog"], "additionalProperties": False}  # fmt: skip


@pytest.mark.parametrize("stream", [False, True])
def test_a_reply_keeps_to_a_schema(ai: openai.OpenAI, stream: bool) -> None:
    form: Any = {"type": "json_schema", "json_schema": {"name": "cat", "schema": SCHEMA, "strict": True}}
    ask: Any = {"model": "real", "messages": HELLO, "response_format": form, "max_tokens": 50, "seed": 1}
    if stream:
        text = "".join(chunk.choices[0].delta.content or "" for chunk in ai.chat.completions.create(**ask, stream=True))
    else:
        text = ai.chat.completions.create(**ask).choices[0].message.content or ""
    said = json.loads(text)
    assert said["cat"] in ("mat", "sea") and isinstance(said["dog"], bool) and len(said) == 2


def test_a_json_object_and_what_no_reply_can_keep_to(ai: openai.OpenAI) -> None:
    ask: Any = {"model": "real", "messages": HELLO, "max_tokens": 50, "seed": 1}
    text = ai.chat.completions.create(**ask, response_format={"type": "json_object"}).choices[0].message.content or ""
    assert text.lstrip().startswith("{")
    impossible: Any = {"type": "json_schema", "json_schema": {"name": "no", "schema": {"type": "nothing"}}}
    with pytest.raises(openai.BadRequestError, match="schema") as error:
        ai.chat.completions.create(**ask, response_format=impossible)
    assert error.value.param == "response_format"


@pytest.mark.parametrize("stream", [False, True])
def test_a_conversation_that_outgrew_the_context_goes_on_when_asked(ai: openai.OpenAI, stream: bool) -> None:
    turns: Any = [
        {"role": role, "content": "the cat sat on the mat"} for _ in range(40) for role in ("user", "assistant")
    ]
    ask: Any = {"model": "real", "messages": [*turns, *HELLO], "max_tokens": 3, "stream": stream}
    with pytest.raises(openai.BadRequestError, match="maximum context length") as error:
        ai.chat.completions.create(**ask)
    assert error.value.code == "context_length_exceeded"
    raw = ai.chat.completions.with_raw_response.create(**ask, extra_body={"truncation": "auto"})
    assert 70 < int(raw.headers["x-dropped-messages"]) <= 80
