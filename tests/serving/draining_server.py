"""A server whose model writes a word every some hundredths of a second, as a process that a test may stop."""

import sys
import time

from tests.serving.conftest import FakeModel

from gptwright.serving.api import create_app
from gptwright.serving.server import serve_until_stopped, take_port
from gptwright.store.database import open_store

REPLY = " ".join(str(number) for number in range(30))


class SlowModel(FakeModel):
    """Takes its time."""

    def step(self) -> None:
        time.sleep(0.02)
        super().step()


def serve(place: str) -> None:
    """Prints its port once it answers."""
    port = take_port("127.0.0.1", 0)
    with open_store(place) as store:
        app = create_app({"tiny": SlowModel(reply=REPLY, max_requests=2)}, store)  # pyright: ignore[reportArgumentType]
        serve_until_stopped(app, port, lambda: print(port.getsockname()[1], flush=True))
    print("ended", flush=True)


if __name__ == "__main__":
    serve(sys.argv[1])
