from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from gptwright.foundations.atomic_io import new_folder, read_json, write_text
from gptwright.foundations.errors import ArtifactError, ConfigError, InputError, ResourceError
from gptwright.foundations.folder_lock import lock_folder
from gptwright.foundations.runs import StageFolder, finished_stage, input_paths, open_stage, stage_file
from gptwright.foundations.settings import FREE


@dataclass(frozen=True, kw_only=True)
class Config:
    data: Path
    more: tuple[Path, ...] = ()
    steps: int = 3
    limit: int | None = None
    device: str = field(default="cpu", metadata=FREE)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    write_text(tmp_path / "data.txt", "one")
    write_text(tmp_path / "more.txt", "two")
    return Config(data=tmp_path / "data.txt", more=(tmp_path / "more.txt",))


def opened(tmp_path: Path, config: Config) -> StageFolder:
    return open_stage(tmp_path / "run", "pretrain", config, input_paths(config))


def finished(tmp_path: Path, config: Config) -> StageFolder:
    folder = opened(tmp_path, config)
    write_text(folder / "model" / "weights", "www")
    write_text(folder / "checkpoints" / "step-1", "ccc")
    folder.metrics.log(1, loss_nats=1.0)
    folder.finish({"loss_nats": 1.0})
    return folder


def test_the_life_of_a_stage(tmp_path: Path, config: Config) -> None:
    assert opened(tmp_path, config).state == "new"
    again = opened(tmp_path, config)
    assert again.state == "unfinished"
    write_text(again / "model" / "weights", "www")
    again.finish({"loss_nats": 1.5})
    assert opened(tmp_path, config).state == "complete"
    record = finished_stage(tmp_path / "run", "pretrain")
    assert record["metrics"] == {"loss_nats": 1.5}
    assert record["config"]["steps"] == 3
    assert list(record["inputs"]) == ["data", "more[0]"]
    assert record["seconds"] >= 0
    assert record["started"] <= record["ended"]


def test_checkpoints_metrics_and_the_record_itself_are_no_outputs(tmp_path: Path, config: Config) -> None:
    finished(tmp_path, config)
    assert list(read_json(tmp_path / "run" / "stage.json")["outputs"]) == ["model/weights"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"steps": 4}, r"\(steps = 3\); got steps = 4"), ({"limit": 1}, r"\(limit = None\); got limit = 1")],
)
def test_other_work_is_refused_and_the_difference_named(
    tmp_path: Path, config: Config, changes: dict[str, int], said: str
) -> None:
    finished(tmp_path, config)
    with pytest.raises(ConfigError, match=said):
        opened(tmp_path, replace(config, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "key"), [("data.txt", "data"), ("more.txt", r"more\[0\]")])
def test_other_inputs_are_refused(tmp_path: Path, config: Config, name: str, key: str) -> None:
    finished(tmp_path, config)
    write_text(tmp_path / name, "three")
    with pytest.raises(ConfigError, match=rf"{key} = .*; got other bytes there"):
        opened(tmp_path, config)


def test_the_same_bytes_at_another_place_are_the_same_input(tmp_path: Path, config: Config) -> None:
    finished(tmp_path, config)
    write_text(tmp_path / "moved.txt", "one")
    write_text(tmp_path / "moved2.txt", "two")
    moved = replace(config, data=tmp_path / "moved.txt", more=(tmp_path / "moved2.txt",))
    assert opened(tmp_path, moved).state == "complete"


def test_another_verb_and_a_strange_folder_are_refused(tmp_path: Path, config: Config) -> None:
    finished(tmp_path, config)
    with pytest.raises(ConfigError, match=r"a folder of 'sft' at .*; got one of 'pretrain'"):
        open_stage(tmp_path / "run", "sft", config, {})
    write_text(tmp_path / "home" / "letter.txt", "Dear")
    with pytest.raises(ConfigError, match="something else there"):
        open_stage(tmp_path / "home", "sft", config, {})
    with pytest.raises(ConfigError, match="something else there"):
        open_stage(tmp_path / "home" / "letter.txt", "sft", config, {})
    with pytest.raises(ResourceError):
        open_stage(tmp_path / "home" / "letter.txt" / "run", "sft", config, {})
    assert (tmp_path / "home" / "letter.txt").read_text() == "Dear"


def test_an_empty_folder_will_do(tmp_path: Path, config: Config) -> None:
    (tmp_path / "run").mkdir()
    assert opened(tmp_path, config).state == "new"


def test_a_stage_as_input_is_what_it_wrote(tmp_path: Path, config: Config) -> None:
    folder = finished(tmp_path, config)

    def identity() -> str:
        (tmp_path / "next" / "stage.json").unlink(missing_ok=True)
        return open_stage(tmp_path / "next", "sft", config, {"base": folder.path}).record["inputs"]["base"]

    before = identity()
    folder.finish({"loss_nats": 0.5})
    assert identity() == before
    write_text(folder / "model" / "weights", "other")
    folder.finish({})
    assert identity() != before


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("whole", [True, False], ids=["with manifest", "foreign"])
def test_a_model_folder_as_input_is_all_its_files(tmp_path: Path, config: Config, name: str, whole: bool) -> None:
    def identity(**files: str) -> str:
        with new_folder(tmp_path / "model") as unfinished:
            for file in ("config.json", "model.safetensors"):
                write_text(unfinished / file, files.get(file.split(".")[0], "old"))
        if not whole:
            (tmp_path / "model" / "manifest.json").unlink()
        (tmp_path / "next" / "stage.json").unlink(missing_ok=True)
        return open_stage(tmp_path / "next", "sft", config, {"base": tmp_path / "model"}).record["inputs"]["base"]

    assert identity() == identity() != identity(**{name.split(".")[0]: "new"})


