import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from pyarrow.parquet import read_table  # pyright: ignore

from gptwright.configs.prepare import MASKS
from gptwright.foundations.errors import ConfigError, InputError
from gptwright.foundations.runs import open_stage
from gptwright.recipes.stage import execute_stage
from gptwright.stages import prepare
from gptwright.stages.prepare import Prepare, data_files, inputs, run
from gptwright.text import chunked_reading
from gptwright.text.bundled import TEXTS
from gptwright.text.find import Found
from gptwright.text.html import Page
from gptwright.text.page_readers import READERS

Result = tuple[dict[str, Any], dict[str, list[dict[str, str]]], dict[str, Any]]
Do = Callable[..., Result]


@pytest.fixture
def do(tmp_path: Path) -> Do:
    """Runs the stage and gives its figures, both sides' documents, and sources.json."""
    count = iter(range(100))

    def work(*data: Path | str, **options: Any) -> Result:
        config = Prepare(data=tuple(map(str, data)), **options)
        folder = open_stage(tmp_path / f"out{next(count)}", "prepare", config, {})
        metrics = run(config, folder)
        sides = {side: read_lines(folder / f"{side}.jsonl") for side in ("train", "heldout")}
        return metrics, sides, json.loads((folder / "sources.json").read_text())

    return work


