"""The work itself: is it finished, did it take the time it was given, did it fit into memory?"""

from gptwright.reporting.checks.finding import Finding
from gptwright.reporting.collect import Run
from gptwright.reporting.wording import duration, percent, plain

TIME_OFF = 0.20
MEMORY_FULL = 0.80


def check_work(run: Run) -> list[Finding]:
    """All findings on time, memory and completeness."""
    found = [
        finished(run),
        minutes(run),
        memory(
            run.peak_memory_gb,
            max((m for s in run.stages if isinstance(m := s.machine.get("memory_gb"), float)), default=None),
        ),
    ]
    return [finding for finding in found if finding]


def finished(run: Run) -> Finding:
    """Stages that stopped on the way, or did not begin."""
    stopped = [f"{s.name} stopped after {s.steps_done} of {s.steps}" if s.steps else f"{s.name} stopped"
               for s in run.stages if not s.complete]  # fmt: skip
    waiting = [f"not begun: {', '.join(run.missing)}"] if run.missing else []
    if stopped or waiting:
        return Finding(
            "watch", "The run is not finished", "; ".join(stopped + waiting), "Give its command again: it goes on."
        )
    return Finding("healthy", "Every stage is finished", ", ".join(stage.name for stage in run.stages))


def minutes(run: Run) -> Finding | None:
    """A finished run against the minutes asked for, all its time counted; until then its stages against their plan."""
    timed = [stage for stage in run.lineage if stage.complete and stage.name in run.planned]
    if run.minutes and len(timed) == len(run.expected) and timed:
        return wall_time(run.begun_after + sum(s.seconds for s in timed), 60 * run.minutes, "asked for")
    return wall_time(sum(s.seconds for s in timed), sum(run.planned[s.name] for s in timed), "planned")


def wall_time(taken: float, meant: float, how: str) -> Finding | None:
    """Seconds that were taken against those that were asked for, or planned."""
    if meant <= 0:
        return None
    off = taken / meant - 1
    numbers = f"{duration(taken)} of {duration(meant)} {how} ({off:+.0%})"
    if off > TIME_OFF:
        return Finding("watch", f"It took longer than was {how}", numbers,
                       "Was the machine busy? If not, lower --minutes.")  # fmt: skip
    if off < -TIME_OFF:
        return Finding("watch", f"It took less time than was {how}", numbers, "The same minutes allow more steps.")
    return Finding("healthy", f"It took the time that was {how}", numbers)


def memory(peak_gb: float | None, all_gb: float | None) -> Finding | None:
    """The most memory held, against what the machine has, in GiB."""
    if peak_gb is None or not all_gb:
        return None
    numbers = f"{plain(peak_gb, 1)} of {plain(all_gb, 1)} GiB ({percent(peak_gb / all_gb)})"
    if peak_gb / all_gb > MEMORY_FULL:
        return Finding("watch", "Memory was nearly full", numbers, "Lower rows or length, or choose a smaller model.")
    return Finding("healthy", "It fitted well into memory", numbers)
