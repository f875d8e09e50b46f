import torch

from gptwright.models.modern import Modern, ModernConfig

CONFIG = ModernConfig(vocab=30, context=16, width=12, heads=2, kv_heads=1, layers=2)


def test_a_fresh_model_passes_its_tokens_through() -> None:
    """Branches start at zero, so the last state is the normed embedding, and all tokens are equally likely."""
    model = Modern(CONFIG)
    model.initialise(1)
    ids = torch.arange(16)[None]
    torch.testing.assert_close(model.hidden(ids), model.norm(model.norm(model.embed(ids))), atol=1e-5, rtol=1e-4)
    assert model(ids).eq(0).all()


def test_the_scale_of_the_stream_does_not_matter_to_a_branch() -> None:
    model = Modern(CONFIG)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.3)
    x = torch.randn(1, 5, 12)
    part = model.blocks[0].mlp
    torch.testing.assert_close(part(model.norm(x)), part(model.norm(10 * x)), atol=1e-4, rtol=1e-4)
