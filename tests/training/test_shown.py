"""Which figures of a training stand in its line."""

from gptwright.configs.training import TrainingOptions
from gptwright.configs.verbs import VERBS
from gptwright.training.shown import SHOWN, shown


def test_every_verb_that_trains_shows_a_few_figures() -> None:
    trains = {name for name, verb in VERBS.items() if issubclass(verb.config_type, TrainingOptions)}
    assert set(SHOWN) == trains | {"improve"}, "which trains as dpo or ppo does"
    assert all(1 <= len(figures) <= 4 for figures in SHOWN.values())


def test_what_was_measured_is_shown_under_its_name_and_the_rest_is_not() -> None:
    values = {"loss_nats": 3.0, "answer_nats": 1.0, "text_nats": 2.0, "gradient_norm": 0.5}
    assert shown("sft", values) == {"loss of answers": 1.0, "of text": 2.0}
    assert shown("ppo", {"kl_nats": 2.0, "score": 1.0, "beta": 0.1}) == {"score": 1.0, "KL": 2.0}
