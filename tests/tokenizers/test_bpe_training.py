import json

import pytest

from gptwright.tokenizers import bpe_training
from gptwright.tokenizers.registry import TRAINERS

VOCABS = {"byte-level": 275, "byte-fallback": 290, "gpt1": 160, "wordpiece": 160}
PROSE = "the door of the old house was open and the river was not far from the door of the house"


@pytest.mark.parametrize("kind", TRAINERS)
def test_a_word_is_merged_only_within_its_bound(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words of any length cost no more than their letters: none of them is longer to the trainer."""
    monkeypatch.setattr(bpe_training, "LONGEST_WORD", 4)
    state = json.loads(TRAINERS[kind]([f"{'abcdefgh' * 40} {PROSE}"], VOCABS[kind]).backend.to_str())
    learned = [token.replace("##", "").replace("</w>", "") for token in state["model"]["vocab"] if token[0] not in "<["]
    assert max(map(len, learned)) == 4


@pytest.mark.parametrize("kind", TRAINERS)
def test_the_bound_changes_nothing_for_words_and_is_not_saved(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bounded = TRAINERS[kind]([PROSE], VOCABS[kind])
    monkeypatch.setattr(bpe_training, "LONGEST_WORD", 90_000)
    assert bounded.sha256 == TRAINERS[kind]([PROSE], VOCABS[kind]).sha256
    assert "256" not in json.dumps(json.loads(bounded.backend.to_str())["pre_tokenizer"])
