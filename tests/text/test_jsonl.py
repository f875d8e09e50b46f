from pathlib import Path

import pytest

from gptwright.foundations.errors import InputError
from gptwright.text.jsonl import read_objects, stream_objects, stream_range, write_objects


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_objects(tmp_path / "a.jsonl", [{"text": "é\n"}, {"score": 0.1}])
    assert read_objects(tmp_path / "a.jsonl") == [{"text": "é\n"}, {"score": 0.1}]


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_named_with_its_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.jsonl").write_text('{"score": 1}\n{"ranks": [1, ' + name + "]}\n")
    with pytest.raises(InputError, match=rf"JSON object in line 2 of .*a\.jsonl; got .*{name} is no number"):
        read_objects(tmp_path / "a.jsonl")


def test_lines_know_where_they_stand_blank_ones_counted(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('\n{"a": 1}\n\n{"split": "Dev"}\n{"split": "tset"}\n')
    one, two, three = read_objects(tmp_path / "a.jsonl")
    assert (one.where, two.where) == (f"line 2 of {tmp_path}/a.jsonl", f"line 4 of {tmp_path}/a.jsonl")
    assert (one.split, two.split) == (None, "heldout")
    with pytest.raises(InputError, match=r"split in line 5 of .*a\.jsonl; got 'tset'"):
        _ = three.split


def test_json_without_measure_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("{}\n" + '{"a":' * 100_000 + "1" + "}" * 100_000)
    with pytest.raises(InputError, match="line 2"):
        read_objects(tmp_path / "a.jsonl")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("1" * 5000, "a number with thousands of digits"),
        ("1e999", "1e999 is beyond all numbers"),
        ("-1e999", "-1e999 is beyond all numbers"),
        ("[" * 100_000, "values that nest too deep"),
    ],
)
def test_numbers_and_depths_without_measure_are_said_in_words(tmp_path: Path, value: str, says: str) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{}}\n{{"rank": {value}}}')
    with pytest.raises(InputError, match=rf"line 2 of .*got something else \({says}"):
        read_objects(tmp_path / "a.jsonl")


@pytest.mark.parametrize(
    ("escape", "text"),
    [
        (r"\ud83d\ude00", "😀"),
        (r"\ud83d!", "\ufffd!"),
        (r"\ude00\uD83D", "\ufffd\ufffd"),
        (r"\\ud83d", r"\ud83d"),
        (r"\\\ud83d", "\\\ufffd"),
    ],
)
def test_half_a_pair_becomes_the_sign_for_it(tmp_path: Path, escape: str, text: str) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"{escape}": ["{escape}"]}}')
    assert read_objects(tmp_path / "a.jsonl") == [{text: [text]}]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"a": 1}\n\xff\xfe{"a": "b"}\n', r"UTF-8 in line 2 of .*; got a byte that is not \(0xff\) at offset 0"),
        (b'{"a": "caf\xe9"}', r"UTF-8 in line 1 of .*; got a byte that is not \(0xe9\) at offset 10"),
        ('{"a": 1}\n'.encode("utf-16"), "UTF-8 in line 1 of .*; got the byte order mark of UTF-16"),
        (b"[1]", "a JSON object in line 1 of .*; got a list"),
        (b"{'a': 1}", "a JSON object in line 1 of"),
    ],
)
def test_a_bad_line_is_told_as_what_it_is(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(data)
    with pytest.raises(InputError, match=says):
        read_objects(tmp_path / "a.jsonl")


def test_objects_come_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "one"}\n\n{"text": "two"}\nno object\n')
    objects = stream_objects(path)
    assert [next(objects)["text"], next(objects)["text"]] == ["one", "two"]
    with pytest.raises(InputError, match="line 4"):
        next(objects)
    path.write_text("\n")
    assert list(stream_objects(path)) == []
    with pytest.raises(InputError, match="an empty file"):
        read_objects(path)


def test_a_range_of_lines_and_the_line_in_it_that_is_no_object(tmp_path: Path) -> None:
    path, lines = tmp_path / "a.jsonl", ['{"a": 1}\n', "\n", '{"a": 2}\n', '{"a": 3}\n', "no\n"]
    path.write_text("".join(lines))
    ends = [sum(map(len, lines[:n])) for n in range(6)]
    assert list(stream_range(path, 0, ends[3])) == [{"a": 1}, {"a": 2}]
    assert list(stream_range(path, ends[2], ends[4])) == [{"a": 2}, {"a": 3}]
    for begin in (0, 1, 3, 4):
        with pytest.raises(InputError, match="a JSON object in line 5 of"):
            list(stream_range(path, ends[begin], ends[5]))
