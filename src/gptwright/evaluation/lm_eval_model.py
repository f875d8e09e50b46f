"""Our models in EleutherAI's lm-evaluation-harness (`pip install 'gptwright[eval]'`): the class that it calls an LM.

    from gptwright.evaluation.lm_eval_model import GPTWrightLM
    lm_eval.simple_evaluate(model=GPTWrightLM(gptwright.load("runs/start/04-sft")), tasks=["lambada_openai"])

or `lm_eval --model gptwright --model_args pretrained=runs/start/04-sft` from a Python that has imported this module.
Its scores are those of `gptwright evaluate`, which asks the same questions of the same engine.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from lm_eval.api.model import LM  # pyright: ignore[reportMissingImports]
from lm_eval.api.registry import register_model  # pyright: ignore[reportMissingImports]

from gptwright.evaluation.harness.requests import Encoder, read_rows
from gptwright.inference.sampling import Sampling
from gptwright.pipelines.load import load_decoder
from gptwright.pipelines.model import Model

MAX_TOKENS = 256  # of an answer, where a task does not say


@register_model("gptwright")  # pyright: ignore[reportUntypedClassDecorator]
class GPTWrightLM(LM):  # pyright: ignore[reportUntypedBaseClass]
    """A loaded model, or the folder of one. The base class's chat templates are not offered: tasks are text."""

    def __init__(self, pretrained: Model | str | Path, dtype: str = "float32", **ignored: object) -> None:
        super().__init__()
        self.model = pretrained if isinstance(pretrained, Model) else load_decoder(pretrained, dtype=dtype)
        self.encoder = Encoder(self.model)

    def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """Of a continuation after its context, in nats, and whether each of its tokens was the likeliest."""
        rows = [self.encoder.pair(*request.args).cut(self.model.context) for request in requests]
        return [(reading.total, reading.greedy) for reading in read_rows(self.model, rows)]

    def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[float]:
        """Of whole texts, in windows of the context that do not overlap in what they score."""
        windows = [self.encoder.windows(request.args[0]) for request in requests]
        readings = iter(read_rows(self.model, [row for rows in windows for row in rows]))
        return [sum(next(readings).total for _ in rows) for rows in windows]

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """What is written up to the first of the texts that end an answer; equal wishes are answered side by side."""
        answers: dict[int, str] = {}
        asked = [self._sampling(request.args[1]) for request in requests]
        for sampling in {repr(each): each for each in asked}.values():
            numbers = [number for number, each in enumerate(asked) if each == sampling]
            room = self.model.context - sampling.max_tokens
            prompts = [self.encoder.prompt(requests[number].args[0])[-room:] for number in numbers]
            answers |= zip(numbers, self.model.answers(prompts, sampling, starts_text=False), strict=True)
        return [answers[number] for number in range(len(requests))]

    def _sampling(self, how: dict[str, Any]) -> Sampling:
        until, most = how.get("until") or [], min(how.get("max_gen_toks", MAX_TOKENS), self.model.context // 2)
        temperature = float(how.get("temperature", 0.0)) if how.get("do_sample") else 0.0
        stop = tuple(cast("list[str]", [until] if isinstance(until, str) else until))
        return Sampling(max_tokens=most, temperature=temperature, stop=stop, seed=0)
