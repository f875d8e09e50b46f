"""The table of verbs: a verb's options are the class `config` of `configs/NAME.py`, its work is `stages/NAME.py`."""

from dataclasses import dataclass
from importlib import import_module
from keyword import iskeyword
from typing import Literal

from gptwright.foundations.settings import Settings

Group = Literal["make", "teach", "use", "look"]


@dataclass(frozen=True)
class Verb:
    """A word after `gptwright`."""

    name: str
    config: str
    """the name of the class of its options"""
    help: str
    group: Group
    """where the overview lists it"""
    leaves_folder: bool = False
    """whether it leaves a stage folder at --out, so that it may stand in a recipe"""
    trains: bool = False
    """whether it trains: it has metrics to --track, and says itself what takes less memory"""
    distributed: bool = False
    """whether several processes can do it together; of a recipe, the stages that can"""
    examined: bool = False
    """whether it can go wrong without an error, so that the doctor looks at what it leaves"""

    @property
    def config_type(self) -> type[Settings]:
        """The class of its options. Importing it does not import torch."""
        module = f"{self.name}_" if iskeyword(self.name) else self.name
        return getattr(import_module(f"gptwright.configs.{module}"), self.config)


VERBS = {verb.name: verb for verb in (
    Verb("start", "Start", "the whole story at a size that fits the time, ending in a chat", "make"),
    Verb("run", "Run", "a chain of stages from a TOML recipe", "make", distributed=True),
    Verb("prepare", "Prepare", "read, clean and split text", "make", leaves_folder=True),
    Verb("tokenize", "Tokenize", "learn a tokenizer and pack the text", "make", leaves_folder=True),
    Verb("pretrain", "Pretrain", "train a language model from nothing", "make",
         leaves_folder=True, trains=True, distributed=True),
    Verb("codex", "Codex", "go on with code: completing, filling holes, solving", "make",
         leaves_folder=True, trains=True, distributed=True),
    Verb("clip", "Clip", "train an image and a text encoder to find what belongs together", "make",
         leaves_folder=True, trains=True),
    Verb("import", "Import", "take in a model of another tool", "make", leaves_folder=True),
    Verb("finetune", "Finetune", "teach it one task, from labelled examples", "teach", leaves_folder=True, trains=True),
    Verb("sft", "SFT", "teach it to answer, from conversations", "teach", leaves_folder=True, trains=True,
         distributed=True),
    Verb("vision", "Vision", "teach it to see, from conversations with images", "teach", leaves_folder=True,
         trains=True),
    Verb("rank", "Rank", "let it answer several times, and rank the answers by a rule", "teach", leaves_folder=True),
    Verb("reward", "Reward", "train a reward model on rankings", "teach", leaves_folder=True, trains=True,
         distributed=True, examined=True),
    Verb("ppo", "PPO", "improve the policy with the reward model", "teach", leaves_folder=True, trains=True,
         distributed=True, examined=True),
    Verb("grpo", "GRPO", "improve it by comparing answers to one prompt", "teach", leaves_folder=True,
         trains=True, distributed=True, examined=True),
    Verb("rloo", "RLOO", "the same with the other answers as baseline", "teach", leaves_folder=True,
         trains=True, distributed=True, examined=True),
    Verb("dpo", "DPO", "improve it from rankings, without answering", "teach", leaves_folder=True,
         trains=True, distributed=True, examined=True),
    Verb("rejection", "Rejection", "let it answer several times, and keep the best answer", "teach",
         leaves_folder=True),
    Verb("improve", "Improve", "learn from people's rankings, thumbs and answers; undo it", "teach"),
    Verb("generate", "Generate", "continue a text, or answer a file of prompts", "use"),
    Verb("chat", "Chat", "talk in the terminal", "use"),
    Verb("serve", "Serve", "OpenAI-compatible API and chat page", "use"),
    Verb("store", "UseStore", "what people said and did: show it, copy it, carry it out and in", "use"),
    Verb("export", "Export", "leave a model as a folder for other tools", "use"),
    Verb("score", "Score", "let a reward model score answers", "look"),
    Verb("lint", "Lint", "look for faults in files of text, conversations and rankings", "look"),
    Verb("evaluate", "Evaluate", "score a model on tasks, with no example, one, or a few", "look"),
    Verb("sandbox", "RunSandbox", "run a program that nobody has read, or show that it cannot get out", "look"),
    Verb("see", "See", "look inside a model while it reads a text, on one page", "look"),
    Verb("why", "Why", "which text, demonstrations and rankings an answer comes from", "look"),
    Verb("doctor", "Doctor", "is a run healthy, and if not, why and what helps", "look"),
    Verb("report", "Report", "what a run learned, and whether it is healthy", "look"),
)}  # fmt: skip
STAGES = {name: verb for name, verb in VERBS.items() if verb.leaves_folder}
