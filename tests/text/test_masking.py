import pytest

from gptwright.configs.prepare import MASKS
from gptwright.text.masking import KINDS, mask


@pytest.mark.parametrize(
    ("kind", "text", "masked"),
    [
        ("email", "Write to jane.doe+x@mail.co.uk.", "Write to email@example.com."),
        ("email", "<a_b@uni-bonn.de>, (C@D.org)", "<email@example.com>, (email@example.com)"),
        ("ip", "from 8.8.8.8, and 93.184.216.34:80", "from 192.0.2.1, and 192.0.2.1:80"),
        ("ip", "at 2606:4700:4700::1111 and", "at 2001:db8::1 and"),
        ("phone", "Call +49 30 1234567.", "Call +1 212-555-0100."),
        ("phone", "(415) 867-5309 or 415-867-5309", "+1 212-555-0100 or +1 212-555-0100"),
        ("phone", "电话：13912345678。", "电话：+1 212-555-0100。"),
        ("card", "4111 1111 1111 1111, 5500-0000-0000-0004", "0000 0000 0000 0000, 0000 0000 0000 0000"),
        ("card", "378282246310005", "0000 0000 0000 0000"),
        ("iban", "DE89 3704 0044 0532 0130 00 and GB82WEST12345698765432",
         "XX00 0000 0000 0000 0000 and XX00 0000 0000 0000 0000"),
    ],
)  # fmt: skip
def test_what_is_masked(kind: str, text: str, masked: str) -> None:
    found, counts = mask(text, [kind])
    assert found == masked
    assert counts[kind] == sum(masked.count(instead) for _, _, instead in KINDS[kind])


@pytest.mark.parametrize(
    "text",
    [
        "user@localhost, @name, a@b, me@example.com, x@test.invalid",
        "127.0.0.1, 192.168.1.20, 10.0.0.1, version 1.2.3.4.5, 300.1.1.1, 8.8.8.8.in-addr.arpa",
        "std::vector, a::b, fe80::1, 12:30:45, ::1",
        "In 1914-1918, pages 100-200, 3.14159, ISBN 978-3-16-148410-0, 2026-11-28, 1,234,567",
        "4111 1111 1111 1112, 1234567890123456, 0.4111111111111111",
        "DE88 3704 0044 0532 0130 00, AB12 CDEF, THE 1234 5678 9012",
        "1 212-555-0100 and 0000 0000 0000 0000",
    ],
)
def test_what_only_looks_so_stays(text: str) -> None:
    assert mask(text, MASKS) == (text, {})


def test_a_masked_text_masks_no_more() -> None:
    text = "jane@mail.org, 8.8.8.8, 2606:4700:4700::1111, +49 30 1234567, 4111111111111111, DE89370400440532013000"
    masked, counts = mask(text, MASKS)
    assert counts == {"email": 1, "ip": 2, "iban": 1, "card": 1, "phone": 1}
    assert mask(masked, MASKS) == (masked, {})


def test_the_kinds_are_those_of_the_options_and_long_texts_are_no_trap() -> None:
    assert tuple(KINDS) == MASKS
    for text in ("a." * 100_000, "1" * 100_000, "1 " * 100_000, "2001:" * 50_000, "DE89 " * 50_000, "a@" * 50_000):
        mask(text, MASKS)