def test_a_missing_and_an_unfinished_input(tmp_path: Path, config: Config) -> None:
    with pytest.raises(InputError, match="nothing there"):
        open_stage(tmp_path / "next", "sft", config, {"base": tmp_path / "nowhere"})
    opened(tmp_path, config)
    with pytest.raises(ArtifactError, match="one that was stopped"):
        open_stage(tmp_path / "next", "sft", config, {"base": tmp_path / "run"})
    assert not (tmp_path / "next").exists()


def test_a_finished_stage_is_asked_for_by_verb(tmp_path: Path, config: Config) -> None:
    with pytest.raises(ArtifactError, match=r"no stage\.json"):
        finished_stage(tmp_path / "run")
    finished(tmp_path, config)
    with pytest.raises(ArtifactError, match=r"a folder made by 'sft' .* one made by 'pretrain'"):
        finished_stage(tmp_path / "run", "sft")


def test_a_stages_file_is_checked_by_its_hash(tmp_path: Path, config: Config) -> None:
    folder = finished(tmp_path, config)
    assert stage_file(folder.path, "model/weights", "pretrain") == folder / "model" / "weights"
    (folder / "model" / "weights").write_text("wwv")
    with pytest.raises(ArtifactError, match="damaged or changed"):
        stage_file(folder.path, "model/weights")
    for name in ("model/other", "checkpoints/step-1"):
        with pytest.raises(ArtifactError, match="nothing there"):
            stage_file(folder.path, name)
    (folder / "model" / "weights").unlink()
    with pytest.raises(ArtifactError, match="nothing there"):
        stage_file(folder.path, "model/weights")


def test_a_run_that_was_killed_in_its_first_write_may_begin_again(tmp_path: Path) -> None:
    (tmp_path / ".stage.json.unfinished").write_text('{"verb"')
    assert open_stage(tmp_path, "pretrain", {"steps": 1}, {}).state == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["stage.json"]


def test_the_same_work_goes_on_elsewhere(tmp_path: Path, config: Config) -> None:
    opened(tmp_path, config)
    again = opened(tmp_path, replace(config, device="cuda"))
    assert again.state == "unfinished" and again.record["config"]["device"] == "cuda"


def test_of_several_processes_the_first_writes(tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(tmp_path, config)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    folder = opened(tmp_path, config)
    before = (folder / "stage.json").read_text()
    folder.record["seconds"] = 99.0
    folder.save()
    folder.metrics.log(1, loss_nats=1.0)
    folder.metrics.rewind(0)
    assert (folder / "stage.json").read_text() == before and not folder.metrics.path.exists()


def test_a_difference_inside_a_table_has_its_whole_name(tmp_path: Path) -> None:
    open_stage(tmp_path / "run", "pretrain", {"model": {"family": "gpt2", "layers": 2}}, {})
    with pytest.raises(ConfigError, match=r"\(model\.layers = 2\); got model\.layers = 3"):
        open_stage(tmp_path / "run", "pretrain", {"model": {"family": "gpt2", "layers": 3}}, {})


def test_what_was_found_out_once_stays(tmp_path: Path) -> None:
    folder = open_stage(tmp_path / "run", "pretrain", {}, {})
    assert folder.freeze_choice("dtype", lambda: "bfloat16") == "bfloat16"
    again = open_stage(tmp_path / "run", "pretrain", {}, {})
    assert again.freeze_choice("dtype", lambda: "float32") == "bfloat16"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"inner": float("-inf")}])
def test_a_stage_whose_figures_are_no_numbers_is_not_complete(tmp_path: Path, value: object) -> None:
    folder = open_stage(tmp_path / "run", "pretrain", {}, {})
    with pytest.raises(ConfigError, match=r"a finite heldout_nats.* at the end of pretrain"):
        folder.finish({"tokens": 3, "heldout_nats": value})
    assert open_stage(tmp_path / "run", "pretrain", {}, {}).state == "unfinished"


def test_a_lock_is_no_part_of_what_comes_out(tmp_path: Path) -> None:
    with lock_folder(tmp_path / "run"):
        folder = open_stage(tmp_path / "run", "pretrain", {}, {})
        (folder / "a").write_text("x")
        folder.finish({})
    assert list(folder.record["outputs"]) == ["a"]


@pytest.mark.parametrize(
    ("moments", "counted"),
    [
        ([1, 2, 3, 4, 903, 904], 5.0),  # it slept before the fifth step
        ([1, 2, 3, 4, 100, 101], 101.0),  # it was busy
        ([200, 400, 600], 600.0),  # it is slow
        ([10, 20, 500, 510], 510.0),
    ],
)
def test_a_machine_that_sleeps_is_not_slow(
    tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch, moments: list[float], counted: float
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("gptwright.foundations.runs.time.monotonic", lambda: clock[-1])
    folder = opened(tmp_path, config)
    for moment in moments:
        clock.append(1000 + moment)
        folder.note_step()
    folder.save()
    assert folder.record["seconds"] == counted
