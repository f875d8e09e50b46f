import pytest

from gptwright.alignment.judge import UNNAMED, Judge


@pytest.mark.parametrize(
    ("labellers", "rule"),
    [
        ({"plain-words": 836}, "plain-words"),
        ({"me": 240}, None),
        ({"me": 26, "plain-words": 324}, None),  # two tastes: the rule is only one of them
        ({UNNAMED: 60}, None),
        ({}, None),
    ],
)
def test_a_rule_judges_only_what_it_alone_ranked(labellers: dict[str, int], rule: str | None) -> None:
    judge = Judge.of({"labellers": labellers, "pair_accuracy": 0.7})
    assert judge.rule == rule
    assert ("the rule 'plain-words'" in str(judge)) == bool(rule)
    assert ("no independent judge" in str(judge)) != bool(rule)


def test_a_rule_that_rewards_judges_where_no_other_can_and_is_not_independent() -> None:
    people, ranker = {"labellers": {"me": 26, "plain-words": 324}}, {"labellers": {"plain-words": 3}}
    assert Judge.of({}, "plain-words").rule == Judge.of(people, "plain-words").rule == "plain-words"
    for metrics in ({}, people, ranker):
        assert "which gave the rewards: no independent judge" in str(Judge.of(metrics, "plain-words"))
    assert "no model has seen" in str(Judge.of(ranker))


def test_the_people_are_named_and_an_old_folder_names_nobody() -> None:
    assert "by me, Ann" in str(Judge.of({"labellers": {"me": 1, "Ann": 2}}))
    assert Judge.of({}).rule is None and "who ranked is not noted" in str(Judge.of({}))


def test_labellers_are_counted() -> None:
    assert Judge.count(["me", "", "me"]) == {"me": 2, UNNAMED: 1}
