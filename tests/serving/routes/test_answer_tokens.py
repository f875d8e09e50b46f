"""How an answer looks to its model: the log-probabilities are the network's own, the prompt is what was read."""

from typing import Any

import pytest
import torch
from tests.serving.routes.conftest import Http

from gptwright.pipelines.model import Model


def expected(real: Model, ids: list[int], start: int) -> list[float]:
    scores = real.logits(torch.tensor([ids]))[0].log_softmax(-1)
    return [float(scores[at - 1, ids[at]]) for at in range(start, len(ids))]


def test_the_tokens_of_an_answer_are_scored_as_the_network_scores_them(talk: Any, real: Model) -> None:
    async def go(http: Http) -> None:
        id, (asked,) = await http.conversation("the cat sat")
        answer = await http.answer(id, asked, model="real", seed=3, max_tokens=6)
        told = await http.ask("GET", f"/api/answers/{answer['id']}/tokens")
        prompt = real.chat_ids([{"role": "user", "content": "the cat sat"}])
        new = real.tokenizer.encode(answer["content"])
        assert (told["model"], told["start"]) == ("real", 0)
        assert b"".join(bytes(one["bytes"]) for one in told["content"]).decode() == answer["content"]
        found = [one["logprob"] for one in told["content"]]
        assert found == pytest.approx(expected(real, [*prompt, *new], len(prompt)), abs=1e-3)
        for one in told["content"]:
            tops = [top["logprob"] for top in one["top_logprobs"]]
            assert len(tops) == 5 and tops == sorted(tops, reverse=True) and one["logprob"] <= tops[0] + 1e-6

    talk(go, more={"real": real}, origins={"real": {"weights": "abc"}})


def test_of_an_answer_that_goes_on_the_new_tokens_are_told(talk: Any, real: Model) -> None:
    async def go(http: Http) -> None:
        id, (asked,) = await http.conversation("the cat sat")
        first = await http.answer(id, asked, model="real", seed=3, max_tokens=4)
        more = await http.answer(id, first["id"], model="real", seed=4, max_tokens=4)
        told = await http.ask("GET", f"/api/answers/{more['id']}/tokens")
        assert told["start"] == len(first["content"])
        new = more["content"].removeprefix(first["content"])
        assert b"".join(bytes(one["bytes"]) for one in told["content"]).decode() == new

    talk(go, more={"real": real})


def test_the_prompt_is_what_was_read_with_its_special_tokens(talk: Any, real: Model) -> None:
    async def go(http: Http) -> None:
        id, (asked,) = await http.conversation("the cat <|endoftext|> sat")
        answer = await http.answer(id, asked, model="real", max_tokens=2)
        told = await http.ask("GET", f"/api/answers/{answer['id']}/prompt")
        ids = (await http.ask("GET", f"/api/answers/{answer['id']}"))["message"]["generation"]["prompt_ids"]
        assert told["tokens"] == len(ids)
        assert any("the cat <|endoftext|> sat" in one["text"] for one in told["pieces"] if not one["special"])
        specials = [real.tokenizer.backend.id_to_token(id) for id in ids if real.tokenizer.token_bytes(id) is None]
        assert [one["text"] for one in told["pieces"] if one["special"]] == specials

    talk(go, more={"real": real})


def test_other_weights_another_model_or_a_person_cannot_be_asked(talk: Any, real: Model) -> None:
    asked: dict[str, str] = {}

    async def write(http: Http) -> None:
        id, messages = await http.conversation("the cat sat", "by hand")
        asked["person"] = messages[1]
        asked["model"] = (await http.answer(id, messages[0], model="real", max_tokens=2))["id"]

    async def refused(http: Http, who: str, words: str) -> None:
        for what in ("tokens", "prompt"):
            told = await http.ask("GET", f"/api/answers/{asked[who]}/{what}", status=409)
            assert words in told["error"]["message"] and told["error"]["code"] == "not_scorable"

    talk(write, more={"real": real}, origins={"real": {"weights": "abc"}})
    talk(lambda http: refused(http, "person", "by a person"), more={"real": real})
    talk(
        lambda http: refused(http, "model", "other weights"), more={"real": real}, origins={"real": {"weights": "def"}}
    )
    talk(lambda http: refused(http, "model", "is not served"))
