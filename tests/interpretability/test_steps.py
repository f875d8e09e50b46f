"""Work in steps comes to its end, or is left between two."""

from gptwright.interpretability.steps import Steps, finished


def test_the_end_is_what_comes_of_it() -> None:
    done: list[int] = []

    def work(steps: int) -> Steps[str]:
        for step in range(steps):
            done.append(step)
            yield
        return f"after {len(done)}"

    assert finished(work(3)) == "after 3" and finished(work(0)) == "after 3"
    begun = work(9)
    next(begun)
    begun.close()
    assert done == [0, 1, 2, 0]
