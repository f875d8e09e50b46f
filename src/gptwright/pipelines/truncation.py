"""What has outgrown the context: of a conversation the oldest turns are left out, of a file what is far from the hole.

The terminal, the chat page and callers of the API who ask for it all come through here.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence

from gptwright.tokenizers.chat_templates.chat import Message

REPLY_SHARE = 4
"""a reply may need up to 1 / so much of the context: that is kept free while there are turns to leave out"""

SUFFIX_SHARE = 4


def drop_oldest_turns(messages: Sequence[Message], tokens: Callable[[list[Message]], int], most: int) -> list[Message]:
    """The messages, from the oldest turn on with which they are at most `most` tokens, as `tokens` counts them.

    A turn begins with what the user says. The last one always stays, even if it is too long by itself.
    """
    system = next((i for i, message in enumerate(messages) if message["role"] != "system"), 0)
    starts_text = [i for i in range(system + 1, len(messages)) if messages[i]["role"] == "user"]

    def since(turn: int) -> list[Message]:
        return [*messages[:system], *messages[[system, *starts_text][turn] :]]

    if tokens(since(0)) <= most:
        return since(0)
    first = bisect_left(range(len(starts_text) + 1), True, key=lambda turn: tokens(since(turn)) <= most)
    return since(min(first, len(starts_text)))


def nearest_to_hole(
    before: list[int], prefix: list[int], suffix: list[int], room: int
) -> tuple[list[int], list[int], list[int]]:
    """Of the texts around a hole, and of what stands before both, `room` ids: a quarter is the suffix's and the rest
    the prefix's, but for what one leaves to the other and both leave to what stands before."""
    after = min(len(suffix), max(room // SUFFIX_SHARE, room - len(prefix)))
    ahead = min(len(prefix), room - after)
    rest = min(len(before), room - after - ahead)
    return before[len(before) - rest :], prefix[len(prefix) - ahead :], suffix[:after]


def room_for_prompt(context: int, max_tokens: int) -> int:
    """Tokens that a prompt may have if its reply is to have room too."""
    return context - max(1, min(max_tokens, context // REPLY_SHARE))
