import sys
from math import exp, log

import pytest

from gptwright.evaluation.translation import require_sacrebleu, translation_scores
from gptwright.foundations.errors import ConfigError


def test_bleu_by_hand() -> None:
    # 5 of 6 words, 3 of 5 pairs, 2 of 4 triples, 1 of 3 runs of four; equally long, so nothing is taken off.
    found = translation_scores(["the cat sat on the mat"], ["the cat sat on a mat"])
    assert found.bleu == pytest.approx(100 * exp((log(5 / 6) + log(3 / 5) + log(2 / 4) + log(1 / 3)) / 4))


def test_a_short_translation_pays_for_it() -> None:
    found = translation_scores(["the cat sat on the"], ["the cat sat on the mat and slept"])
    assert found.bleu == pytest.approx(100 * exp(1 - 8 / 5))


def test_chrf_by_hand() -> None:
    # One letter: 2 of 3 both ways; pairs: 1 of 2; triples 0 of 1; F averages precision and recall over three orders.
    assert translation_scores(["abd"], ["abc"]).chrf == pytest.approx(100 * (2 / 3 + 1 / 2 + 0) / 3)


def test_equal_texts_and_their_signatures() -> None:
    texts = ["Ouvre la boîte de dialogue.", "Cliquez sur le bouton de la souris."]
    found = translation_scores(texts, texts)
    assert (found.bleu, found.chrf) == pytest.approx((100, 100))
    assert "tok:13a" in found.bleu_signature and "version:" in found.bleu_signature
    assert "nc:6" in found.chrf_signature


def test_without_sacrebleu_there_is_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics", None)
    for ask in (require_sacrebleu, lambda: translation_scores(["a"], ["a"])):
        with pytest.raises(ConfigError, match=r"gptwright\[translate\]"):
            ask()
