"""What editors send is answered as it is: the bodies are those of llama.vim and continue.dev, and the model is real."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from gptwright.inference.sampling import Sampling
from gptwright.inference.token_healing import heal
from gptwright.models.gpt2 import GPT2, GPT2Config
from gptwright.models.new_tokens import with_new_tokens
from gptwright.pipelines.generation_config import GenerationConfig
from gptwright.pipelines.model import Model
from gptwright.serving.api import create_app
from gptwright.serving.llama_cpp import indented
from gptwright.serving.model_cards import ModelCards
from gptwright.serving.served_models import ServedModels
from gptwright.store.database import Store, open_store
from gptwright.tokenizers.edits import EDIT_MARKS
from gptwright.tokenizers.fill_in_the_middle import SENTINELS, Sentinels
from gptwright.tokenizers.token_bytes import token_bytes_of
from gptwright.tokenizers.tokenizer import Tokenizer

BODIES = Path(__file__).parent / "bodies"
DEFAULTS = GenerationConfig.of(Sampling(max_tokens=12, temperature=0.0))


def body(name: str, **changed: Any) -> dict[str, Any]:
    return json.loads((BODIES / f"{name}.json").read_text(encoding="utf-8")) | changed


@pytest.fixture
def coder(network: GPT2, tokenizer: Tokenizer) -> Model:
    """A model with every mark, and large random weights."""
    taught = tokenizer.with_additional((*SENTINELS, *EDIT_MARKS))
    grown = with_new_tokens(network, range(tokenizer.vocab, taught.vocab), seed=1)
    return Model(grown.requires_grad_(False), taught, "coder", DEFAULTS)


@pytest.fixture
def wide(coder: Model) -> Model:
    """The same with a context that holds all that an editor sends."""
    network = GPT2(GPT2Config(vocab=coder.tokenizer.vocab, context=1024, width=32, heads=2, layers=2))
    return Model(network.requires_grad_(False), coder.tokenizer, "coder", DEFAULTS)


def post(model: Model, path: str, given: dict[str, Any], tmp_path: Path) -> httpx.Response:
    async def go(store: Store) -> httpx.Response:
        app = create_app({model.name: model}, store)
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await client.post(path, json=given)

    with open_store(tmp_path) as store:
        return asyncio.run(go(store))


def test_its_card_says_that_it_inserts_and_edits(coder: Model) -> None:
    card = asyncio.run(ModelCards(ServedModels({"coder": coder}, {}, {}), tuple).one("coder"))
    assert json.loads(bytes(card.body)).items() >= {"inserts": True, "edits": True, "max_images": 0}.items()


def events(answer: httpx.Response) -> list[Any]:
    assert answer.status_code == 200, answer.text
    parts = answer.text.removesuffix("data: [DONE]\n\n").removesuffix("\n\n").split("\n\n")
    return [json.loads(part.removeprefix("data: ")) for part in parts]


def inserted(model: Model, prefix: str, suffix: str, tokens: int) -> str:
    return "".join(each.text for each in model.insert(prefix, suffix, Sampling(max_tokens=tokens, temperature=0)))


def test_llama_vim_gets_what_it_reads(wide: Model, tmp_path: Path) -> None:
    answer = post(wide, "/infill", body("llama.vim"), tmp_path)
    assert answer.status_code == 200 and answer.text.startswith('{"content":"') and "\n" not in answer.text
    found = answer.json()
    wanted = set(body("llama.vim")["response_fields"]) - {"tokens_cached"}
    assert set(found) == wanted and not found["truncated"]
    sentinels, encode = Sentinels.of(wide.tokenizer), wide.tokenizer.encode
    (other,), prefix = body("llama.vim")["input_extra"], body("llama.vim")["input_prefix"] + " " * 8
    read = [*encode(other["text"]), sentinels.end,
            *sentinels.prompt(encode(prefix), encode(body("llama.vim")["input_suffix"]))]  # fmt: skip
    assert found["timings/prompt_n"] == len(heal(read, token_bytes_of(wide.tokenizer.backend)).ids) < len(read)
    assert 0 < found["timings/predicted_n"] <= 128 and found["timings/predicted_ms"] > 0


def test_llama_vim_warms_the_cache(coder: Model, tmp_path: Path) -> None:
    answer = post(coder, "/infill", body("llama.vim-warm"), tmp_path)
    assert answer.status_code == 200 and answer.json() == {}


def test_a_file_longer_than_the_context_is_cut_around_the_cursor(coder: Model, tmp_path: Path) -> None:
    told = {"stop": [], "response_fields": None, "samplers": None, "temperature": 0.0, "n_indent": 0}
    asked = body(
        "llama.vim", **told, input_prefix="the cat " * 500, input_suffix=" sat" * 500, n_predict=8, prompt="the"
    )
    found = post(coder, "/infill", asked, tmp_path).json()
    assert found["truncated"] and found["tokens_evaluated"] == 64 - 8
    assert found["tokens_predicted"] <= 8 and found["stop"] and found["stop_type"] in ("eos", "limit")


def test_infill_writes_what_insert_writes(wide: Model, tmp_path: Path) -> None:
    asked = {"input_prefix": "the cat ", "prompt": "sat ", "input_suffix": " mat", "n_predict": 9, "temperature": 0.0}
    found = post(wide, "/infill", asked, tmp_path).json()
    assert found["content"] == inserted(wide, "the cat sat ", " mat", 9)
    told = events(post(wide, "/infill", {**asked, "stream": True}, tmp_path))
    assert "".join(each["content"] for each in told) == found["content"]
    assert [each["stop"] for each in told] == [False] * (len(told) - 1) + [True] and "timings" in told[-1]


@pytest.mark.parametrize("name", ["continue-template", "continue-suffix"])
def test_continue_dev_by_openais_route(wide: Model, name: str, tmp_path: Path) -> None:
    given = body(name, temperature=0)
    told = events(post(wide, "/v1/completions", given, tmp_path))
    comment = "# mean.py\n" if name == "continue-template" else ""
    prefix, suffix = body("continue-suffix")["prompt"], body("continue-suffix")["suffix"]
    wanted = inserted(wide, comment + prefix, suffix, given["max_tokens"])
    assert "".join(each["choices"][0]["text"] for each in told) == wanted


def test_continue_dev_by_llama_cpps_route(wide: Model, tmp_path: Path) -> None:
    given = body("continue-llama.cpp", temperature=0)
    told = events(post(wide, "/completion", given, tmp_path))
    prefix, suffix = body("continue-suffix")["prompt"], body("continue-suffix")["suffix"]
    assert "".join(each["content"] for each in told) == inserted(wide, f"# mean.py\n{prefix}", suffix, 24)
    plain = post(wide, "/completion", {"prompt": "the cat", "n_predict": 9, "temperature": 0.0}, tmp_path).json()
    streamed = wide.stream("the cat", Sampling(max_tokens=9, temperature=0))
    assert plain["content"] == "".join(each.text for each in streamed)


@pytest.mark.parametrize(
    ("path", "name", "param"),
    [("/infill", "llama.vim", "input_suffix"), ("/v1/completions", "continue-template", "prompt"),
     ("/v1/completions", "continue-suffix", "suffix"), ("/completion", "continue-llama.cpp", "prompt")],
)  # fmt: skip
def test_a_model_without_sentinels_says_so(
    network: GPT2, tokenizer: Tokenizer, path: str, name: str, param: str, tmp_path: Path
) -> None:
    plain = Model(network, tokenizer, "coder", DEFAULTS)
    found = post(plain, path, body(name), tmp_path)
    error = found.json()["error"]
    assert found.status_code == 400 and error["param"] == param and "was not taught to insert" in error["message"]


@pytest.mark.parametrize(
    ("changed", "param"),
    [({"mirostat": 1}, "mirostat"), ({"samplers": ["xtc"]}, "samplers[0]"), ({"n_predict": -2}, "n_predict"),
     ({"grammar": "x"}, "grammar"), ({"stream": True}, "n_indent"), ({"top_p": 2.0}, "top_p"),
     ({"model": "other"}, "model"), ({"input_extra": [{"text": 5}]}, "input_extra[0].text")],
)  # fmt: skip
def test_what_infill_cannot_do_is_refused(coder: Model, changed: dict[str, Any], param: str, tmp_path: Path) -> None:
    found = post(coder, "/infill", body("llama.vim", **changed), tmp_path)
    assert found.status_code in (400, 404) and found.json()["error"]["param"] == param


@pytest.mark.parametrize(
    ("text", "least", "kept"),
    [("a\n    b\nc", 4, "a\n    b"), ("a\n    b\nc", 0, "a\n    b\nc"), ("a\n\n    b", 4, "a\n\n    b"),
     ("a\n  b\n    c", 4, "a"), ("a", 4, "a"), ("", 4, ""), ("a\n   ", 4, "a\n   ")],
)  # fmt: skip
def test_an_answer_ends_before_a_line_that_is_indented_by_less(text: str, least: int, kept: str) -> None:
    assert indented(text, least) == kept


def test_edits_have_openais_shape(coder: Model, tmp_path: Path) -> None:
    asked = {"model": "coder", "input": "the cat", "instruction": "a mat", "temperature": 0, "n": 2, "top_p": 1}
    found = post(coder, "/v1/edits", asked, tmp_path).json()
    written = "".join(each.text for each in coder.edit("the cat", "a mat", Sampling(max_tokens=64, temperature=0)))
    assert found["object"] == "edit" and [each["index"] for each in found["choices"]] == [0, 1]
    assert {each["text"] for each in found["choices"]} == {written}
    assert found["usage"]["total_tokens"] == found["usage"]["prompt_tokens"] + found["usage"]["completion_tokens"]
    assert post(coder, "/v1/edits", {"model": "coder", "instruction": "a mat"}, tmp_path).status_code == 200


@pytest.mark.parametrize(
    ("changed", "param"),
    [({"instruction": ""}, "instruction"), ({"instruction": None}, "instruction"), ({"input": 5}, "input"),
     ({"input": "cat " * 200}, "input"), ({"prompt": "x"}, "prompt")],
)  # fmt: skip
def test_edits_that_cannot_be_made_are_named(coder: Model, changed: dict[str, Any], param: str, tmp_path: Path) -> None:
    found = post(coder, "/v1/edits", {"model": "coder", "input": "a", "instruction": "b"} | changed, tmp_path)
    assert found.status_code == 400 and found.json()["error"]["param"] == param


def test_a_model_that_was_not_taught_to_edit_says_so(network: GPT2, tokenizer: Tokenizer, tmp_path: Path) -> None:
    plain = Model(network, tokenizer, "coder", DEFAULTS)
    found = post(plain, "/v1/edits", {"model": "coder", "input": "a", "instruction": "b"}, tmp_path)
    assert found.status_code == 400 and "was not taught to edit" in found.json()["error"]["message"]
