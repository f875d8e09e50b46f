import pytest

from gptwright.configs.prepare import FILTERS
from gptwright.text.filters.presets import PRESETS, Threshold, apply_filters
from gptwright.text.filters.signals import Signals

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


def test_prose_passes_every_filter() -> None:
    for name in PRESETS:
        verdict = apply_filters(VARIED, (name,))
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
    known = {*Signals(""), "sentences", "lorem_ipsum", "curly_brackets"}
    for preset in PRESETS.values():
        assert {each.signal for each in (*preset.thresholds, *preset.after_lines)} <= known
    assert Threshold("words", 50, 60).fault({"words": 50}) is Threshold("words", 50, 60).fault({"words": 60}) is None
    assert Threshold("words", 50, 60).fault({"words": 61}) == "words above 60"
    assert tuple(PRESETS) == FILTERS
