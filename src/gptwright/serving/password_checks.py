"""Whether a password is somebody's: a few tries by name and by address, one at a time, and a miss tells nothing."""

import asyncio
import ipaddress
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from gptwright.serving.api_errors import APIError
from gptwright.serving.quota import Quotas
from gptwright.serving.transactions import Transactions
from gptwright.store.passwords import hash_password, matches, password_hash

FROM_ADDRESS, FOR_NAME = 10, 20
"""wrong passwords in `SECONDS`. Fewer from an address: who guesses from one shuts nobody out"""
SECONDS = 900.0
WAITING = 32
"""checks that wait for the one that runs: each takes memory and time, on purpose"""


class PasswordChecks:
    """Passwords against the store."""

    def __init__(self, store: Transactions) -> None:
        self.store, self.quotas = store, Quotas()
        self.turn, self.waiting = asyncio.Semaphore(1), 0

    async def check(self, request: Request, name: str, password: str) -> str:
        """The hash that the password matches. Raises `APIError`: 401 alike for a wrong password and an unknown name,
        429 after too many of either."""
        ids = {f"address {address_of(request)}": FROM_ADDRESS, f"name {name}": FOR_NAME}
        for id, most in ids.items():
            self.quotas.spend(id, most, seconds=SECONDS, what="There may be {} wrong passwords")
        hash = await self.store.read(lambda session: password_hash(session, name))
        async with self._one_at_a_time():
            right = await run_in_threadpool(matches, hash, password)
        if not right or hash is None:
            raise wrong_password()
        for id in ids:
            self.quotas.give_back(id)
        return hash

    async def hash(self, password: str) -> str:
        """Of a new one. Raises `APIError` (429) when too many wait, and as `hash_password` does."""
        async with self._one_at_a_time():
            return await run_in_threadpool(hash_password, password)

    @asynccontextmanager
    async def _one_at_a_time(self) -> AsyncGenerator[None]:
        if self.waiting >= WAITING:
            raise APIError(429, "Too many passwords are being checked.", code="rate_limit_exceeded")
        self.waiting += 1
        try:
            async with self.turn:
                yield
        finally:
            self.waiting -= 1


def wrong_password() -> APIError:
    """The same for a name that nobody has."""
    return APIError(401, "This is no name and password of somebody who may come in.", code="invalid_login")


def address_of(request: Request) -> str:
    """Where a request comes from; of IPv6 the network, for one household has all of its addresses."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address) or address.ipv4_mapped:
        return host.removeprefix("::ffff:")
    return f"{int(address) >> 64:x}::/64"
