"""Options of store."""

from pathlib import Path
from typing import Literal, get_args

import tyro

from gptwright.configs.validation import known
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.settings import settings
from gptwright.store.roles import ROLES, Role

Action = Literal["show", "backup", "export", "import", "user"]
Format = Literal["rankings", "demonstrations", "ratings", "thumbs", "prompts", "trl", "openrlhf", "offline", "rows"]


@settings
class UseStore:
    """Show what a store holds, copy it, carry labels out of it and into it, or let somebody in."""

    action: tyro.conf.Positional[Action]
    """what to do; backup works while others write; user asks for the password of somebody, who may be new"""
    store: tyro.conf.Positional[str]
    """a run's folder, a file of SQLite, or a URL (postgresql://USER@HOST/NAME)"""
    file: tyro.conf.Positional[Path | None] = None
    """the copy, or the JSON Lines that are written or read"""
    format: Format = "rankings"
    """of the lines; trl, openrlhf: their pairs, without ties; offline: the offline page's; rows: all there is"""

    name: str | None = None
    """of the user"""
    role: Role | None = None
    """of the user: chatter if they are new; each may do what those before may"""

    def __post_init__(self) -> None:
        known(self.action, get_args(Action), "thing to do with a store")
        known(self.format, get_args(Format), "format of lines")
        if self.role is not None:
            known(self.role, ROLES, "role")
        if (self.name is None) != (self.action != "user"):
            raise ConfigError(f"{'no name' if self.name else 'a name'} for {self.action}", f"{self.name or 'none'}",
                              "gptwright store user STORE --name NAME --role owner")  # fmt: skip
        if (self.file is None) != (self.action in ("show", "user")):
            raise ConfigError(f"{'no file' if self.file else 'a file'} for {self.action}", f"{self.file or 'none'}",
                              "gptwright store show STORE, or gptwright store backup STORE FILE")  # fmt: skip
        if self.action == "import" and self.format in ("prompts", "ratings"):
            raise ConfigError("a format to import", self.format, "For prompts: gptwright rank --prompts FILE")
        if self.action == "export" and self.format == "offline":
            raise ConfigError("a format to export", "offline", "gptwright store export STORE FILE --format rows")
