"""README.md of an exported model."""

from pathlib import Path

import torch

from gptwright.models.gpt2 import GPT2Config
from gptwright.reporting.model_card import model_card


class Opened:
    """A model that was loaded, of 30 parameters."""

    network = torch.nn.Linear(5, 5)
    context = 64
    architecture = "GPT2LMHeadModel"

    def __init__(self) -> None:
        self.network.config = GPT2Config(vocab=10, context=64, width=8, heads=2, layers=3)  # type: ignore[assignment]


def test_of_a_stage_it_tells_data_lineage_figures_and_use(whole_run: Path) -> None:
    card = model_card(Opened(), whole_run / "08-ppo", Path("out/mine"))
    assert card.startswith("---\nlibrary_name: transformers\n") and "\n# mine\n" in card
    assert "family GPT2: 30 parameters, 3 layers, 2 heads, a context of 64 tokens." in card
    assert "by ppo on 2030-01-02" in card
    assert "| 03-pretrain | 1.600 bits a byte, held out | `" in card and "| books | 60 | 60 |" in card
    assert f"a.txt, 2.0 kB, SHA-256 `{'ab' * 32}`" in card
    assert "| wins | 90.0\u00a0% (85.0–95.0) | of 100 held-out prompts, by the rule “plain-words” |" in card
    assert 'gptwright.load("out/mine")\nprint(model.chat(' in card
    assert 'transformers.GPT2LMHeadModel.from_pretrained("out/mine")' in card


def test_of_an_earlier_stage_it_tells_nothing_of_later_ones(whole_run: Path) -> None:
    inner = whole_run / "04-sft/model"
    inner.mkdir()
    card = model_card(Opened(), inner, Path("mine"))
    assert "04-sft" in card and "05-rank" not in card and "Reward model" not in card and "PPO" not in card
    pretrained = model_card(Opened(), whole_run / "03-pretrain", Path("mine"))
    assert "print(model.generate(" in pretrained and "Nothing that is kept" in pretrained


def test_of_a_reward_model_it_names_the_stage_that_made_it_not_its_control(whole_run: Path) -> None:
    card = model_card(Opened(), whole_run / "06-reward", Path("mine"))
    assert "by reward on 2030-01-02" in card and "07-reward-control" in card


def test_of_a_folder_of_others_it_says_that_nothing_is_known(tmp_path: Path) -> None:
    card = model_card(Opened(), tmp_path, Path("mine"))
    assert "Not known" in card and "SHA-256" not in card and "None" not in card


def test_what_names_itself_as_markup_is_text(whole_run: Path) -> None:
    path = whole_run / "01-prepare/sources.json"
    path.write_text(path.read_text().replace("books", "<script>1"))
    assert "<script" not in model_card(Opened(), whole_run / "08-ppo", Path("mine"))
