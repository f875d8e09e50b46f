import pytest
import torch
from torch import nn

from gptwright.foundations.errors import ArtifactError
from gptwright.models.bert import BERT
from gptwright.models.gpt2 import GPT2
from gptwright.models.heads import Classifier, EncoderClassifier, RewardModel, ScalarHead, with_head
from gptwright.tokenizers.task_shapes import TaskShape


def test_a_new_head_is_indifferent() -> None:
    assert torch.equal(ScalarHead(4)(torch.randn(2, 3, 4)), torch.zeros(2, 3))


def test_the_reward_is_read_at_the_last_real_token(network: GPT2) -> None:
    model = RewardModel(network)
    nn.init.normal_(model.head.score.weight)
    ids = torch.tensor([[5, 6, 7, 0, 0], [5, 6, 7, 8, 9]])
    found = model(ids, torch.tensor([2, 4]))
    hidden = network.hidden(ids)
    expected = torch.stack([hidden[0, 2], hidden[1, 4]]) @ model.head.score.weight[0]
    torch.testing.assert_close(found, expected)
    ids[0, 3:] = 77
    torch.testing.assert_close(model(ids, torch.tensor([2, 4])), found, atol=1e-6, rtol=1e-5)


def test_only_a_decoder_can_be_the_trunk() -> None:
    with pytest.raises(AssertionError):
        RewardModel(nn.Linear(2, 2))


def test_classes_are_read_at_the_last_real_token(network: GPT2) -> None:
    model = Classifier(network, ("a", "b", "c"))
    ids, last = torch.tensor([[5, 6, 7, 0, 0], [5, 6, 7, 8, 9]]), torch.tensor([2, 4])
    assert torch.equal(model(ids, last), torch.zeros(2, 3))  # all are equally likely before it learns
    nn.init.normal_(model.head.score.weight)
    hidden = network.hidden(ids)
    expected = torch.stack([hidden[0, 2], hidden[1, 4]]) @ model.head.score.weight.T
    torch.testing.assert_close(model(ids, last), expected)


def test_the_labels_say_which_model_it_is(network: GPT2) -> None:
    for labels, kind in ((("reward",), RewardModel), (("toxic",), RewardModel), (("no", "yes"), Classifier)):
        model = with_head(network, labels)
        assert type(model) is kind and model.labels == labels


def test_one_number_of_a_task_is_no_reward(network: GPT2) -> None:
    shape = TaskShape(name="multiple-choice")
    model = with_head(network, ("choice",), shape)
    assert type(model) is Classifier and model.shape == shape
    assert model(torch.tensor([[1, 2]]), torch.tensor([1])).shape == (1, 1)


def test_an_encoder_is_read_at_its_first_token(encoder_network: BERT) -> None:
    model = with_head(encoder_network, ("a", "b", "c"), TaskShape.of_encoder("entailment"))
    assert type(model) is EncoderClassifier
    for parameter in model.head.parameters():
        nn.init.normal_(parameter)
    ids, segments = torch.tensor([[5, 6, 7, 0, 0]]), torch.tensor([[0, 0, 1, 1, 1]])
    found = model(ids, torch.tensor([2]), segments)
    pooled = encoder_network.pooled(encoder_network.encode(ids[:, :3], segments[:, :3]))
    torch.testing.assert_close(found, pooled @ model.head.score.weight.T + model.head.score.bias)
    assert encoder_network.masked is None and encoder_network.next is None
    encoder_network.pooler = None
    with pytest.raises(ArtifactError, match="pooler"):
        model(ids, torch.tensor([2]))
