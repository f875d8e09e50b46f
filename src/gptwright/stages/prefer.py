"""evaluate --prefer: two models answer the same prompts, and a judge prefers one without knowing which it is."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from gptwright.configs.evaluate import Evaluate
from gptwright.evaluation.blind import Ranker, answer, by_reward, by_rule, judged, wins
from gptwright.evaluation.harness.table import markdown
from gptwright.foundations.atomic_io import read_json, write_json
from gptwright.foundations.errors import ConfigError, InputError, nearest
from gptwright.foundations.progress import say
from gptwright.foundations.version import __version__
from gptwright.inference.sampling import Sampling
from gptwright.pipelines.load import load, load_decoder
from gptwright.pipelines.resolve import resolve_model
from gptwright.pipelines.sequence_scorer import SequenceScorer
from gptwright.text.jsonl import Line, read_objects, write_objects
from gptwright.text.rule_labeller import RULES, check_rule
from gptwright.tokenizers.chat_templates.chat import read_prompt
from gptwright.training.evaluation import Estimate

ME, RANKINGS = "me", "rankings.jsonl"
KEYS = {"1": [1, 2], "2": [2, 1], "=": [1, 1]}


def prefer(config: Evaluate, names: Sequence[str]) -> None:
    """Prints how often the first model wins. Where --out is given it keeps answers.jsonl, what both said,
    rankings.jsonl, what was judged, and results.json; a session that was stopped goes on there.

    Raises `ConfigError` for a judge that is none, or a folder of another comparison.
    """
    judge = _judge(config.judge)
    lines = _answers(config, names)
    try:
        seen, found = _judged(config, lines, judge)
    except EOFError as error:
        say(str(error))
        return
    share = wins(seen, [line["ranks"] for line in found], names[0])
    if config.out:
        write_objects(config.out / RANKINGS, found)
        write_json(config.out / "results.json", {"gptwright": __version__, "settings": _settings(config, names),
                                                 "results": {"wins": asdict(share)}})  # fmt: skip
    print(_table(names, share, config.judge))


def _judged(config: Evaluate, lines: Sequence[Line], judge: Ranker) -> tuple[list[Line], list[Line]]:
    """The lines that could be judged, and their rankings; of a person each is kept at once.

    Raises `EOFError` when the person stops, `InputError` when nothing could be judged.
    """
    kept = config.out / RANKINGS if config.out and config.judge == ME else None
    found = read_objects(kept) if kept and kept.is_file() else []
    seen = [*lines[: len(found)]]
    try:
        for line, ranking in judged(lines[len(found) :], judge, config.judge):
            seen.append(line)
            found.append(Line(ranking, line.where))
            if kept:
                write_objects(kept, found)
    except (EOFError, KeyboardInterrupt) as error:
        said = f"stopped; {len(found)} of {len(lines)} are judged. The same command goes on from there."
        raise EOFError(said) from error
    if not found:
        raise InputError("answers that the judge can read", "none", "Give a judge with a longer context.")
    return seen, found


def _judge(name: str) -> Ranker:
    if name == ME:
        return _ask
    if name in RULES:
        return by_rule(name)
    if not Path(name).exists():
        raise ConfigError("a rule, the folder of reward, or me, as --judge", f"'{name}'", nearest(name, [*RULES, ME]))
    model = load(resolve_model(Path(name)))
    if not isinstance(model, SequenceScorer) or len(model.labels) != 1:
        raise ConfigError("a reward model as --judge", f"a model of another kind in {name}", "Give a folder of reward.")
    return by_reward(model)


def _ask(line: Line) -> list[int]:
    """The ranks that a person gives. Raises `EOFError` when there is no more time for it."""
    for message in line["messages"]:
        print(f"\n{message['role']}> {message['content']}")
    for number, text in enumerate(line["answers"], 1):
        print(f"\n[{number}] {text}")
    while (key := input("\nwhich is better? 1, 2, = for neither, q to stop> ").strip().lower()) not in KEYS:
        if key == "q":
            raise EOFError
    return KEYS[key]


def _answers(config: Evaluate, names: Sequence[str]) -> list[Line]:
    """What both say; of a session that goes on, what they said."""
    assert config.prefer and config.prompts
    settings = _settings(config, names)
    if config.out and (config.out / "answers.jsonl").is_file():
        if read_json(config.out / "settings.json") != settings:
            raise ConfigError("the comparison that was begun with the same options", f"another one in {config.out}",
                              "Give another --out.")  # fmt: skip
        return read_objects(config.out / "answers.jsonl")
    asked = [(line, read_prompt(line, line.where)) for line in read_objects(config.prompts)]
    if config.judge in RULES:
        check_rule(config.judge, (Line(line | {"messages": messages}, line.where) for line, messages in asked))
    models = [load_decoder(resolve_model(path), dtype=config.dtype) for path in config.prefer]
    sampling = Sampling(max_tokens=config.max_tokens, temperature=config.temperature)
    lines = answer(dict(zip(names, models, strict=True)), asked, sampling, config.seed)
    if config.out:
        write_json(config.out / "settings.json", settings)
        write_objects(config.out / "answers.jsonl", lines)
    return lines


def _settings(config: Evaluate, names: Sequence[str]) -> dict[str, object]:
    """What decides the answers and who judges them."""
    return {"models": [*names], "prompts": str(config.prompts), "judge": config.judge, "seed": config.seed,
            "max_tokens": config.max_tokens, "temperature": config.temperature, "dtype": config.dtype}  # fmt: skip


def _table(names: Sequence[str], share: Estimate, judge: str) -> str:
    """Of ties each model has half."""
    both = [(share.value, share.low, share.high), (1 - share.value, 1 - share.high, 1 - share.low)]
    rows = [(name, f"{value:.1%}", f"{low:.1%} to {high:.1%}", f"{share.count:,}", judge)
            for name, (value, low, high) in zip(names, both, strict=True)]  # fmt: skip
    return markdown([("model", "preferred", "95 % interval", "prompts", "judge"), *rows])
