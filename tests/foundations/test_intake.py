import pytest

from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.foundations.intake import Intake


def test_every_stage_says_it_in_the_same_words(capsys: pytest.CaptureFixture[str]) -> None:
    intake = Intake("ppo")
    intake.report("5 prompts")
    for place in (3, 9, 12):
        intake.drop("too long", f"line {place} of a.jsonl")
    intake.drop("held out too", count=1_200)
    intake.drop("never", count=0)
    intake.cut("at the end", "line 2 of a.jsonl")
    intake.report("5 prompts")
    assert capsys.readouterr().err.splitlines() == [
        "ppo: 5 prompts",
        "ppo: 5 prompts; 1,203 dropped (1,200 held out too; 3 too long, the first on line 3 of a.jsonl); "
        "1 cut (1 at the end, the first on line 2 of a.jsonl)",
    ]


def test_where_nothing_is_left_the_reasons_are_told() -> None:
    intake = Intake("sft")
    intake.require([1], "conversations", "Add some.")
    with intake.dropping("line 4"):
        raise InputError("a role", "'wizard'", "Mend it.")
    with pytest.raises(InputError) as error:
        intake.require([], "conversations", "Add some.")
    assert "got none; 1 dropped (1 that the model's chat template cannot write ('wizard'), the first on line 4)" in str(
        error.value
    )


def test_only_what_was_given_is_passed_over() -> None:
    with pytest.raises(ArtifactError), Intake("sft").dropping("line 1"):
        raise ArtifactError("a template", "none", "Take another model.")
