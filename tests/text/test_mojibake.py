import pytest

from gptwright.foundations.errors import ConfigError
from gptwright.text import mojibake
from gptwright.text.bundled import TEXTS
from gptwright.text.find import resolve
from gptwright.text.mojibake import mended
from gptwright.text.read import read_file


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("cafÃ© â€” â€œnaÃ¯veâ€\x9d", "café — “naïve”"),
        ("GrÃ¼ÃŸe aus KÃ¶ln", "Grüße aus Köln"),
        ("ESTADÃ\x8dSTICA", "ESTADÍSTICA"),
        ("ÐŸÑ€Ð¸Ð²ÐµÑ‚, Ð¼Ð¸Ñ€", "Привет, мир"),
        ("Ã\xa0 la carte oÃ¹ dÃ©jÃ\xa0", "à la carte où déjà"),
    ],
)
def test_what_was_read_in_a_wrong_encoding_is_mended(wrong: str, right: str) -> None:
    assert mended(f"right\n{wrong}\nright é") == (f"right\n{right}\nright é", 1)


def test_right_text_stays_as_it_is() -> None:
    for name in TEXTS:
        for path in resolve([f"bundled:{name}"]):
            assert all(mended(document.text) == (document.text, 0) for document in read_file(path))
    for text in ("L’été, où ça ? Ã est une lettre.", "SÃO PAULO", "Â la bonne heure", "5 € – 10 £", "“Oui” »", "ﬁne"):
        assert mended(text) == (text, 0)


def test_without_the_program_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(mojibake, "import_module", missing)
    mojibake._fix.cache_clear()  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(ConfigError, match=r"gptwright\[corpus\]"):
        mended("é")
    mojibake._fix.cache_clear()  # pyright: ignore[reportPrivateUsage]
