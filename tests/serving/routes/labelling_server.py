"""A server without a model, as a process that a test may kill."""

from gptwright.serving.api import create_app
from gptwright.serving.server import serve_until_stopped, take_port
from gptwright.store.database import open_store


def serve(place: str, port: int) -> None:
    """Until it is killed."""
    with open_store(place) as store:
        serve_until_stopped(create_app({}, store), take_port("127.0.0.1", port), lambda: None)
