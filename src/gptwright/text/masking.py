"""What points to a person, put out of a text: addresses of mail and machines, numbers of phones, cards and accounts.

A masked place is what the net and the phone companies keep free for examples (RFC 2606, 5737, 3849; 555-0100), so a
text stays a text. Numbers go only when their own check digits are right, and addresses of machines only when they are
of the public net.
"""

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterable

_EMAIL = re.compile(
    r"(?<![\w.+@-])[A-Za-z0-9][\w.!#$%&'*+/=?^`{|}~-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}"
    r"[A-Za-z]{2,24}(?![\w-])",
    re.ASCII,
)
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\w)", re.ASCII)
_IPV6 = re.compile(r"(?<![\w:.])[23][0-9a-fA-F]{3}:(?:[0-9a-fA-F]{0,4}:){1,6}[0-9a-fA-F]{0,4}(?![\w:])", re.ASCII)
_PHONE = re.compile(
    r"(?<![\w.+/=-])(?:"
    r"\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){1,4}"  # +49 30 1234567
    r"|(?:1[ .-])?(?:\([2-9]\d\d\) ?|[2-9]\d\d[.-])[2-9]\d\d[.-]\d{4}"  # (212) 555-0100
    r"|(?:86[ -]?)?1[3-9]\d(?:[ -]?\d{4}){2}"  # Chinese mobile numbers
    r")(?![\w-]|\.\d)",
    re.ASCII,
)
_CARD = re.compile(r"(?<![\w.-])[2-6]\d{3}(?:[ -]?\d{4}){2}[ -]?\d{1,7}(?![\w-]|\.\d)|"
                   r"(?<![\w.-])3[47]\d\d[ -]?\d{6}[ -]?\d{5}(?![\w-]|\.\d)", re.ASCII)  # fmt: skip
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,3})?(?!\w)", re.ASCII)


def mask(text: str, kinds: Iterable[str]) -> tuple[str, Counter[str]]:
    """The text with what is of these kinds (`KINDS`) masked, and how many there were of each."""
    counts = Counter[str]()
    for kind in kinds:
        for pattern, is_meant, instead in KINDS[kind]:

            def put(match: re.Match[str], is_meant: Callable[[str], bool] = is_meant, instead: str = instead,
                    kind: str = kind) -> str:  # fmt: skip
                if not is_meant(match[0]):
                    return match[0]
                counts[kind] += 1
                return instead

            text = pattern.sub(put, text)
    return text, counts


def _is_no_example(address: str) -> bool:
    return not re.search(r"@(?:.*\.)?example\.(?:com|net|org)$|\.(?:example|invalid|test)$", address, re.IGNORECASE)


def _is_public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def _is_phone(number: str) -> bool:
    digits = re.sub(r"\D", "", number)
    return 8 <= len(digits) <= 15 and "55501" not in digits


def _is_card(number: str) -> bool:
    """Luhn's check digit; a number of zeros alone is none."""
    digits = [int(digit) for digit in number if digit.isdigit()]
    doubled = [2 * digit - 9 * (digit > 4) for digit in digits[-2::-2]]
    return 13 <= len(digits) <= 19 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_iban(number: str) -> bool:
    """ISO 7064's check digits over the number with its country behind it."""
    bare = number.replace(" ", "")
    return 15 <= len(bare) <= 34 and int("".join(str(int(sign, 36)) for sign in bare[4:] + bare[:4])) % 97 == 1


KINDS: dict[str, tuple[tuple[re.Pattern[str], Callable[[str], bool], str], ...]] = {
    "email": ((_EMAIL, _is_no_example, "email@example.com"),),
    "ip": ((_IPV4, _is_public, "192.0.2.1"), (_IPV6, _is_public, "2001:db8::1")),
    "iban": ((_IBAN, _is_iban, "XX00 0000 0000 0000 0000"),),
    "card": ((_CARD, _is_card, "0000 0000 0000 0000"),),
    "phone": ((_PHONE, _is_phone, "+1 212-555-0100"),),
}
