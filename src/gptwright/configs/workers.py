"""Options that the stages share whose work on a corpus several processes can do."""

from dataclasses import field

from gptwright.foundations.settings import FREE, Threads, settings
from gptwright.foundations.workers import WorkerEngine


@settings
class WorkerOptions:
    """Who works on the parts of a corpus: prepare and tokenize. The result is the same."""

    workers: Threads = field(default=1, metadata=FREE)
    """processes that work on parts of the text; the result is the same"""
    engine: WorkerEngine = field(default="processes", metadata=FREE)
    """whose processes those are: this machine's, or ray's, of the cluster that RAY_ADDRESS names"""
