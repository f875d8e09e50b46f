"""The port and the running server: taken first, before a model is loaded for nothing; left cleanly on Ctrl-C, and on
SIGTERM once what is written has come to its end."""

import asyncio
import errno
import ipaddress
import os
import signal
import socket
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import cast

import uvicorn
from fastapi import FastAPI

from gptwright.foundations.errors import ConfigError, ResourceError
from gptwright.serving.connections import BoundedConnection

DRAIN_SECONDS = 20.0
"""for what is being written when the server is asked to end; who ends servers often kills them after 30"""
CLOSE_SECONDS = 5.0
"""for the connections to end after that"""


def check_public(host: str, keys: Mapping[str, str], *, passwords: bool = False) -> None:
    """Raises `ConfigError` when other machines could reach the server, and neither a key nor the password of an owner
    keeps them out."""
    if not all(key.strip() for key in keys.values()):
        raise ConfigError("a key of at least one character", "an empty one", "Give --api-key KEY, or leave it out.")
    if not (keys or passwords or is_loopback(host)):
        raise ConfigError(f"a key or an owner's password, because {host} can be reached from other machines", "neither",
                          "Give --api-key KEY, or a password: gptwright store user RUN --name NAME --role owner. Leave "
                          "--host out to serve this machine only.")  # fmt: skip


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def take_port(host: str, port: int) -> socket.socket:
    """A socket that holds the address; port 0 takes any free one.

    Raises `ResourceError` when the port is in use or not ours to take, `ConfigError` when there is no such address.
    """
    if not 0 <= port <= 65535:
        raise ConfigError("a port from 0 to 65535", str(port), "Give another --port.")
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise ConfigError("an address of this machine for --host", f"'{host}'", "Leave --host out.") from error
    held = socket.socket(family, kind)
    try:
        if os.name == "posix":  # a port of a server that has just ended is free
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(address)
        held.listen(128)
    except OSError as error:
        held.close()
        raise _refused(error, host, port) from error
    return held


def _refused(error: OSError, host: str, port: int) -> ConfigError | ResourceError:
    if error.errno == errno.EADDRINUSE:
        return ResourceError(
            f"port {port}", "in use by another program", f"Give another one: --port {port % 65535 + 1}"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return ResourceError(
            f"port {port}", "one that only the administrator may take", "Give another one: --port 8000"
        )
    return ConfigError("an address of this machine for --host", f"'{host}' ({error.strerror})", "Leave --host out.")


class _Server(uvicorn.Server):
    """Says when it is ready. Asked to end by SIGTERM it lets in nobody else, and writes the replies that it has begun,
    and those that wait, to their end, in bounded time; otherwise it ends them."""

    drain_seconds = 0.0

    def __init__(self, app: FastAPI, ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=BoundedConnection,
                ws="none",
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=int(DRAIN_SECONDS + 2 * CLOSE_SECONDS),
            )
        )
        self.app, self.ready = app, ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.drain_seconds = DRAIN_SECONDS if sig == signal.SIGTERM else 0.0
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        loop = asyncio.get_running_loop()
        timers = [
            loop.call_later(self.drain_seconds, close_workers, self.app),
            loop.call_later(self.drain_seconds + CLOSE_SECONDS, self._abort),
        ]
        await super().shutdown(sockets)
        for timer in timers:
            timer.cancel()
        self._captured_signals.clear()  # uvicorn would send itself the signal again, which ends the process

    def _abort(self) -> None:
        """Whoever still sends, or takes nothing, is left."""
        for connection in cast("set[BoundedConnection]", self.server_state.connections):
            connection.transport.abort()


def close_workers(app: FastAPI) -> None:
    """Ends the running requests of all models."""
    for worker in app.state.workers:
        worker.close()


def serve_until_stopped(app: FastAPI, held: socket.socket, ready: Callable[[], None]) -> None:
    """Serves `app` on the socket; calls `ready` once it answers; returns after Ctrl-C or SIGTERM."""
    try:
        _Server(app, ready).run(sockets=[held])
    finally:
        held.close()


@contextmanager
def serving(app: FastAPI, held: socket.socket) -> Generator[None]:
    """Serves `app` beside the block, in a thread of its own, and stops when the block ends."""
    ready = threading.Event()
    server = _Server(app, ready.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [held]}, name="server", daemon=True)
    thread.start()
    ready.wait(timeout=10)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        held.close()
