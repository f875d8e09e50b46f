"""One sandbox for all tests of it."""

import pytest

from gptwright.sandbox.sandbox import Limits, Sandbox


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    """With a second of processor time for each program."""
    return Sandbox(Limits(seconds=1))
