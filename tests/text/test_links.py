import json
from pathlib import Path

import pytest

from gptwright.foundations.errors import InputError
from gptwright.text.links import AGAIN, LOW, NO_PAGE, NOT_WANTED, Links, place


def dump(path: Path, *submissions: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in submissions))
    return path


def test_links_of_three_points_each_once_and_none_to_wikipedia(tmp_path: Path) -> None:
    links = Links(
        dump(
            tmp_path / "a.jsonl",
            {"url": "https://www.A.example/x/?utm_source=f#part", "score": 3},
            {"url": "http://a.example/x", "score": 90},
            {"url": "http://a.example/y", "score": 2},
            {"url": "http://a.example/z"},
            {"url": "https://en.m.wikipedia.org/wiki/Cat", "score": 50},
            {"url": "https://notwikipedia.org/", "score": 5},
            {"url": "/r/self", "score": 5},
            {"url": None, "score": 5},
            {"url": "http://[bad", "score": 5},
        )
    )
    assert len(links) == 2
    assert "https://a.example/x" in links and "http://www.notwikipedia.org" in links
    assert "http://a.example/y" not in links and "nothing" not in links
    assert links.refused == {AGAIN: 1, LOW: 2, NOT_WANTED: 1, NO_PAGE: 3}


@pytest.mark.parametrize(
    ("address", "where"),
    [
        ("HTTPS://WWW.Example.org:443/A/", "example.org/A"),
        ("http://example.org:8080?b=2&a=1", "example.org:8080?b=2&a=1"),
        ("http://example.org/a%20b?q=", "example.org/a%20b?q="),
        ("ftp://example.org/a", None),
        ("http://", None),
        ("http://a:b/", None),
    ],
)
def test_addresses_are_compared_by_where_they_lead(address: str, where: str | None) -> None:
    assert place(address) == where


def test_the_same_links_are_told_the_same_in_any_order(tmp_path: Path) -> None:
    one, two = ({"url": f"http://a.example/{i}", "score": 3} for i in range(2))
    assert repr(Links(dump(tmp_path / "a.jsonl", one, two))) == repr(Links(dump(tmp_path / "b.jsonl", two, one)))


def test_no_link_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1 of a lower score"):
        Links(dump(tmp_path / "a.jsonl", {"url": "http://a.example", "score": 1}))
    with pytest.raises(InputError, match="no lines"):
        Links(dump(tmp_path / "a.jsonl"))
