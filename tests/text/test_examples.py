import io
import json

from gptwright.text.documents import Document
from gptwright.text.examples import BEGINNING, EXCERPT, MOST, Examples


def test_the_first_of_each_reason_and_the_lengths_of_what_stays() -> None:
    examples = Examples()
    for number in range(3 * MOST):
        examples.drop(Document(f"{number} " + "a" * 2 * EXCERPT, "web"), "odd" if number % 2 else "even")
    assert [each.excerpt.split()[0] for each in examples.dropped["odd"]] == [str(2 * i + 1) for i in range(MOST)]
    assert all(len(each.excerpt) == EXCERPT < each.characters for each in examples.dropped["even"])
    for length in (4, 7, 8):
        examples.keep(Document("x" * length, "web"))
    assert examples.lengths == {8: 2, 16: 1}


def test_all_that_went_are_listed_with_their_beginning() -> None:
    listed = io.StringIO()
    examples = Examples(listed=listed)
    for number in range(MOST + 2):
        document = Document(f"春 {number} " + "a" * EXCERPT, "web", "A title", file="web/a.jsonl")
        examples.drop(document, "near", "春 0 " * 99)
    examples.drop(Document("", "web"), "empty")
    rows = list(map(json.loads, listed.getvalue().splitlines()))
    assert rows[-1] == {"reason": "empty", "source": "web", "characters": 0}
    assert len(rows) == MOST + 3 and rows[11]["begins"] == "春 11 " + "a" * (BEGINNING - 5)
    assert (rows[0]["title"], rows[0]["file"], rows[0]["characters"]) == ("A title", "web/a.jsonl", EXCERPT + 4)
    assert len(rows[0]["like"]) == BEGINNING and "春" in listed.getvalue()
