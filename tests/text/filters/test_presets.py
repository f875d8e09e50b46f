from collections.abc import Sequence

import numpy as np
import pytest

from gptwright.configs.prepare import FILTERS
from gptwright.text.documents import Document
from gptwright.text.filters.presets import PRESETS, ParetoDraw, Threshold, Verdict
from gptwright.text.filters.presets import apply_filters as apply_presets
from gptwright.text.filters.signals import OF_LINE_RULES, SignalCounter, Signals
from gptwright.text.split import uniform_hash

PROSE = " ".join(f"The {a} of the river and the {b} have come to an end." for a, b in
                 zip(["bank", "mouth", "name", "colour", "depth", "smell", "bed"],
                     ["boats", "men", "fish", "roads", "towns", "birds", "mills"], strict=True))  # fmt: skip
VARIED = "\n".join([
    "The miller rose before the sun and walked down to the water.",
    "Nobody in the village could say how old that wheel might be.",
    "It had been turned by his father, and by a man whose name was lost.",
    "With every flood the beams grew darker; they have never been replaced.",
    "He laid his hand upon one of them and listened, as he did each day.",
    "Somewhere below, a stone moved.",
])  # fmt: skip


def apply_filters(text: str, names: Sequence[str]) -> Verdict:
    return apply_presets(Document(text, "a"), [PRESETS[name] for name in names], SignalCounter())


def test_prose_passes_every_filter_of_thresholds() -> None:
    for name in set(PRESETS) - {"gpt3"}:
        verdict = apply_filters(VARIED * (name == "webtext") + VARIED, (name,))
        assert verdict.reason is None and verdict.text.startswith("The miller rose")
    assert apply_filters(VARIED, ()).reason is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("The end of it and that.", "gopher: words below 50"),
        ("a b " * 60, "gopher: mean word length below 3"),
        ("incomprehensibilities " * 60, "gopher: mean word length above 10"),
        (VARIED + " #" * 12, "gopher: hashes per word above 0.1"),
        (VARIED.replace(" ", " 1 2345678 "), "gopher: words with letters below 0.8"),
        ("Worte ohne jeden Sinn gehen hier umher. " * 10, "gopher: stop words below 2"),
        (VARIED + "\n" + VARIED, "gopher: duplicate lines above 0.3"),
        (PROSE + "\n" + "that and that and " * 8, "gopher: top 2 gram above 0.2"),
        (VARIED.replace("\n", " ") * 2, "gopher: duplicate 5 grams above 0.15"),
    ],
)
def test_gophers_reasons(text: str, reason: str) -> None:
    assert apply_filters(text, ("gopher",)).reason == reason


def test_c4_judges_what_its_lines_leave() -> None:
    verdict = apply_filters(f"{VARIED}\nHome", ("c4",))
    assert verdict.reason is None and verdict.text.endswith("as he did each day.\nSomewhere below, a stone moved.")
    assert verdict.cut_lines == {"no end of a sentence": 1}
    assert apply_filters("Home\nAbout\n" * 9, ("c4",)).reason == "c4: sentences below 3"
    assert apply_filters(f"{VARIED}\nThe code is {{ here }} and there.", ("c4",)).reason == (
        "c4: curly brackets above 0"
    )


def test_finewebs_own_thresholds() -> None:
    flat = VARIED.replace(".", "")
    assert apply_filters(flat.replace(";", ". ").replace(",", ". "), ("fineweb",)).reason == (
        "fineweb: terminal lines below 0.12"
    )
    listed = VARIED.replace(" ", "\n").replace("\n", " a thing of note.\n")
    assert apply_filters(listed, ("fineweb",)).reason is not None


def test_several_filters_are_asked_in_order() -> None:
    assert apply_filters("too short", ("c4", "gopher")).reason == "c4: sentences below 3"
    assert apply_filters("too short", ("gopher", "c4")).reason == "gopher: words below 50"


def test_thresholds_name_signals_that_there_are_and_the_bound_is_kept() -> None:
    known = {*Signals(""), *OF_LINE_RULES}
    for preset in PRESETS.values():
        assert preset.signals <= known
    assert Threshold("words", 50, 60).fault({"words": 50}) is Threshold("words", 50, 60).fault({"words": 60}) is None
    assert Threshold("words", 50, 60).fault({"words": 61}) == "words above 60"
    assert tuple(PRESETS) == FILTERS


@pytest.mark.parametrize("score", [0.0, 0.5, 0.8, 0.9, 1.0])
def test_of_texts_of_score_s_the_share_that_gpt3_keeps_is_2_minus_s_to_the_minus_9(score: float) -> None:
    """Over evenly spread lots, to their distance; over those that texts have, within four standard deviations."""
    (draw,), wanted = PRESETS["gpt3"].rules, (2 - score) ** -9
    even = [draw.fault({"lot": (i + 0.5) / 10_000, "quality": score}) is None for i in range(10_000)]
    assert sum(even) / 10_000 == pytest.approx(wanted, abs=1e-4)
    lots = [Signals(f"text {i}")["lot"] for i in range(4_000)]
    kept = sum(draw.fault({"lot": lot, "quality": score}) is None for lot in lots) / 4_000
    assert abs(kept - wanted) <= 4 * (wanted * (1 - wanted) / 4_000) ** 0.5


def test_the_draw_is_numpys_pareto_and_says_why() -> None:
    lots = np.random.Generator(np.random.PCG64(1)).random(1_000)
    drawn = (1 - lots) ** (-1 / 9) - 1  # numpy's own, from exponentials, has this distribution function:
    assert np.quantile(drawn, 0.5) == pytest.approx(2 ** (1 / 9) - 1, rel=0.1)
    draw = ParetoDraw("quality", 9)
    for lot, pareto in zip(lots.tolist(), drawn.tolist(), strict=True):
        assert (draw.fault({"lot": lot, "quality": 0.9}) is None) == (pareto > 0.1)
    assert draw.fault({"lot": 0.0, "quality": 0.9}) == "drawn out by quality"


def test_who_stays_says_nothing_about_who_is_held_out() -> None:
    texts = [f"text {i}" for i in range(4_000)]
    stay = [text for text in texts if Signals(text)["lot"] > 0.5]
    for seed in (0, 1, 2):
        held = sum(uniform_hash(text, seed) < 0.2 for text in stay) / len(stay)
        assert abs(held - 0.2) < 4 * (0.16 / len(stay)) ** 0.5


def test_openwebtexts_least_length() -> None:
    assert apply_filters("word " * 99, ("webtext",)).reason == "webtext: words and signs below 100"
    assert apply_filters("word " * 100, ("webtext",)).reason is None
