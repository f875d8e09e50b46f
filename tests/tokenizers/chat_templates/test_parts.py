"""Messages of texts and images: an image stands at a place, and no text makes room for one."""

from dataclasses import replace

import pytest

from gptwright.foundations.errors import InputError
from gptwright.tokenizers.chat_templates.chat import prompt_ids, read_messages, render
from gptwright.tokenizers.chat_templates.parts import Message, PlacedImage, images_of, pieces, read_parts
from gptwright.tokenizers.tokenizer import Tokenizer

MARK = "<|image|>"


def image(name: str) -> dict[str, object]:
    return {"type": "image_url", "image_url": {"url": name}}


def text(said: str) -> dict[str, object]:
    return {"type": "text", "text": said}


def test_parts_are_texts_with_images_at_their_places() -> None:
    found, images = read_parts([text("ab"), image("x"), text("c"), text("d"), image("y")], str.encode)
    assert found == "abc\nd" and images == [PlacedImage(2, b"x"), PlacedImage(5, b"y")]
    message = Message(role="user", content=found, images=images)
    assert list(pieces(message)) == ["ab", images[0], "c\nd", images[1]]
    assert images_of([message, Message(role="user", content="e")]) == [b"x", b"y"]


def test_a_message_without_images_is_one_piece() -> None:
    assert list(pieces(Message(role="user", content="ab"))) == ["ab"]
    assert list(pieces(Message(role="user", content=""))) == [""]


@pytest.mark.parametrize("part", [{"type": "audio"}, "text", {"type": "text"}, {"type": "image_url"}, image("")])
def test_other_parts_are_refused(part: object) -> None:
    def load(name: str) -> bytes:
        raise InputError("an image", name, "Give one.")

    with pytest.raises(InputError):
        read_parts([part], load)


def test_without_a_way_to_load_them_images_are_refused() -> None:
    with pytest.raises(InputError, match="text alone"):
        read_parts([image("x")], None)
    with pytest.raises(InputError, match="text as content"):
        read_messages([{"role": "user", "content": [text("a")]}], "here")


def test_images_become_their_token_and_words_never_do(tokenizer: Tokenizer) -> None:
    sees = tokenizer.with_additional([MARK])
    place = sees.special_id(MARK)
    asked = [Message(role="user", content=f"a {MARK} b", images=[PlacedImage(2, b"x")])]
    ids = prompt_ids(asked, sees, image=MARK)
    plain = prompt_ids([Message(role="user", content=f"a {MARK} b")], sees, image=MARK)
    assert ids.count(place) == 1 and place not in plain
    assert ids[1 : ids.index(place)] == sees.encode("a ")
    assert sees.decode([i for i in ids if i != place]).count(MARK) == 1
    learned = render([*asked, Message(role="assistant", content="c")], sees, MARK)[1]
    assert sum(learned) == len(sees.encode("c")) + 1
    with pytest.raises(InputError, match="cannot see"):
        prompt_ids(asked, sees)


def test_a_foreign_template_has_them_too(tokenizer: Tokenizer) -> None:
    sees = tokenizer.with_additional([MARK])
    foreign = "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] | trim }}{{ eos_token }}{% endfor %}"
    other = type(sees)(sees.backend, replace(sees.special_tokens, chat_template=foreign))
    asked = [Message(role="user", content=f"a {MARK} b", images=[PlacedImage(0, b"x"), PlacedImage(2, b"y")])]
    ids = prompt_ids(asked, other, image=MARK)
    assert ids.count(other.special_id(MARK)) == 2


def test_tools_that_a_template_has_no_place_for_leave_images_where_they_are(tokenizer: Tokenizer) -> None:
    sees = tokenizer.with_additional([MARK])
    tool = {"type": "function", "function": {"name": "look", "description": "", "parameters": {}}}
    asked = [Message(role="user", content="a b", images=[PlacedImage(2, b"x")])]
    with_tool, without = (prompt_ids(asked, sees, tools, MARK) for tools in ([tool], []))
    assert with_tool[-len(without) :] == without