def read_lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def story(number: int, length: int = 900) -> str:
    return f"Story {number}. " + " ".join(f"Word{number}x{i}." for i in range(length // 10))


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def check_law(metrics: dict[str, Any], sources: dict[str, Any]) -> None:
    """Everything that came in is either kept or dropped, in each source and in all."""
    for stats in (sources["total"], *sources["sources"].values()):
        sides = (stats["train"], stats["heldout"])
        dropped = stats["dropped"].values()
        assert stats["documents_in"] == sum(p["documents"] for p in (*sides, *dropped))
        characters = sum(p["characters"] for p in (*sides, *dropped)) + stats["cut"]["characters"]
        assert stats["characters_in"] == characters
    assert metrics["documents_in"] == metrics["documents"] + metrics["dropped_documents"]
    assert metrics["documents"] == metrics["train_documents"] + metrics["heldout_documents"]


def test_a_mixed_folder_is_read_and_every_loss_has_a_reason(do: Do, tmp_path: Path, capsys: Any) -> None:
    data = tmp_path / "data"
    data.mkdir()
    notice = "\nThis notice stands at the foot of every page of the site."
    rows: list[dict[str, Any]] = [{"text": story(i) + notice, "title": f"T{i}"} for i in range(40)]
    rows += [{"text": story(3)}, {"text": " \n "}, {"text": "too short"}, {"messages": []}, {"text": story(3) + "\r\n"}]
    write_rows(data / "rows.jsonl", rows)
    (data / "empty.txt").write_text("")
    (data / "picture.png").write_bytes(b"\x89PNG")
    metrics, sides, sources = do(data)
    check_law(metrics, sources)
    assert metrics["dropped"] == {"conversation": 1, "duplicate": 2, "empty": 2, "too short": 1}
    assert sources["sources"]["rows.jsonl"]["cut"]["lines"] == {"repeated in many documents": 37}
    assert sources["sources"]["empty.txt"]["dropped"] == {"empty": {"documents": 1, "characters": 0, "bytes": 0}}
    assert sources["ignored_files"] == 1
    assert [Path(f["file"]).name for f in sources["files"]] == ["empty.txt", "rows.jsonl"]
    assert all(len(f["sha256"]) == 64 for f in sources["files"])
    assert sides["train"][0].keys() == {"text", "source", "title"}
    assert {row["source"] for side in sides.values() for row in side} == {"rows.jsonl"}
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.split("\n")[1:3] == [
        "prepare: dropped 6 documents (2 empty, 2 duplicate, 1 too short, 1 conversation); "
        "cut 2,146 characters (2,146 repeated in many documents)",
        "prepare: passed over, not read: 1 (picture.png) of another kind",
    ]
    assert sources["passed_over"] == {"of another kind": [str(data / "picture.png")]}


def test_what_is_cut_is_counted_by_its_reason_and_said(do: Do, tmp_path: Path, capsys: Any) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.md").write_text("---\ntitle: x\n---\n" + "\n\n".join(story(i) for i in range(30)))
    (data / "b.html").write_text(f"<nav>Home and so on</nav><main><p>{story(40)}</p></main><p>Imprint</p>")
    (data / "c.txt").write_text(f"{story(41)} \r\n{story(42)}\n<|endoftext|>\n{story(43)}\u0344\u0344")
    (data / "d.txt").write_bytes(("오늘 아침에는 비가 조금 내렸다. 나는 시장까지 걸어갔다.\n" * 9).encode("cp949"))
    metrics, sides, sources = do(data)
    check_law(metrics, sources)
    kept = [row["source"] for side in sides.values() for row in side]
    assert kept.count("c.txt") == 2
    assert sources["total"]["cut"]["reasons"] == {
        "front matter": len("---\ntitle: x\n---\n"),
        "layout": len(" \r")
        + len("\n\n\n\n")
        + len("\n")
        - 2,  # c.txt, between a.md's pieces, d.txt, NFC's two for one
        "menus and the like of web pages": len("Home and so on") + len("Imprint"),
        "signs between texts": len("\n<|endoftext|>\n"),
    }
    assert [file.get("encoding") for file in sources["files"]] == [None, None, None, "euc-kr"]
    assert capsys.readouterr().err.strip().split("\n")[-1] == "prepare: not UTF-8, read as euc-kr: 1 (d.txt)"


def test_nothing_lost_is_said_too(do: Do, tmp_path: Path, capsys: Any) -> None:
    do(write_rows(tmp_path / "rows.jsonl", [{"text": story(i)} for i in range(40)]))
    assert capsys.readouterr().err.split("\n")[1:] == ["prepare: dropped nothing; cut nothing", ""]


def test_many_files_are_read_by_turns_to_the_same_end(do: Do, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(6):
        rows: list[dict[str, Any]] = [{"text": story(100 * i + k)} for k in range(20)]
        write_rows(tmp_path / "data" / f"{i}.jsonl", [*rows, {"messages": []}, {"text": story(100 * i)}])
    metrics, sides, sources = do(tmp_path / "data", max_characters=60_000)
    monkeypatch.setattr(prepare, "MOST_OPEN", 2)
    monkeypatch.setattr(chunked_reading, "FIRST_CHUNK", 2_000)
    assert do(tmp_path / "data", max_characters=60_000) == (metrics, sides, sources)
    check_law(metrics, sources)


def test_a_folder_inside_of_the_data_is_no_data(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_rows(data / "rows.jsonl", [{"text": story(i)} for i in range(40)])
    config = Prepare(data=(str(data),))
    for out in ("out", "out", "other"):
        folder = execute_stage("prepare", config, data / out)
        read = json.loads((folder / "sources.json").read_text())["files"]
        assert [Path(file["file"]).name for file in read] == ["rows.jsonl"]


def test_an_encoding_that_was_given(do: Do, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("\n\n".join(f"{story(i)} — 5 €" for i in range(40)).encode("cp1252"))
    _, sides, sources = do(tmp_path / "a.txt", encoding="latin1")
    assert sources["files"][0]["encoding"] == "windows-1252"
    assert "— 5 €" in sides["train"][0]["text"]
    with pytest.raises(ConfigError, match="'martian'"):
        do(tmp_path / "a.txt", encoding="martian")


def test_the_same_input_gives_the_same_bytes_and_the_seed_another_split(do: Do, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "rows.jsonl", [{"text": story(i)} for i in range(100)])
    do(data), do(data)
    for name in ("train.jsonl", "heldout.jsonl", "sources.json"):
        assert (tmp_path / "out0" / name).read_bytes() == (tmp_path / "out1" / name).read_bytes()
    assert do(data, seed=1)[1] != do(data, seed=2)[1]


def test_one_book_in_one_file_is_trained_on_and_held_out(do: Do, tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_text("\n\n".join(story(i) for i in range(60)))
    metrics, sides, sources = do(book, heldout_fraction=0.001)
    check_law(metrics, sources)
    assert metrics["heldout_documents"] == 1
    assert len(sides["heldout"]) == 1 and len(sides["train"]) == metrics["train_documents"] >= 4


def test_sides_are_disjoint_and_about_as_large_as_asked(do: Do, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "rows.jsonl", [{"text": story(i, 200)} for i in range(1_000)])
    metrics, sides, _ = do(data, heldout_fraction=0.2)
    assert 140 < metrics["heldout_documents"] < 260
    assert not {r["text"] for r in sides["train"]} & {r["text"] for r in sides["heldout"]}


def test_the_sources_own_split_is_kept(do: Do, tmp_path: Path) -> None:
    rows = [{"text": story(i), "split": "test" if i % 3 == 0 else "train"} for i in range(60)]
    _, sides, _ = do(write_rows(tmp_path / "rows.jsonl", rows))
    assert [r["text"] for r in sides["heldout"]] == [r["text"] for r in rows if r["split"] == "test"]


def test_half_a_character_in_a_title_or_file_name_does_no_harm(do: Do, tmp_path: Path) -> None:
    rows = [{"text": story(i) + "\ud800", "title": "half \udc00\n title"} for i in range(40)]
    (tmp_path / "data").mkdir()
    write_rows(tmp_path / "data" / "rows\udcff.jsonl", rows)
    _, sides, _ = do(tmp_path / "data")
    assert sides["train"][0]["title"] == "half \ufffd title"
    assert sides["train"][0]["source"] == "rows?.jsonl"
    assert sides["train"][0]["text"].endswith("\ufffd")


@pytest.mark.parametrize("named", [0, 40, 80])
def test_where_nothing_is_held_out_lines_for_training_are_those_first_that_name_no_side(
    do: Do, tmp_path: Path, named: int
) -> None:
    rows = [{"text": story(i, 400), "split": "train" if i < named else None} for i in range(80)]
    metrics, sides, sources = do(write_rows(tmp_path / "rows.jsonl", rows), heldout_fraction=1e-9)
    check_law(metrics, sources)
    assert 1_000 <= sum(len(r["text"]) for r in sides["heldout"]) < 2_000
    assert metrics["heldout_documents"] == len(sides["heldout"])
    assert sum(map(len, sides.values())) == 80
    says_train = {r["text"] for r in rows[:named]}
    assert named == 80 or not says_train & {r["text"] for r in sides["heldout"]}


@pytest.mark.parametrize("word", ["heldout", "validation", "Held_Out"])
@pytest.mark.parametrize("others", [0, 2])
def test_what_a_file_holds_out_is_never_trained_on(do: Do, tmp_path: Path, word: str, others: int) -> None:
    held = [{"text": story(i, 400), "split": word} for i in range(80)]
    free = [{"text": story(1_000 + i, 200), "split": "train"} for i in range(others)]
    data = write_rows(tmp_path / "rows.jsonl", held + free)
    if not others:
        with pytest.raises(InputError, match="80 documents, all held out by their files"):
            do(data)
        return
    _, sides, _ = do(data)
    assert [r["text"] for r in sides["train"]] == [r["text"] for r in free]


def test_max_characters_takes_evenly_from_all_sources(do: Do, tmp_path: Path) -> None:
    for name, count in (("a", 200), ("b", 300), ("c", 5)):
        write_rows(tmp_path / f"{name}.jsonl", [{"text": story(ord(name) * 1_000 + i)} for i in range(count)])
    metrics, _, sources = do(*(tmp_path / f"{n}.jsonl" for n in "abc"), max_characters=60_000, heldout_fraction=0.1)
    check_law(metrics, sources)
    assert metrics["characters"] <= 60_000
    assert metrics["train_characters"] > 53_900 and metrics["heldout_characters"] > 5_900
    kept = {n: a["train"]["characters"] + a["heldout"]["characters"] for n, a in sources["sources"].items()}
    assert sources["sources"]["c.jsonl"]["documents_in"] == 5 and kept["c.jsonl"] < 7_000
    assert abs(kept["a.jsonl"] - kept["b.jsonl"]) < 4_000


@pytest.mark.parametrize("size", [0, 19, 5_000])
def test_too_little_text_says_how_much_is_needed(do: Do, tmp_path: Path, size: int) -> None:
    (tmp_path / "a.txt").write_text("word " * (size // 5))
    with pytest.raises(InputError, match=r"at least 20,000 characters(.|\n)*--data"):
        do(tmp_path / "a.txt")
    assert not list((tmp_path / "out0").glob("*.jsonl"))


def test_one_document_that_may_not_be_cut(do: Do, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "rows.jsonl", [{"text": story(1, 40_000), "split": "train"}])
    with pytest.raises(InputError, match="at least two documents"):
        do(data)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.txt", b"text\0more", "zero byte"),
        ("a.txt", "na\u00efve ".encode() * 9 + b"\xff", "offset 63"),
        ("a.txt.gz", b"not gzip", r"a\.txt\.gz"),
        ("a.jsonl.xz", b"not xz", r"a\.jsonl\.xz"),
        ("a.jsonl.zst", b"not zstd", r"a\.jsonl\.zst"),
        ("a.jsonl", b'{"text": "a"}\n{"text": \n', "line 2"),
    ],
)
def test_a_bad_file_is_named_and_nothing_is_left(do: Do, tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=says):
        do(tmp_path / name)
    assert [f.name for f in (tmp_path / "out0").iterdir()] == ["stage.json"]


@pytest.mark.parametrize("options", [{"heldout_fraction": 0.0}, {"heldout_fraction": 0.6}, {"max_characters": 100}])
def test_options_that_cannot_be_met(do: Do, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        do("bundled", **options)


def test_the_bundled_corpus_is_clean_as_it_comes(do: Do) -> None:
    metrics, _, sources = do("bundled")
    check_law(metrics, sources)
    assert list(sources["sources"]) == list(TEXTS)
    assert metrics["characters"] > 5_000_000
    assert metrics["characters"] > 0.99 * metrics["characters_in"]
    assert [path.name for path in data_files(Prepare())] == [f"{name}.jsonl.xz" for name in TEXTS]
    assert list(inputs(Prepare())) == [f"bundled:{name}" for name in TEXTS]


def test_a_share_of_the_bundled_corpus_has_all_sources_on_both_sides(do: Do) -> None:
    metrics, _, sources = do("bundled", max_characters=400_000)
    check_law(metrics, sources)
    assert 395_000 < metrics["characters"] <= 400_000
    assert all(s["train"]["characters"] > 80_000 for s in sources["sources"].values())
    assert all(s["heldout"]["documents"] for s in sources["sources"].values())


def test_filters_drop_with_their_reasons_and_take_lines_out(do: Do, tmp_path: Path) -> None:
    lines = "The wheel of the mill and the road to the town have stood here since that day, number {}."
    rows: list[dict[str, Any]] = [
        {"text": "\n".join(["Home", *(f"{lines.format(100 * i + k)} It is {i} and {k}." for k in range(9))])}
        for i in range(60)
    ]
    rows += [{"text": f"Shop {i} | Home | About us | Sign in | " * 9} for i in range(30)]
    metrics, sides, sources = do(write_rows(tmp_path / "rows.jsonl", rows), filter=("c4",))
    check_law(metrics, sources)
    assert metrics["dropped"] == {"c4: sentences below 3": 30}
    assert sources["total"]["cut"]["lines"] == {"no end of a sentence": 60}
    assert sources["total"]["cut"]["reasons"] == {"lines that a filter takes out": 60 * len("Home\n")}
    assert all(row["text"].startswith("The wheel") for side in sides.values() for row in side)
    with pytest.raises(ConfigError, match="gopher"):
        do(tmp_path / "rows.jsonl", filter=("gofer",))


def numbered(number: int, words: int = 120) -> str:
    return f"Report {number}. " + " ".join(f"term{number * 1_000 + i}" for i in range(words))


def test_near_duplicates_go_and_the_first_stays(do: Do, tmp_path: Path) -> None:
    rows = [{"text": numbered(i)} for i in range(40)] + [{"text": numbered(i) + " and more"} for i in range(10)]
    metrics, sides, sources = do(write_rows(tmp_path / "rows.jsonl", rows), near_duplicates=0.8)
    check_law(metrics, sources)
    assert metrics["dropped"] == {"near-duplicate": 10}
    assert not [row for side in sides.values() for row in side if row["text"].endswith("and more")]


def test_what_a_test_holds_too_is_taken_out_but_not_a_phrase(do: Do, tmp_path: Path) -> None:
    asked, phrase = (" ".join(f"{name}{i}" for i in range(16)) for name in ("asked", "phrase"))
    (tmp_path / "test.jsonl").write_text(json.dumps({"question": asked, "more": [phrase], "answer": "no"}) + "\n")
    (tmp_path / "mine.yaml").write_text(
        "task: mine\ndataset_path: json\ndataset_kwargs: {data_files: {test: test.jsonl}}\ntest_split: test\n"
        'output_type: generate_until\ndoc_to_text: "{{question}}"\ndoc_to_target: answer\n'
    )
    rows = [{"text": f"{numbered(i)} {phrase} {numbered(100 + i)}"} for i in range(20)]
    rows += [{"text": f"{numbered(200)} {asked} {numbered(201)}"}, {"text": f"short before {asked} short behind"}]
    metrics, sides, sources = do(write_rows(tmp_path / "rows.jsonl", rows), decontaminate=str(tmp_path / "mine.yaml"))
    check_law(metrics, sources)
    kept = [row["text"] for side in sides.values() for row in side]
    assert len(kept) == 22 and sum(phrase in text for text in kept) == 20
    assert metrics["dropped"] == {"shared with a test": 1} and not [text for text in kept if "asked5" in text]
    assert sources["total"]["cut"]["reasons"]["shared with a test"] == len(asked) + 400
    assert sources["runs_of_tests"] == 8


def test_any_number_of_workers_and_a_stop_give_the_same_bytes(
    tmp_path: Path, do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    for i in range(4):
        rows = [{"text": numbered(40 * i + k)} for k in range(20)] + [{"text": numbered(40 * i - 35) + " again"}]
        write_rows(data / f"{i}.jsonl", [*rows, {"messages": []}])
    names = ("train.jsonl", "heldout.jsonl", "sources.json")
    do(data, near_duplicates=0.7)
    monkeypatch.setattr("gptwright.text.parts.PART", 1)
    do(data, near_duplicates=0.7, workers=2)
    config = Prepare(data=(str(data),), near_duplicates=0.7, workers=2)
    folder = open_stage(tmp_path / "stopped", "prepare", config, {})
    with monkeypatch.context() as broken:
        broken.setattr(prepare, "write_json", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(config, folder)
    assert len(list((folder.path / "parts").iterdir())) == 88  # a line each
    next((folder.path / "parts").iterdir()).unlink()
    run(config, folder)
    for name in names:
        whole = (tmp_path / "out0" / name).read_bytes()
        assert (tmp_path / "out1" / name).read_bytes() == whole == (folder / name).read_bytes()
    assert not (folder.path / "parts").exists()


def test_a_part_of_files_and_whole_files_are_not_asked_for_at_once() -> None:
    for options in ({"workers": 2}, {"decontaminate": "humaneval"}, {"signals": Path("signals")}):
        with pytest.raises(ConfigError, match="max_characters without"):
            Prepare(max_characters=100_000, **options)


def test_a_page_explains_what_went(do: Do, tmp_path: Path) -> None:
    rows = [{"text": numbered(i)} for i in range(40)] + [{"text": numbered(3) + " and more"}, {"text": "tiny"}]
    do(write_rows(tmp_path / "rows.jsonl", rows), near_duplicates=0.8, explain=True)
    page = (tmp_path / "out0" / "explained.html").read_text()
    assert (
        "40 of 42 documents stay" in page and "near-duplicate）</span>: 1" in page and "too short）</span>: 1" in page
    )
    assert page.count("Report 3.") == 3 and "1 near-duplicate of" in page
    listed = [json.loads(line) for line in (tmp_path / "out0" / "dropped.jsonl").read_text().splitlines()]
    assert [(row["reason"], row["begins"][:9], row.get("like", "")[:9]) for row in listed] == [
        ("near-duplicate", "Report 3.", "Report 3."), ("too short", "tiny", "")]  # fmt: skip


def test_what_found_no_room_is_listed_too(do: Do, tmp_path: Path) -> None:
    data = write_rows(tmp_path / "rows.jsonl", [{"text": numbered(i)} for i in range(400)])
    metrics, _, sources = do(data, max_characters=40_000, explain=True)
    check_law(metrics, sources)
    listed = (tmp_path / "out0" / "dropped.jsonl").read_text().splitlines()
    assert len(listed) == metrics["dropped_documents"] > 0


@pytest.mark.parametrize("workers", [1, 2])
def test_files_that_cannot_be_read_are_counted_where_that_is_asked_for(
    do: Do, tmp_path: Path, capsys: Any, workers: int
) -> None:
    data = tmp_path / "data"
    write_rows(data / "good.jsonl", [{"text": numbered(i)} for i in range(40)])
    write_rows(data / "half.jsonl", [{"text": numbered(100)}, {"text": numbered(101)}])
    (data / "half.jsonl").write_bytes(b'{"body": 1}\n' + (data / "half.jsonl").read_bytes() + b'[1]\n{"text": "cut')
    (data / "a.txt.gz").write_bytes(b"not gzip")
    (data / "b.txt").write_bytes(b"text\0more")
    with pytest.raises(InputError):
        do(data, workers=workers)
    metrics, _, sources = do(data, skip_unreadable=True, workers=workers)
    check_law(metrics, sources)
    assert metrics["dropped"] == {"cannot be read, or not to its end": 2, "a record that cannot be read": 3}
    assert metrics["documents"] == 42
    assert [Path(file).name for file in sources["unreadable"]] == ["a.txt.gz", "b.txt", "half.jsonl"]
    assert "line 1 of" in sources["unreadable"][str(data / "half.jsonl")]
    assert "could not read, or not whole: 3 (a.txt.gz, b.txt, half.jsonl)" in capsys.readouterr().err


ENGLISH = "The river rose in the night, and nobody in the village of number {} slept before the morning came. "
FRENCH = "La rivière est montée dans la nuit, et personne au village numéro {} n'a dormi avant le matin. "


def test_languages_letters_read_wrongly_and_what_points_to_persons(do: Do, tmp_path: Path, capsys: Any) -> None:
    rows: list[dict[str, Any]] = [{"text": ENGLISH.format(i) * 10} for i in range(30)]
    rows += [{"text": FRENCH.format(i) * 5} for i in range(10)]
    rows += [{"text": "12 34 " * 20 + str(i)} for i in range(2)]
    rows += [
        {"text": ENGLISH.format(99) + "Write to jane@mail.org, at 8.8.8.8. She ordered a cafÃ©.", "title": "a@b.org"}
    ]
    data = write_rows(tmp_path / "rows.jsonl", rows)
    metrics, sides, sources = do(data, language=("en",), fix_mojibake=True, mask=("email", "ip"))
    check_law(metrics, sources)
    assert metrics["dropped"] == {"language: fr": 10, "language: unsure": 2}
    (row,) = [row for side in sides.values() for row in side if "jane" in row["text"] or "example" in row["text"]]
    assert row["text"].endswith("Write to email@example.com, at 192.0.2.1. She ordered a café.")
    assert row["title"] == "email@example.com"
    assert sources["total"]["changed"] == {"letters read in a wrong encoding": 1, "masked: email": 1, "masked: ip": 1}
    assert sources["total"]["characters_by_language"] == {"en": metrics["characters"]}
    assert "prepare: languages: en 100.0%" in capsys.readouterr().err
    for workers in (1, 2):
        again = do(data, language=("en",), fix_mojibake=True, mask=("email", "ip"), workers=workers)
        assert again == (metrics, sides, sources)


SECRETS = {
    "email": ("jane.doe@mail.org", "email@example.com"),
    "ip": ("93.184.216.34", "192.0.2.1"),
    "iban": ("DE89 3704 0044 0532 0130 00", "XX00 0000"),
    "card": ("4111 1111 1111 1111", "0000 0000 0000 0000"),
    "phone": ("+49 30 1234567", "+1 212-555-0100"),
}


def shown_by(folder: Path, work: Path) -> dict[str, str]:
    """What a run shows and keeps, by where: both sides, the page in pieces, parts and tables of signals."""
    page = (folder / "explained.html").read_text()
    _, _, clusters, examples = re.split('id="(?:lengths|clusters|examples)"', page)
    found = {f"examples, {part.split(':')[0]}": part for part in examples.split("<summary>")[1:]}
    found |= {path.name: path.read_text() for path in folder.glob("*.jsonl")}
    parts = [zstandard.open(path, "rt", encoding="utf-8").read() for path in (work / "parts").iterdir()]
    tables = [str(read_table(path).to_pylist()) for path in (work / "signals").iterdir()]
    return found | {"clusters": clusters, "parts": "".join(parts), "signals": "".join(tables)}


WORDS = (
    ENGLISH + "They had bread, water and one old horse, which people thought would never see the hill again"
).split()


def prose(seed: int) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=80)) + "."


@pytest.mark.parametrize("kind", MASKS)
def test_what_is_masked_is_shown_and_kept_nowhere_whatever_becomes_of_its_document(
    do: Do, tmp_path: Path, kind: str
) -> None:
    secret, instead = SECRETS[kind]
    says = f" Whoever asks in the village is told {secret} before the night is over."
    (tmp_path / "long.toml").write_text("[rules]\nwords = {most = 300}\n")
    before = tmp_path / "before"
    old = write_rows(tmp_path / "old.jsonl", [{"text": prose(100 + i) + says} for i in range(60)])
    execute_stage("prepare", Prepare(data=(str(old),)), before)
    rows: list[dict[str, Any]] = [{"text": prose(i) + says, "title": f"To {secret}"} for i in range(60)]
    rows += [
        {"text": prose(0) + says},
        {"text": prose(1) + says + " And so on."},
        {"text": prose(2) + says * 20},
        {"text": FRENCH.format(1) * 5 + f"Le numéro est {secret}, dit-on."},
        {"text": "", "title": f"From {secret}"},
        {"text": prose(100) + says},
        {"text": prose(101) + says + " As before."},
    ]
    data = write_rows(tmp_path / "rows.jsonl", rows)

    def shown(number: int, **options: Any) -> tuple[dict[str, int], dict[str, str]]:
        work = tmp_path / f"work{number}"
        metrics, _, sources = do(
            data, explain=True, language=("en",), filter=(str(tmp_path / "long.toml"),), near_duplicates=0.7,
            against=(before,), parts=work / "parts", signals=work / "signals", **options
        )  # fmt: skip
        check_law(metrics, sources)
        return metrics["dropped"], shown_by(tmp_path / f"out{number}", work)

    reasons, plain = shown(0)
    assert sorted(reasons) == [
        "duplicate", "empty", "in an earlier run", "language: fr", "long: words above 300",
        "near-duplicate", "near-duplicate of an earlier run",
    ]  # fmt: skip
    assert [place for place, text in plain.items() if secret not in text] == []
    again, masked = shown(1, mask=(kind,))
    assert again == reasons and masked.keys() == plain.keys()
    assert [place for place, text in masked.items() if secret in text or instead not in text] == []


def test_why_a_file_cannot_be_read_is_masked_too(do: Do, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"text": numbered(i)} for i in range(40)]
    data = write_rows(tmp_path / "rows.jsonl", [*rows, {"text": "", "split": "jane.doe@mail.org"}])
    _, _, sources = do(data, skip_unreadable=True, mask=("email",))
    assert "'email@example.com'" in sources["unreadable"][str(data)]


def test_a_page_is_what_the_first_reader_gives_whose_text_the_filters_keep(
    do: Do, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "pages"
    data.mkdir()
    for i in range(30):
        (data / f"{i}.html").write_text(f"<title>T{i}</title><article><p>{ENGLISH.format(i) * 10}</article>")
    spoilt = Page("T", "Lorem ipsum is what this reader finds. It finds nothing else. It never does so.", 7)
    monkeypatch.setitem(READERS, "own", lambda html: spoilt)
    with pytest.raises(InputError, match="30 c4: lorem ipsum"):
        do(data, filter=("c4",))
    metrics, sides, sources = do(data, filter=("c4",), html=("own", "resiliparse", "trafilatura"))
    check_law(metrics, sources)
    assert metrics["documents"] == 30
    assert all(row["text"].startswith("The river") for side in sides.values() for row in side)
    with pytest.raises(ConfigError, match="'owl'"):
        Prepare(html=("owl",))


def test_programs_with_their_licences(do: Do, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for i in range(40):
        path = tree / f"part{i % 4}" / f"file{i}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(f"def name_{i}_{k}(value):\n    return value * {k}\n" for k in range(30)))
    (tree / "part0" / "COPYING").write_text("GNU General Public License, version 3")
    (tree / "part1" / "LICENSE").write_text("Permission is hereby granted, free of charge … the above copyright notice")
    metrics, sides, sources = do(f"code:{tree}")
    check_law(metrics, sources)
    assert list(sources["sources"]) == ["tree"] and metrics["documents"] == 40
    by = sources["total"]["characters_by_licence"]
    assert by.keys() == {"GPL-3.0", "MIT", "unknown"} and sum(by.values()) == metrics["characters"]
    assert {row["title"] for side in sides.values() for row in side} >= {"part0/file0.py", "part3/file39.py"}
    assert do(f"code:{tree}", workers=2) == (metrics, sides, sources)
    with pytest.raises(InputError, match=r"20 licence: unknown, 10 licence: GPL-3\.0"):
        do(f"code:{tree}", licence="permissive")


def test_the_file_that_says_a_licence_is_an_input(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "src").mkdir(parents=True)
    (tree / "src" / "a.py").write_text("print(1)\n")
    config = Prepare(data=(f"code:{tree}",))
    assert set(inputs(config).values()) == {tree / "src" / "a.py"}
    (tree / "LICENSE").write_text("Permission is hereby granted, free of charge. The above copyright notice …")
    assert set(inputs(config).values()) == {tree / "src" / "a.py", tree / "LICENSE"}


def test_records_of_a_package_come_with_its_licence_and_where_it_is_from(
    do: Do, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPTWRIGHT_CACHE", str(tmp_path / "cache"))
    package = tmp_path / "cache" / "packages" / "npm" / "poems%401.0.0"
    record = {"package": "npm:poems@1.0.0", "sha256": "0" * 64, "licence": "MIT"}
    (package / "files").mkdir(parents=True)
    (package / "package.json").write_text(json.dumps(record))
    rows = [{"lines": [story(i), "the end"], "title": f"{i}"} for i in range(60)]
    (package / "files" / "a.json").write_text(json.dumps(rows))
    for workers in (1, 2):
        _, sides, sources = do("npm:poems@1.0.0/*.json", text_field=("lines",), licence="permissive", workers=workers)
        assert sources["packages"] == [record] and sources["files"][0]["file"] == "npm:poems@1.0.0/a.json"
        assert sources["sources"]["npm:poems@1.0.0"]["characters_by_licence"].keys() == {"MIT"}
        assert {row["source"] for row in sides["train"]} == {"npm:poems@1.0.0"}
        assert any(row["text"].endswith("\nthe end") for row in sides["train"])


@pytest.mark.parametrize("workers", [1, 2])
def test_a_file_that_is_gone_when_its_turn_comes(
    do: Do, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", [{"text": story(i)} for i in range(40)])
    gone = tmp_path / "gone.txt"
    listed = Found([gone, rows], {})
    monkeypatch.setattr(prepare, "find", lambda patterns, **options: listed)
    monkeypatch.setattr(prepare, "resolve", lambda patterns, **options: listed.files)
    with pytest.raises(InputError, match=r"gone\.txt"):
        do(tmp_path, workers=workers)
    metrics, _, sources = do(tmp_path, skip_unreadable=True, workers=workers)
    assert metrics["documents"] == 40
    assert list(sources["unreadable"]) == [str(gone)] and sources["files"][0] == {"file": str(gone)}
    assert list(inputs(Prepare(skip_unreadable=True))) == [str(rows)]


def test_a_file_that_changes_while_it_is_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", [{"text": story(i)} for i in range(40)])
    write_rows(tmp_path / "still.jsonl", [{"text": story(100)}])
    config, read = Prepare(data=(str(tmp_path),)), prepare.find
    folder = open_stage(tmp_path / "out", "prepare", config, inputs(config))
    monkeypatch.setattr(prepare, "find", lambda *_: 1 / 0)  # what was found for the record is what is read
    write_rows(tmp_path / "new.jsonl", [{"text": story(200)}])
    with rows.open("a") as file:
        file.write(json.dumps({"text": story(300)}) + "\n")
    assert run(config, folder)["documents_in"] == 42
    assert json.loads((folder / "sources.json").read_text())["changed_files"] == [str(rows)]
    assert "prepare: changed while they were read: 1 (rows.jsonl)" in capsys.readouterr().err
    monkeypatch.setattr(prepare, "find", read)
    again = open_stage(tmp_path / "again", "prepare", config, inputs(config))
    assert run(config, again)["documents_in"] == 43
    assert "changed_files" not in json.loads((again / "sources.json").read_text())


def quality_data(tmp_path: Path) -> tuple[Path, Path]:
    """Good text, and data of which one tenth is of its kind."""
    dice = random.Random(1)
    words = [f"word{i}" for i in range(400)]

    def rows(kinds: list[str]) -> list[dict[str, Any]]:
        return [{"text": " ".join([kind, *dice.choices(words, k=60)])} for kind in kinds]

    mill, shop = "the mill the river the bread", "casino click cheap login casino"
    for part in range(3):
        write_rows(tmp_path / "data" / f"{part}.jsonl", rows([mill if i % 10 == 0 else shop for i in range(1_200)]))
    return write_rows(tmp_path / "good.jsonl", rows([mill] * 100)), tmp_path / "data"


def test_gpt3s_filter_learns_what_is_good_and_any_number_of_workers_and_a_stop_draw_the_same(
    tmp_path: Path, do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, data = quality_data(tmp_path)
    options: dict[str, Any] = {"filter": ("gpt3",), "good": (str(good),)}
    metrics, sides, sources = do(data, **options)
    check_law(metrics, sources)
    kept = [row["text"] for side in sides.values() for row in side]
    assert set(metrics["dropped"]) == {"gpt3: drawn out by quality"}
    assert sum("mill" in text for text in kept) > 30 > sum("casino" in text for text in kept)
    assert sources["quality"]["pairs_right"] > 0.9
    monkeypatch.setattr("gptwright.text.parts.PART", max(path.stat().st_size for path in data.iterdir()))
    do(data, workers=2, **options)
    do(data, filter=("gpt3",), good=(str(tmp_path / "out0" / "quality.safetensors"),))
    for name in ("train.jsonl", "heldout.jsonl", "quality.safetensors"):
        whole = (tmp_path / "out0" / name).read_bytes()
        assert (tmp_path / "out1" / name).read_bytes() == whole == (tmp_path / "out2" / name).read_bytes()
    assert set(inputs(Prepare(data=(str(data),), **options))) >= {str(good)}


def test_a_filter_of_ones_own(tmp_path: Path, do: Do) -> None:
    (tmp_path / "mine.toml").write_text("[rules]\nwords = {least = 100}\n")
    rows = [{"text": numbered(i, 90 if i % 3 else 130)} for i in range(60)]
    mine = str(tmp_path / "mine.toml")
    metrics, _, _ = do(write_rows(tmp_path / "rows.jsonl", rows), filter=(mine,))
    assert metrics["dropped"] == {"mine: words below 100": 40}
    assert mine in inputs(Prepare(data=("bundled",), filter=(mine,)))


def test_signals_are_counted_once_for_all_filters_and_workers(
    tmp_path: Path, do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in range(3):
        rows = [{"text": f"The {numbered(100 * part + i, 20 + i)} and that."} for i in range(60)]
        write_rows(tmp_path / "data" / f"{part}.jsonl", rows)
    data, signals = tmp_path / "data", tmp_path / "signals"
    monkeypatch.setattr("gptwright.text.parts.PART", max(path.stat().st_size for path in data.iterdir()))
    do(data, filter=("gopher",), signals=signals)
    do(data, filter=("gopher",), signals=tmp_path / "other", workers=2)
    do(data, filter=("gopher",))
    tables = sorted(path.name for path in signals.iterdir())
    assert len(tables) == 3
    for name in tables:
        assert (signals / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
    (tmp_path / "mine.toml").write_text('like = "gopher"\n[rules]\nwords = {least = 70}\n')
    wanted, _, _ = do(data, filter=(str(tmp_path / "mine.toml"),))
    monkeypatch.setattr("gptwright.text.filters.signals.split_words", lambda _: 1 / 0)
    metrics, _, _ = do(data, filter=(str(tmp_path / "mine.toml"),), signals=signals)
    assert metrics == wanted and metrics["dropped"]["mine: words below 70"] > 90
    for name in ("train.jsonl", "heldout.jsonl", "sources.json"):
        whole = (tmp_path / "out0" / name).read_bytes()
        assert (tmp_path / "out1" / name).read_bytes() == whole == (tmp_path / "out2" / name).read_bytes()
        assert (tmp_path / "out3" / name).read_bytes() == (tmp_path / "out4" / name).read_bytes()


@pytest.mark.parametrize("workers", [1, 2])
def test_what_an_earlier_run_kept_is_not_kept_again(tmp_path: Path, workers: int) -> None:
    notice = "\nThis notice stands at the foot of every page of the site."
    old = [{"text": numbered(i) + notice} for i in range(40)]
    write_rows(tmp_path / "old.jsonl", old)
    new = [{"text": numbered(i)} for i in range(100, 140)] + [{"text": numbered(i) + " and more"} for i in range(10)]
    both = write_rows(tmp_path / "both.jsonl", [*old, *new])
    before = execute_stage("prepare", Prepare(data=(str(tmp_path / "old.jsonl"),)), tmp_path / "out")
    config = Prepare(data=(str(both),), against=(before.path,), near_duplicates=0.8, workers=workers)
    after = execute_stage("prepare", config, tmp_path / f"more{workers}")
    dropped = after.record["metrics"]["dropped"]
    assert dropped == {"in an earlier run": 40, "near-duplicate of an earlier run": 10}
    kept = {row["text"] for split in ("train", "heldout") for row in read_lines(after / f"{split}.jsonl")}
    assert kept == {row["text"] for row in new[:40]}
    assert str(before.path) in after.record["inputs"]
