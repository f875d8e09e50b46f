"""Jobs as processes beside the server: followed line by line, stopped, and found when a server has died."""

import asyncio
import contextlib
import os
import socket
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from collections import deque
from collections.abc import Sequence
from typing import Any

import psutil
from sqlalchemy import select
from sqlalchemy.orm import Session

from gptwright.foundations.progress import read_progress
from gptwright.serving.transactions import Transactions
from gptwright.store.jobs import end_job, report_job
from gptwright.store.tables import Job

TAIL = 40
"""lines of a job that are kept"""
LOST = "The server ended while this ran. Ask for it again: it goes on where it was."
GRACE = 20.0  # seconds in which a process that is told to end may save its work


async def run_process(store: Transactions, id: str, command: Sequence[str]) -> dict[str, Any] | None:
    """Runs a command as the job `id`, which is running. What came of it: exit code and last lines; None when it was
    cancelled."""
    process = await asyncio.create_subprocess_exec(*command, stdin=None, stdout=PIPE, stderr=STDOUT)
    try:
        lines = await _follow(store, id, process)
        code = await process.wait()
    finally:
        await _end(process)
    return None if lines is None else {"code": code, "lines": lines}


async def _follow(store: Transactions, id: str, process: Process) -> list[str] | None:
    """Reports every line. None as soon as the job is cancelled."""
    assert process.stdout
    known = {"server": _identity(os.getpid()), "process": _identity(process.pid)}
    lines: deque[str] = deque(maxlen=TAIL)
    far: dict[str, Any] = {}
    reading = asyncio.ensure_future(process.stdout.readline())
    while True:
        await asyncio.wait({reading}, timeout=0.5)
        if reading.done():
            raw = reading.result()
            if not raw:
                return list(lines)
            lines.append(raw.decode("utf-8", "replace").rstrip())
            if progressed := read_progress(lines[-1]):
                far = progressed._asdict()
            reading = asyncio.ensure_future(process.stdout.readline())
        said = {**known, **far, "line": lines[-1] if lines else "", "time": time.time()}
        if not await store.write(lambda session, said=said: report_job(session, id, said)):
            reading.cancel()
            return None


async def _end(process: Process) -> None:
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), GRACE)
    except TimeoutError:
        process.kill()
        await process.wait()


def _identity(pid: int) -> dict[str, Any]:
    """Of a process, so that another of the same number later is not taken for it."""
    try:
        return {"host": socket.gethostname(), "pid": pid, "began": psutil.Process(pid).create_time()}
    except psutil.Error:
        return {"host": socket.gethostname(), "pid": pid, "began": 0.0}


def _alive(known: dict[str, Any]) -> psutil.Process | None:
    try:
        process = psutil.Process(known["pid"])
        same = process.create_time() == known["began"] and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return None
    return process if same else None


def end_lost_jobs(session: Session) -> int:
    """Ends the jobs of this machine whose server has died, and their processes; how many those were."""
    count = 0
    for job in session.scalars(select(Job).where(Job.state == "running")).all():
        server: dict[str, Any] = job.progress.get("server", {"host": socket.gethostname(), "pid": 0, "began": 0.0})
        if server["host"] != socket.gethostname() or _alive(server):
            continue
        if process := _alive(job.progress.get("process", server)):
            with contextlib.suppress(psutil.Error):
                process.terminate()
        count += end_job(session, job.id, "failed", {"error": LOST})
    return count
