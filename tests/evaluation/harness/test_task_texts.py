from pathlib import Path

import pytest

from gptwright.evaluation.harness.task_texts import task_texts
from gptwright.foundations.errors import InputError


def test_every_text_of_a_task_wherever_it_stands(tmp_path: Path) -> None:
    (tmp_path / "test.jsonl").write_text('{"question": "Who?", "choices": ["a", ["b"]], "more": {"x": "c"}, "n": 1}\n')
    (tmp_path / "mine.yaml").write_text(
        "task: mine\ndataset_path: json\ndataset_kwargs: {data_files: {test: test.jsonl}}\ntest_split: test\n"
        'output_type: generate_until\ndoc_to_text: "{{question}}"\ndoc_to_target: question\n'
    )
    assert list(task_texts(str(tmp_path / "mine.yaml"))) == ["Who?", "a", "b", "c"]


def test_bundled_tasks_by_name_and_one_that_is_not_here() -> None:
    assert any("def has_close_elements" in text for text in task_texts("humaneval"))
    with pytest.raises(InputError, match="hellaswag"):
        list(task_texts("hellaswag"))
