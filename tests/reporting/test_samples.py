from gptwright.reporting.samples import Sample, first_middle_last, read_samples, split_openings


def test_sections_are_read_with_their_quotations() -> None:
    text = "# Samples\n\n## Step 200\n\n> one\n\n> two > three\n\n\n## Step 400\n\n> four\n"
    assert read_samples(text) == [Sample(200, ("one", "two > three")), Sample(400, ("four",))]
    assert read_samples("nothing here") == []


def test_first_middle_and_last_are_shown() -> None:
    samples = [Sample(step, ()) for step in range(1, 8)]
    assert [sample.step for sample in first_middle_last(samples)] == [1, 4, 7]
    assert first_middle_last(samples[:2]) == samples[:2]


def test_the_opening_is_what_all_steps_share_in_whole_words() -> None:
    samples = [Sample(1, ("It was a day", "The old mango")), Sample(2, ("It was a dawn", "The old man"))]
    assert split_openings(samples) == [
        [("It was a", " day"), ("The old", " mango")],
        [("It was a", " dawn"), ("The old", " man")],
    ]


def test_one_sample_alone_has_no_known_opening() -> None:
    assert split_openings([Sample(1, ("It was a day",))]) == [[("", "It was a day")]]
