"""Pages that people recommended: links of submissions to a forum, as for WebText (GPT-2, §2.1).

A dump of submissions has one object a line with `url` and `score`. WebText took every link of three points or more,
each once, and none to Wikipedia, since tests of language models are made of it.
"""

import hashlib
from collections import Counter
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

from gptwright.foundations.errors import InputError
from gptwright.text.compression import open_compressed, read_lines
from gptwright.text.jsonl import read_object

LEAST_SCORE = 3
LEFT_OUT = ("wikipedia.org",)
LOW, NO_PAGE, NOT_WANTED, AGAIN = "of a lower score", "no address", "to Wikipedia", "again"


class Links:
    """Addresses to keep. `refused` counts submissions that gave none, by reason; `sha256` is of all that is kept."""

    def __init__(self, path: Path) -> None:
        """Reads a dump. Raises `InputError` for a line that is no object, or when no link is left."""
        self.refused = Counter[str]()
        self._places = set[str]()
        with open_compressed(path) as file:
            for number, line in enumerate(read_lines(file, path), 1):
                if line.strip():
                    self._add(read_object(line, number, path))
        if not self._places:
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.refused.items())
            raise InputError(f"links of {LEAST_SCORE} points or more in {path}", f"none ({reasons or 'no lines'})",
                             'Give lines with "url" and "score".')  # fmt: skip
        self.sha256 = hashlib.sha256("\n".join(sorted(self._places)).encode("utf-8", "replace")).hexdigest()

    def __contains__(self, address: str) -> bool:
        return place(address) in self._places

    def __len__(self) -> int:
        return len(self._places)

    def __repr__(self) -> str:
        return f"Links({self.sha256})"

    def _add(self, submission: dict[str, object]) -> None:
        address, score = submission.get("url"), submission.get("score", 0)
        where = place(address) if isinstance(address, str) else None
        if where is None:
            self.refused[NO_PAGE] += 1
        elif not isinstance(score, int | float) or score < LEAST_SCORE:
            self.refused[LOW] += 1
        elif any(f".{where.partition('/')[0]}".endswith(f".{host}") for host in LEFT_OUT):
            self.refused[NOT_WANTED] += 1
        elif where in self._places:
            self.refused[AGAIN] += 1
        else:
            self._places.add(where)


def place(address: str) -> str | None:
    """An address as it is compared: without scheme, `www.`, usual ports, part of the page and marks of campaigns."""
    try:
        parts = urlsplit(address.strip())
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    host = parts.hostname.removeprefix("www.") + (f":{port}" if port not in (None, 80, 443) else "")
    asked = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if not pair[0].startswith("utm_")]
    return host + parts.path.rstrip("/") + (f"?{urlencode(asked)}" if asked else "")
