"""Files behind URLs (s3://, https://, hf://, …): fetched whole by fsspec, once, and then read as any other file.

One is kept by its URL and what its server says of its state, such as size and ETag: what has changed is fetched again.
"""

import hashlib
import json
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any, cast
from urllib.parse import SplitResult, unquote, urlsplit

from gptwright.foundations.atomic_io import read_json, write_json
from gptwright.foundations.errors import ConfigError, GptwrightError, InputError
from gptwright.foundations.progress import say
from gptwright.text.cache_folder import cache_folder, keep_once

FOLDER, RECORD, FILES = "remote", "remote.json", "files"
WEB = ("http", "https")
SILENCE = 300.0
"""seconds in which a web server must have sent something"""
STATE = frozenset((
    "blob_id", "content-md5", "crc32c", "created", "digest", "etag", "generation", "last-modified", "last_commit",
    "last_modified", "lastmodified", "lfs", "md5", "md5hash", "mtime", "sha256", "size", "versionid", "xet_hash",
))  # fmt: skip
"""what file systems call that by which a file is known to be another, in small letters"""
PARTIAL = 206
_LONGEST_NAME = 200  # bytes; most systems allow 255


def is_url(pattern: str) -> bool:
    """Whether a --data pattern means files that are elsewhere."""
    return re.match(r"[a-z][a-z0-9+.-]*://", pattern) is not None


def list_urls(pattern: str) -> tuple[list[str], bool]:
    """The URLs of the files that one stands for, in order: itself, those of a folder with all folders in it, or what a
    pattern such as s3://bucket/**/*.jsonl matches; and whether they were named, alone or by a pattern.

    Raises `ConfigError` without the packages that its kind needs, and `InputError` when there is nothing or nobody
    answers.
    """
    with _refusing(pattern):
        files = _open(pattern)
        files.invalidate_cache()
        place = _place(files, pattern)
        if any(sign in place for sign in ("*[" if _scheme(pattern) in WEB else "*?[")):
            found = [name for name, about in files.glob(place, detail=True).items() if about["type"] == "file"]
            if not found:
                raise InputError(f"files that {_told(pattern)} matches", "none", "Correct the pattern.")
            return _urls(files, found), True
        if _scheme(pattern) in WEB or files.info(place)["type"] == "file":
            return _urls(files, [place]), True
        return _urls(files, cast("list[str]", files.find(place))), False


def fetch_url(url: str) -> Path:
    """A file behind a URL, fetched if it is not there, or another than the one that is.

    Raises as `list_urls` does.
    """
    with _refusing(url):
        files = _open(url)
        state = {name: value for name, value in files.info(_place(files, url)).items() if name.lower() in STATE}
        state = json.loads(json.dumps(state, default=str, sort_keys=True))
        kept = cache_folder() / FOLDER / _hash(json.dumps([_told(url), urlsplit(url).query, state]))
        keep_once(kept, RECORD, partial(_fetch, files, url, state))
    return kept / FILES / file_name(url)


def file_name(url: str) -> str:
    """What a file is called where it is kept: the last word of its URL, the end of that where it is very long.

    Raises `InputError` for what is none.
    """
    name = unquote(_split(url).path.rpartition("/")[2]).replace("/", "_").replace("\0", "")
    return name.encode()[-_LONGEST_NAME:].decode("utf-8", "ignore") if name not in ("", ".", "..") else "index"


def url_of(path: Path) -> str | None:
    """The URL that a file was fetched from, without what may be secret in it; None for any other file."""
    folder = path.parent.parent
    is_fetched = path.parent.name == FILES and folder.parent == cache_folder() / FOLDER
    return _record(folder)["url"] if is_fetched else None


@cache
def _record(folder: Path) -> Mapping[str, Any]:
    return read_json(folder / RECORD)


def _fetch(files: Any, url: str, state: Mapping[str, Any], new: Path, rest: Path) -> None:
    size = state.get("size")
    say(f"fetching {_told(url)}" + (f", {size / 1e6:,.1f} MB" if size else ""))
    (new / FILES).mkdir()
    place = new / FILES / file_name(url)
    files.get_file(_place(files, url), str(place))
    if size is not None and _scheme(url) not in WEB and place.stat().st_size != size:  # which may send packed data
        raise InputError(f"{size:,} bytes from {_told(url)}", f"{place.stat().st_size:,}", "Try again.")
    write_json(new / RECORD, {"url": _told(url), "state": state})


