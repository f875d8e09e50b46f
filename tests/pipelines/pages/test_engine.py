"""A model in a page says what the Python engine says with the same weights, and reads text as its tokenizer does."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page
from tests.pipelines.pages.conftest import ANSWERS, GREEDY, opened

from gptwright.inference.sampling import Sampling
from gptwright.interpretability.attention import rollout
from gptwright.interpretability.predictions import predictions
from gptwright.models.catalogue import FAMILIES, build
from gptwright.models.decoder import Decoder
from gptwright.models.formats.int8 import rounded
from gptwright.models.gpt2 import GPT2
from gptwright.pipelines.generation_config import GenerationConfig
from gptwright.pipelines.model import Model
from gptwright.tokenizers import bytelevel, edge_cases
from gptwright.tokenizers.chat_templates.chat import Message
from gptwright.tokenizers.tokenizer import Tokenizer

pytestmark = pytest.mark.browser
MORE: dict[str, list[dict[str, Any]]] = {
    "gpt3": [{"reach": 5}, {"reach": 5, "sparse": "strided"}],
    "llama": [{"kv_heads": 2, "tied": True}, {"kv_heads": 4, "tied": False}],
    "modern": [{"kv_heads": 2}],
}
DECODERS = [(name, sizes) for name, family in FAMILIES.items() if family.kind == "decoder"
            for sizes in MORE.get(name, [{}])]  # fmt: skip


@pytest.fixture(scope="module")
def learned() -> Tokenizer:
    """Of all scripts, with merges of many letters."""
    return bytelevel.train(edge_cases.TEXTS, 900)


def decoder(family: str, sizes: dict[str, Any], vocab: int, context: int = 64) -> Decoder:
    """A network of which every weight shows in the logits."""
    small = {"vocab": vocab, "context": context, "width": 24, "heads": 4, "layers": 3, **sizes}
    network = build(FAMILIES[family].config(**small))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0.0, 0.3)
    return network.requires_grad_(False)


@pytest.mark.parametrize(("family", "sizes"), DECODERS)
def test_every_decoder_computes_the_same(
    browser: Browser, tokenizer: Tokenizer, tmp_path: Path, family: str, sizes: dict[str, Any]
) -> None:
    model = Model(decoder(family, sizes, tokenizer.vocab), tokenizer, family)
    ids = torch.randint(tokenizer.vocab, (1, 40))
    with opened(browser, model, tmp_path / "page.html") as page:
        found = page.evaluate("ids => run.engine.call('logits', ids).then(scores => [...scores])", ids[0].tolist())
    wanted = rounded(model.network)(ids)[0, -1]
    torch.testing.assert_close(torch.tensor(found), wanted, atol=1e-3, rtol=1e-4)


def test_50_answers_are_the_engines(browser: Browser, network: GPT2, tokenizer: Tokenizer, tmp_path: Path) -> None:
    """Also where a prompt repeats the beginning of the last one, whose keys and values are kept."""
    draw = Random(1)
    words = ["the", "cat", "sat", "on", "the", "mat", "and", "dog", "ran", "to", "sea"]
    asked = [" ".join(draw.choices(words, k=draw.randint(1, 6))) for _ in range(50)]
    model = Model(network, tokenizer, "tiny")
    exact = Model(rounded(network), tokenizer, "tiny", dtype="float32")
    prompts = [exact.chat_ids([Message(role="user", content=text)]) for text in asked]
    wanted = [exact.generate_ids(ids, Sampling(temperature=0.0, max_tokens=16)) for ids in prompts]
    with opened(browser, model, tmp_path / "page.html") as page:
        assert page.evaluate(ANSWERS, [prompts, 16, GREEDY]) == wanted
    assert len({tuple(answer) for answer in wanted}) > 10


@pytest.fixture(scope="module")
def model(learned: Tokenizer) -> Model:
    return Model(decoder("gpt2", {}, learned.vocab), learned, "reader")


@pytest.fixture(scope="module")
def reader(browser: Browser, model: Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with opened(browser, model, tmp_path_factory.mktemp("page") / "page.html") as page:
        yield page


def test_text_becomes_the_same_ids_and_ids_the_same_text(reader: Page, learned: Tokenizer) -> None:
    read = "texts => texts.map(text => [run.tokenizer.encode(text), run.tokenizer.decode(run.tokenizer.encode(text))])"
    for text, (ids, back) in zip(edge_cases.TEXTS, reader.evaluate(read, list(edge_cases.TEXTS)), strict=True):
        assert (ids, back) == (learned.encode(text), text)
    every = range(learned.vocab)
    assert reader.evaluate("ids => ids.map(id => run.tokenizer.decode([id]))", [*every]) == [
        learned.decode([id]) for id in every
    ]


@settings(max_examples=10)
@given(st.lists(st.text(), min_size=50, max_size=50))
def test_any_text_becomes_the_same_ids(reader: Page, learned: Tokenizer, texts: list[str]) -> None:
    found = reader.evaluate("texts => texts.map(text => run.tokenizer.encode(text))", texts)
    assert found == learned.encode_many(texts)


def test_characters_of_every_kind_are_cut_alike(reader: Page, learned: Tokenizer) -> None:
    """Between letters and digits, so that where they belong to shows."""
    points = [point for point in (*range(0xD800), *range(0xE000, 0x33500), *range(0xE0000, 0xE0200)) if point % 29 == 0]
    texts = ["".join(f"a{chr(point)}1 {chr(point)}" for point in points[at : at + 500])
             for at in range(0, len(points), 500)]  # fmt: skip
    found = reader.evaluate("texts => texts.map(text => run.tokenizer.encode(text))", texts)
    assert found == learned.encode_many(texts)


def test_half_a_surrogate_pair_is_a_replacement_character(reader: Page, learned: Tokenizer) -> None:
    read = "() => ['a\\ud800b', '\\udfff'].map(text => run.tokenizer.encode(text))"
    assert reader.evaluate(read) == [learned.encode("a\ufffdb"), learned.encode("\ufffd")]


def test_a_conversation_is_read_as_the_template_says(reader: Page, model: Model) -> None:
    said = [Message(role="system", content="be <|end|>"), Message(role="user", content="hi\n\n"),
            Message(role="assistant", content=" ho"), Message(role="user", content="<|assistant|>")]  # fmt: skip
    assert reader.evaluate("said => run.tokenizer.prompt(said)", [dict(one) for one in said]) == model.chat_ids(said)


@pytest.mark.parametrize(
    "sampling",
    [{"topK": 3}, {"topP": 0.6}, {"minP": 0.3}, {"temperature": 0.5, "topP": 0.9}, {"bias": {"7": -100, "9": 5}}],
)
def test_what_is_drawn_is_what_may_be_drawn(reader: Page, learned: Tokenizer, sampling: dict[str, Any]) -> None:
    """Of 400 draws each is one that the Python engine draws too, and as often as it should be."""
    ids = learned.encode("the cat sat")
    every = GREEDY | {"temperature": 1.0} | sampling
    draw = """async ([ids, sampling]) => {
      const steps = [];
      for (let i = 0; i < 400; i++) steps.push(await run.engine.call("next", ids, sampling));
      return steps.map(step => step.id);
    }"""
    found = reader.evaluate(draw, [ids, every])
    scores = torch.tensor(reader.evaluate("ids => run.engine.call('logits', ids).then(s => [...s])", ids))
    for id, bias in every["bias"].items():
        scores[int(id)] += bias
    shares = _cut((scores / every["temperature"]).softmax(-1), every)
    assert all(shares[id] > 0 for id in found)
    counts = torch.bincount(torch.tensor(found), minlength=len(shares)) / len(found)
    assert float((counts - shares).abs().max()) < 0.12


def _cut(shares: torch.Tensor, sampling: dict[str, Any]) -> torch.Tensor:
    order = shares.sort(descending=True)
    keep = torch.ones(len(shares), dtype=torch.bool)
    if sampling["topK"]:
        keep &= shares >= order.values[sampling["topK"] - 1]
    if sampling["topP"] < 1:
        before = order.values.cumsum(0) - order.values
        keep[order.indices[before >= sampling["topP"]]] = False
    keep &= shares >= sampling["minP"] * shares.max()
    kept = torch.where(keep, shares, 0.0)
    return kept / kept.sum()


def test_a_penalty_for_what_was_there(reader: Page, learned: Tokenizer) -> None:
    ids: Sequence[int] = learned.encode("the cat sat on the mat")
    scores = torch.tensor(reader.evaluate("ids => run.engine.call('logits', ids).then(s => [...s])", ids))
    for id in set(ids):
        scores[id] *= 1 / 4 if scores[id] > 0 else 4
    step = reader.evaluate("([ids, s]) => run.engine.call('next', ids, s)", [ids, GREEDY | {"repetitionPenalty": 4}])
    assert step["id"] == int(scores.argmax())


def test_attention_and_what_was_expected_are_the_networks(reader: Page, model: Model) -> None:
    ids = model.tokenizer.encode("the cat sat on the mat")
    read = """ids => run.engine.call("read", ids).then(({ said, counts, columns, weights }) =>
      ({ said, counts: [...counts], columns: [...columns], weights: [...weights] }))"""
    found = reader.evaluate(read, ids)
    network = rounded(model.network)
    trace = network.trace(torch.tensor([ids]))
    layers = [layer[0] for layer in trace.attention]
    matrices = torch.cat([*layers, rollout(layers)[None]])
    drawn = torch.zeros(matrices.shape).flatten(0, 1)
    rows = [row for row, count in enumerate(found["counts"]) for _ in range(count)]
    drawn[torch.tensor(rows), torch.tensor(found["columns"])] = torch.tensor(found["weights"]) / 255
    torch.testing.assert_close(drawn.view_as(matrices), matrices, atol=0.5 / 255 + 1e-4, rtol=0)
    said = predictions(network(torch.tensor([ids]))[0], ids[1:], 5)
    assert found["said"]["ids"] == said.ids.tolist()
    for name in ("probabilities", "entropy"):
        torch.testing.assert_close(torch.tensor(found["said"][name]), getattr(said, name), atol=1e-4, rtol=1e-4)
    assert found["said"]["actual"][:-1] == pytest.approx(said.actual[:-1].tolist(), abs=1e-4)
    assert found["said"]["actual"][-1] is None and found["said"]["rank"] == said.rank.tolist()


def test_defaults_of_the_folder_go_with_it(
    browser: Browser, network: GPT2, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    sampling = Sampling(temperature=0.3, top_k=5, top_p=0.9, max_tokens=7, stop=("x",), stop_ids=(9,))
    model = Model(network, tokenizer, "tiny", GenerationConfig.of(sampling))
    with opened(browser, model, tmp_path / "page.html") as page:
        assert page.evaluate("[...run.tokenizer.stops]") == [*tokenizer.stop_ids, 9]
        page.get_by_text("Settings").click()
        assert [text.strip() for text in page.locator("label b").all_inner_texts()] == ["0.30", "0.90", "7"]
