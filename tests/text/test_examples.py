from gptwright.text.documents import Document
from gptwright.text.examples import EXCERPT, MOST, Examples


def test_the_first_of_each_reason_and_the_lengths_of_what_stays() -> None:
    examples = Examples()
    for number in range(3 * MOST):
        examples.drop(Document(f"{number} " + "a" * 2 * EXCERPT, "web"), "odd" if number % 2 else "even")
    assert [each.excerpt.split()[0] for each in examples.dropped["odd"]] == [str(2 * i + 1) for i in range(MOST)]
    assert all(len(each.excerpt) == EXCERPT < each.characters for each in examples.dropped["even"])
    for length in (4, 7, 8):
        examples.keep(Document("x" * length, "web"))
    assert examples.lengths == {8: 2, 16: 1}
