from pathlib import Path

import pytest

from gptwright.text.licences import UNKNOWN, is_permissive, licence_of, nearest_licence

MIT = """Copyright (c) 2020 A. Writer

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software, to deal in the Software without restriction, subject to:
The above copyright notice and this permission notice shall be included."""
BSD = """Redistribution and use in source and binary forms, with or without
modification, are permitted provided that the following conditions are met:"""


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        (MIT, "MIT"),
        (BSD, "BSD-2-Clause"),
        (BSD + "\n * Neither the name of the holder nor", "BSD-3-Clause"),
        ("# SPDX-License-Identifier: Apache-2.0 OR MIT\n", "Apache-2.0 OR MIT"),
        ("/* SPDX-License-Identifier: GPL-2.0-only */", "GPL-2.0-only"),
        ("                 Apache License\n           Version 2.0, January 2004", "Apache-2.0"),
        (" GNU LESSER GENERAL PUBLIC LICENSE\n  Version 3, which adds to the GNU General Public License", "LGPL-3.0"),
        ("GNU GENERAL PUBLIC LICENSE\nVersion 2, June 1991", "GPL-2.0"),
        ("// Permission is hereby granted, free of\n// charge, to any … The above\n// copyright notice", "MIT"),
        ("All rights reserved.", UNKNOWN),
    ],
)
def test_the_licence_of_a_text(text: str, licence: str) -> None:
    assert licence_of(text) == licence


def test_the_projects_own_licence_is_told() -> None:
    root = Path(__file__).parents[2]
    assert nearest_licence(root / "src" / "gptwright" / "cli.py", root) == ("Apache-2.0", root / "LICENSE")


@pytest.mark.parametrize(
    ("licence", "permissive"),
    [("MIT", True), ("GPL-3.0", False), ("GPL-2.0-only OR MIT", True), ("MIT AND GPL-2.0", False), (UNKNOWN, False),
     ("(MIT AND Zlib) OR MPL-2.0", True), ("Apache-2.0 WITH LLVM-exception", False)],
)  # fmt: skip
def test_what_asks_for_no_more_than_its_notice(licence: str, permissive: bool) -> None:
    assert is_permissive(licence) == permissive


def test_the_nearest_licence_counts_and_none_outside_of_the_tree(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    (root / "sub" / "deep").mkdir(parents=True)
    (tmp_path / "LICENSE").write_text(MIT)  # above the tree
    source = root / "sub" / "deep" / "a.py"
    assert nearest_licence(source, root) == (UNKNOWN, None)
    other = tmp_path / "other"
    (other / "a" / "b").mkdir(parents=True)
    (other / "COPYING").write_text("GNU General Public License, version 3")
    (other / "a" / "b" / "LICENSE.txt").write_text(MIT)
    (other / "a" / "b" / "LICENSE-NOTES").write_text("nothing")
    assert nearest_licence(other / "a" / "a.py", other) == ("GPL-3.0", other / "COPYING")
    assert nearest_licence(other / "a" / "b" / "c.py", other) == ("MIT", other / "a" / "b" / "LICENSE.txt")