def _open(url: str) -> Any:
    """The file system of a URL."""
    options: dict[str, Any] = {}
    if _scheme(url) in WEB:
        wait = import_module("aiohttp").ClientTimeout(total=None, sock_connect=30, sock_read=SILENCE)
        options["client_kwargs"] = {"timeout": wait, "raise_for_status": _refuse_no_content}
    return import_module("fsspec").core.url_to_fs(url, **options)[0]


async def _refuse_no_content(response: Any) -> None:
    """A web server's answer that is neither the file nor an error, such as a redirect that leads nowhere: fsspec takes
    it for an empty file."""
    if 200 < response.status < 400 and response.status != PARTIAL:
        raise OSError(f"an answer without the file ({response.status} {response.reason})")


@contextmanager
def _refusing(url: str) -> Generator[None]:
    """The errors of file systems as ours; each kind has its own, so that they have no class in common."""
    told, scheme = _told(url), _scheme(url)
    try:
        yield
    except GptwrightError:
        raise
    except ImportError as error:
        remedy = "pip install 'gptwright[remote]', and for s3:// s3fs, for gs:// gcsfs, for hf:// huggingface_hub."
        raise ConfigError(f"what reads {scheme}://", f"none that works here ({_said(error)})", remedy) from error
    except FileNotFoundError as error:
        if (cause := _other_cause(error)) is None:
            raise InputError(f"a file, folder or pattern at {told}", "nothing there", "Correct the URL.") from error
        raise _unreachable(told, cause) from error
    except PermissionError as error:
        raise InputError(f"{told} to be open to you", _said(error), "Give the credentials that the tools of "
                         f"{scheme}:// take, in their files or variables.") from error  # fmt: skip
    except ValueError as error:
        raise InputError(
            f"a URL that fsspec knows, not {told}", _said(error), "Correct what stands before ://."
        ) from error
    except Exception as error:
        raise _unreachable(told, error) from error


def _unreachable(told: str, error: BaseException) -> InputError:
    return InputError(f"an answer from where {told} is", _said(error) or type(error).__name__,
                      "Look whether it can be reached from here, and try again: what is fetched stays.")  # fmt: skip


def _said(error: BaseException) -> str:
    """What an error says, on one line and without passwords and queries of URLs. Those of aiohttp by their classes'
    names, for it need not be there."""
    match type(error).__name__:
        case "TooManyRedirects":
            says = "redirects that lead nowhere"
        case name if "Redirect" in name:
            says = f"a redirect to what is no address of the web ({error})"
        case _ if isinstance(error, TimeoutError):
            says = f"silence for {SILENCE:.0f} seconds"
        case _ if (message := getattr(error, "message", "")) and (status := getattr(error, "status", 0)):
            says = f"{message} ({status})"
        case _:
            says = re.sub(r"<\w+: \d+, message='([^']*)'>", r"\1", f"{error}")
    says = " ".join(says.split())[:300]
    return re.sub(r"\?[^\s'\"<>]+", "?…", re.sub(r"//[^/\s'\"]*@", "//", says))


def _other_cause(error: BaseException) -> BaseException | None:
    """Why a file was not found, where that is not because it is not there."""
    cause = error.__cause__
    absent = isinstance(cause, FileNotFoundError) or getattr(cause, "status", None) in (404, 410)
    return None if cause is None or absent else cause


def _place(files: Any, url: str) -> str:
    """A URL in its file system's own words."""
    return files._strip_protocol(url)


def _urls(files: Any, places: list[str]) -> list[str]:
    return [files.unstrip_protocol(place) for place in sorted(places)]


def _scheme(url: str) -> str:
    return url.partition("://")[0]


def _told(url: str) -> str:
    """A URL as it is shown: without a password, and with the hash of its query, which may be one.

    Raises `InputError` for what is none.
    """
    parts = _split(url)
    bare = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return f"{bare}#{_hash(parts.query)[:8]}" if parts.query else bare


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise InputError(f"a URL of {_scheme(url)}://", f"none ({error})", "Correct what stands behind ://.") from error


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]
