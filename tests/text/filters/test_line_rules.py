from gptwright.text.filters.line_rules import LineRules

C4 = LineRules(min_words=5, terminal=True)


def test_what_goes_and_why() -> None:
    page = "\n".join([
        "Home | About | Contact | Search it",
        "This line has words and ends well.[12]",
        "Too short a line.",
        "Please enable JavaScript to see this page.",
        "This site uses cookies to see who you are.",
        "And then there was a pause...",
        f"One word is {'x' * 1001} without an end.",
        "",
        "It went on. And it ended so!",
    ])  # fmt: skip
    edited = C4.edit(page)
    assert edited.text == "This line has words and ends well.\nIt went on. And it ended so!"
    assert edited.cut_lines == {"no end of a sentence": 2, "few words": 1, "javascript": 1, "policy": 1,
                                "endless word": 1}  # fmt: skip
    assert edited.signals == {"sentences": 3, "lorem_ipsum": 0, "curly_brackets": 0}


def test_a_page_of_code_or_filler_is_told_by_its_sentences() -> None:
    assert C4.edit("if (a) { return b; }").signals["curly_brackets"] == 0
    assert C4.edit("The block { begins and ends } in this sentence.").signals["curly_brackets"] == 1
    assert C4.edit("Lorem Ipsum dolor sit amet, and so on.").signals["lorem_ipsum"] == 1


def test_without_the_rule_on_ends() -> None:
    edited = LineRules(min_words=3, terminal=False).edit("Home and so on\nNo more\nThe [edit] end. And - more")
    assert edited.text == "Home and so on\nThe  end. And - more"
    assert edited.signals["sentences"] == 3
