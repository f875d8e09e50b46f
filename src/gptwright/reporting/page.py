"""report.html: one file with its style inside, no script and no request, readable on a telephone and on paper."""

import shlex
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from gptwright.reporting.checks.finding import Finding, tally
from gptwright.reporting.collect import Run
from gptwright.reporting.curves import figures
from gptwright.reporting.lineage import POLICIES
from gptwright.reporting.samples import first_middle_last, split_openings
from gptwright.reporting.siblings import at_equal_time
from gptwright.reporting.story import loop, story
from gptwright.reporting.tables import before_and_after
from gptwright.reporting.values import whole
from gptwright.reporting.wording import MISSING, amount, duration, percent, plain, plural, size
from gptwright.training.evaluation import Evaluation

ANSWERING = (*POLICIES, "sft")


def page(run: Run, findings: Sequence[Finding]) -> str:
    """The whole page. Every text is escaped: a model can write anything."""
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            name=run.path.resolve().name,
            headline=headline(run),
            facts=facts(run),
            machine=machine(run),
            tally=tally(findings),
            findings=findings,
            loop=loop(run),
            story=story(run),
            total=duration(run.seconds),
            planned=duration(sum(run.planned.values()) or None),
            sources=run.sources,
            figures=figures(run),
            asked=run.asked,
            samples=_samples(run),
            conversations=conversations(run),
            tables=before_and_after(run) + ([beside] if (beside := at_equal_time(run)) else []),
            commands=commands(run),
        )
    )


def environment() -> Environment:
    """The templates of this package; a name that is missing is an error."""
    environment = Environment(
        loader=PackageLoader("gptwright.reporting", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = environment.filters
    filters.update(plural=plural, size=size, amount=amount)
    return environment


def headline(run: Run) -> str:
    """What was made, in a few words."""
    done = {stage.role for stage in run.lineage if stage.complete}
    made = dict.fromkeys(POLICIES, "A chat model tuned by preferences") | {
        "sft": "A chat model",
        "codex": "A code model",
        "pretrain": "A language model",
    }
    return next((text for role, text in made.items() if role in done), "A run that has made no model yet")


def facts(run: Run) -> list[tuple[str, str]]:
    """The strip of figures under the headline: (name, value)."""
    pretrain, prepare = run.stage("pretrain"), run.stage("prepare")
    form, wins, peak = run.estimate("sft", "sft", "held-out form"), run.wins(), run.peak_memory_gb
    found = [
        ("time", duration(run.seconds)),
        ("parameters", amount(pretrain.metric("parameters")) if pretrain else ""),
        ("text", size(whole(prepare.metric("bytes"))) if prepare and prepare.complete else ""),
        ("held out, bits/byte", plain(pretrain.metric("heldout_bits_per_byte")) if pretrain else ""),
        ("right answers", percent(form.value) if form else ""),
        ("wins over sft", percent(wins.share.value) if wins else ""),
        ("peak memory", f"{plain(peak, 1)} GiB" if peak is not None else ""),
    ]
    return [(name, value) for name, value in found if value not in ("", MISSING)]


def machine(run: Run) -> str:
    """The machine and the version, as the last stage recorded them."""
    last = run.lineage[-1]
    cores, memory = last.machine.get("cores"), last.machine.get("memory_gb")
    dtype = next((str(stage.metrics["dtype"]) for stage in run.lineage if "dtype" in stage.metrics), "")
    parts = [
        str(last.machine.get("system", "")),
        plural(cores, "core") if isinstance(cores, int) else "",
        f"{memory} GiB of memory" if memory else "",
        f"matrices in {dtype}" if dtype else "",
        f"Python {last.machine['python']}" if "python" in last.machine else "",
        f"gptwright {last.version}" if last.version else "",
        last.ended.replace("T", " ").replace("+00:00", " UTC"),
    ]
    return " · ".join(part for part in parts if part)


def _samples(run: Run) -> list[dict[str, Any]]:
    chosen = first_middle_last(run.samples)
    return [{"step": s.step, "texts": texts} for s, texts in zip(chosen, split_openings(chosen), strict=True)]


def conversations(run: Run) -> list[tuple[str, str, str]]:
    """(prompt, answer of sft, answer of the policy); the prompt is empty where it was not kept."""
    before, after, prompts = (found.samples for found in run.improvement() or (Evaluation(),) * 3)
    return list(zip([*prompts, *[""] * len(after)], before, after, strict=False))


def commands(run: Run) -> list[tuple[str, str]]:
    """(what for, command) to go on with."""
    found: list[tuple[str, str]] = []
    if any(not stage.complete for stage in run.stages) or run.missing:
        recipe, out = shlex.quote(f"{run.path}/recipe.toml"), shlex.quote(str(run.path))
        found.append(("finish this run", f"gptwright run {recipe} --out {out}"))
    model = next((s for role in ANSWERING if (s := run.stage(role)) and s.complete), None)
    if model:
        folder = shlex.quote(str(model.path))
        found += [
            ("talk to it", f"gptwright chat {folder}"),
            ("open it in a browser", f"gptwright serve {folder}"),
            ("teach it what you like", f"gptwright improve {shlex.quote(str(run.path))} --rankings my-rankings.jsonl"),
            ("talk to a real model", "gptwright chat smollm2-135m"),
        ]
    longer = f"{max(round(4 * (run.minutes or 5)), 1)}"
    found.append(("make a better one", f"gptwright start --minutes {longer}"))
    found.append(("make one of your own text", f"gptwright start --minutes {longer} --data my-texts/ bundled"))
    found.append(("compare another family", f"gptwright start --minutes {run.minutes or 5:g} --model llama-nano"))
    return found
