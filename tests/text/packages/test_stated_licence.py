from pathlib import Path

import pytest

from gptwright.text.licences import is_permissive
from gptwright.text.packages.stated_licence import stated_licence

MIT = "Permission is hereby granted, free of charge, to anybody. The above copyright notice shall be included."
COPYRIGHT = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: x

Files: *
Copyright: A. Writer
License: {}

Files: lib/*
 other/*
Copyright: B. Writer
License: Expat
 Permission is hereby granted.

Files: debian/*
Copyright: C. Packager
License: GPL-3+

License: GPL-2+
 It is free.
"""


@pytest.mark.parametrize(
    ("registry", "place", "text", "licence"),
    [
        ("pypi", "x-1.dist-info/METADATA", "License-Expression: MIT OR Apache-2.0\n\nGPL", "MIT OR Apache-2.0"),
        ("pypi", "x-1/PKG-INFO", "Name: x\nLicense: MIT\nClassifier: License :: OSI Approved :: MIT License\n", "MIT"),
        ("pypi", "x-1/PKG-INFO", "Name: x\nLicense: UNKNOWN\nClassifier: License :: Public Domain\n", "public-domain"),
        ("pypi", "x-1/PKG-INFO", f"Name: x\nLicense: {MIT}\n", "MIT"),
        ("pypi", "x-1/PKG-INFO", "Name: x\nLicense: mine alone\n", "unknown"),
        ("pypi", "x-1/LICENSE.txt", MIT, "MIT"),
        ("npm", "package/package.json", '{"license": "ISC"}', "ISC"),
        ("npm", "package/package.json", '{"license": {"type": "apache-2.0"}}', "Apache-2.0"),
        ("npm", "package/package.json", '{"license": "SEE LICENSE IN x"}', "unknown"),
        ("npm", "package/package.json", '{"license": "UNLICENSED"}', "unknown"),
        ("npm", "package/package.json", '["no package"]', "unknown"),
        ("npm", "package/package.json", "{", "unknown"),
        ("debian", "usr/share/doc/x/copyright", COPYRIGHT.format("Expat"), "MIT"),
        ("debian", "usr/share/doc/x/copyright", COPYRIGHT.format("GPL-2+ or CC-BY-SA-3.0"),
         "(GPL-2.0-or-later OR CC-BY-SA-3.0) AND MIT"),
        ("debian", "usr/share/doc/x/copyright", COPYRIGHT.format("LGPL-2.1 and public-domain"),
         "LGPL-2.1-only AND MIT AND public-domain"),
        ("debian", "usr/share/doc/x/copyright", COPYRIGHT.format("GPL-2 and ISC or BSD-3-clause"),
         "(GPL-2.0-only AND ISC OR BSD-3-Clause) AND MIT"),
        ("debian", "usr/share/doc/x/copyright", COPYRIGHT.format("his own words"), "MIT AND unknown"),
        ("debian", "usr/share/doc/x/copyright", f"Debianised in 1999.\n\n{MIT}", "MIT"),
        ("debian", "usr/share/doc/other/copyright", MIT, "unknown"),
    ],
)  # fmt: skip
def test_a_package_says_its_licence(registry: str, place: str, text: str, licence: str, tmp_path: Path) -> None:
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_text(text)
    assert stated_licence(registry, "x", tmp_path) == licence


@pytest.mark.parametrize(
    ("licence", "answer"),
    [
        ("(GPL-3.0-only OR MIT) AND GPL-3.0-only", False),
        ("(GPL-3.0-only OR MIT) AND ISC", True),
        ("MIT AND public-domain", True),
        ("MIT AND unknown", False),
        ("(MIT AND (ISC OR GPL-2.0)) OR GPL-3.0", True),
    ],
)
def test_a_choice_in_brackets_is_one_of_several_that_all_hold(licence: str, answer: bool) -> None:
    assert is_permissive(licence) == answer
