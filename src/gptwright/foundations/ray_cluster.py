"""Ray: a cluster of this process, or the one that RAY_ADDRESS names."""

import logging
import os
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from gptwright.foundations.errors import ProcessLost, ResourceError

STARTS = 2  # of Ray, which waits 30 seconds for itself: the second finds its files in memory
OWN = "local"  # Ray's word for a cluster of this process, whatever else runs on this machine
SECONDS_TO_ANSWER = 10
SECONDS_AWAY = 30.0


@contextmanager
def open_ray(what_for: str) -> Generator[Any]:
    """The module `ray`, connected to the cluster that RAY_ADDRESS names, or to one that ends with the block.

    Raises `ResourceError` when Ray is not installed or does not start.
    """
    ray = require_ray(what_for)
    _start(ray)
    try:
        yield ray
    finally:
        ray.shutdown()


def require_ray(what_for: str) -> Any:
    """The module `ray`. Raises `ResourceError` when it is not installed, or nobody is at RAY_ADDRESS."""
    if os.environ.get("RAY_ADDRESS"):
        os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "1")  # of some 40 seconds; Ray looks 20 times for a cluster
    try:
        ray: Any = import_module("ray")
    except ImportError as error:
        raise ResourceError(f"Ray for {what_for}", "none", "pip install 'gptwright[ray]'") from error
    address = os.environ.get("RAY_ADDRESS", "")
    try:
        _call(address)
    except (OSError, OverflowError) as error:
        raise _not_there(address, error) from error
    return ray


def _start(ray: Any) -> None:
    address = os.environ.get("RAY_ADDRESS") or OWN
    for left in reversed(range(STARTS if address == OWN else 1)):
        try:
            ray.init(address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
            return
        except Exception as error:  # Ray raises a bare one when its node is too slow
            ray.shutdown()
            if not left:
                raise _not_there(address, error) from error


def _call(address: str) -> None:
    """Raises `OSError` where nothing listens at an address of a host and a port."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), SECONDS_TO_ANSWER).close()


def _not_there(address: str, error: Exception) -> ResourceError:
    got = str(error).rstrip(".")
    if address == OWN:
        return ResourceError("Ray, started within 30 seconds", got,
                             "Try again when the machine is less busy, or start one (`ray start --head`) and set "
                             "RAY_ADDRESS=auto.")  # fmt: skip
    return ResourceError(f"a Ray cluster at RAY_ADDRESS={address}", got,
                         "Start it there (`ray start --head`), correct the address, set RAY_AUTH_MODE=token for one "
                         "with a token, or unset RAY_ADDRESS to work on this machine.")  # fmt: skip


class Head:
    """The process of a cluster without which Ray ends all others after a minute. It may be away for a moment."""

    def __init__(self, ray: Any) -> None:
        self.address: str = ray.get_runtime_context().gcs_address
        self.seen()
        try:
            _call(self.address)
        except OSError:  # through a proxy it is seen by its cluster alone
            self.address = ""

    def seen(self) -> None:
        """It is there now."""
        self._since = time.monotonic()

    def require(self) -> None:
        """Raises `ProcessLost` when it has not been there for too long."""
        try:
            _call(self.address)
        except OSError as error:
            if time.monotonic() - self._since > SECONDS_AWAY:
                raise ProcessLost(f"the head of the Ray cluster at {self.address}", f"nobody there ({error})",
                                  "Start it again (`ray start --head`), and give the same command again: it goes on "
                                  "from what was done.") from error  # fmt: skip
        else:
            self.seen()
