from gptwright.tokenizers.padding import padded


def test_rows_are_padded_on_the_right() -> None:
    assert padded([[1], [2, 3, 4]], -1).tolist() == [[1, -1, -1], [2, 3, 4]]
