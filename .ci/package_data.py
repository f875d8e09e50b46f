"""Whether the wheel in dist/ holds every file of the package, the bundled data and the recipes, and what it weighs.

python .ci/package_data.py
"""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLACES = {"src/gptwright/": "gptwright/", "data/": "gptwright/data/", "recipes/": "gptwright/recipes/files/"}
MOST_MB = 20
"""a wheel beyond this holds what nobody meant to ship"""


def main() -> None:
    (wheel,) = (ROOT / "dist").glob("*.whl")
    tracked = subprocess.run(["git", "ls-files", *PLACES], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    expected = {inside + name.removeprefix(place) for name in tracked.splitlines() for place, inside in PLACES.items()
                if name.startswith(place)}  # fmt: skip
    there = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    size = wheel.stat().st_size / 1e6
    if there != expected or size > MOST_MB:
        sys.exit(f"needed the {len(expected)} files of {', '.join(PLACES)} in {wheel.name}, at most {MOST_MB} MB; got "
                 f"{size:.1f} MB, without {sorted(expected - there)[:9]}, with {sorted(there - expected)[:9]}.\n"
                 "  Correct [tool.hatch.build] in pyproject.toml.")  # fmt: skip
    print(f"{wheel.name}: {len(there)} files, {size:.1f} MB")


if __name__ == "__main__":
    main()
