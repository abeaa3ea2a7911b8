"""A pool of killable processes for blocking nodes: tables, parsing, compression, files.

Invariant: cancelling a call or its time limit kills the process that works on it; a process serves one call at a
time, and its death concerns that call only, which is made again: a blocking node has no effects on the outside.
A death counts against the node only as far as it says something about it. JSON over its pipes, never pickle.
"""

import asyncio
import logging
import re
import signal
import struct
import sys
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from structforge.domain.errors import Problem, sentence
from structforge.domain.values import decode_json, encode_json
from structforge.engine.environment import LogSink, ProcessCall
from structforge.sdk.context import ARTIFACT_KEY, NodeError
from structforge.sdk.node import Ports

logger = logging.getLogger(__name__)

HEADER = struct.Struct(">I")
READY = b"\n"
"""The first thing a process says: it has loaded the nodes."""
MAX_FRAME_BYTES = 1 << 30
DEATHS_PER_CALL = 3
"""So many processes that end themselves over one call, or that the kernel ends for want of memory, fail it."""
KILLS_PER_CALL = 10
"""So many that somebody else killed: that says little about the node, but nothing is tried for ever."""
START_PATIENCE_S = 60.0
"""How long one call tries to get a process that has started."""
START_PAUSE_S = 0.2
END_S = 5.0
REMEMBERED_ARTIFACTS = 64
"""Of so many artifacts it is known which process has them in memory."""
_MARK = f'"{ARTIFACT_KEY}"'.encode()
_DIGEST = re.compile(rb'"hash":"([0-9a-f]{64})"')
VM_STATISTICS = Path("/proc/vmstat")


class _Child:
    """One process of the pool."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._ready = False
        self._starved = _starved()
        self._handled: OrderedDict[str, None] = OrderedDict()

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    @property
    def was_killed(self) -> bool:
        """Somebody ended it, and not the kernel for want of memory."""
        starved = _starved()
        return (
            self._process.returncode == -signal.SIGKILL and starved is not None and starved == self._starved
        )

    def handled(self, digests: Iterable[str]) -> None:
        """Note artifacts that it read or made, which it may still have in memory."""
        for digest in digests:
            self._handled[digest] = None
            self._handled.move_to_end(digest)
        while len(self._handled) > REMEMBERED_ARTIFACTS:
            self._handled.popitem(last=False)

    def knows(self, digests: Iterable[str]) -> int:
        """Return how many of the artifacts it read or made lately."""
        return sum(digest in self._handled for digest in digests)

    async def ready(self) -> bool:
        """Wait until it has started; False when it died before."""
        if not self._ready and self._process.stdout is not None:
            self._ready = await self._process.stdout.read(len(READY)) == READY
        return self._ready

    async def call(self, request: bytes) -> bytes:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("a pool process needs its pipes")
        stdin.write(HEADER.pack(len(request)) + request)
        await stdin.drain()
        (size,) = HEADER.unpack(await stdout.readexactly(HEADER.size))
        return await stdout.readexactly(size)

    async def gone(self) -> None:
        """Wait for the end of one that closed its pipes: by itself, so that its exit code says why."""
        try:
            async with asyncio.timeout(END_S):
                await self._process.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        if self.alive:
            self._process.kill()
        await self._process.wait()


class ProcessPool:
    """Implements `engine.environment.ProcessRunner` with at most `size` processes, started when needed."""

    def __init__(self, size: int, artifacts_dir: Path, files_dir: Path, file_max_bytes: int) -> None:
        self._free: list[_Child] = []
        self._room = asyncio.Semaphore(size)
        self._command = [
            sys.executable,
            "-m",
            "structforge.runtime.process_child",
            str(artifacts_dir),
            str(files_dir),
            str(file_max_bytes),
        ]

    async def warm(self) -> None:
        """Start one process ahead of the first call; more would compete with the start of the web process."""
        self._free.append(await self._start())

    async def close(self) -> None:
        """End the idle processes; busy ones end with their cancelled calls."""
        while self._free:
            await self._free.pop().kill()

    async def run(self, call: ProcessCall, log: LogSink) -> Any:
        """Run a blocking node; see `ProcessRunner.run`."""
        request = encode_json(
            {
                "type": call.node_type,
                "parameters": call.parameters,
                "inputs": dict(call.inputs),
                "run_id": str(call.run.run_id),
                "organization_id": str(call.run.organization_id),
                "step_key": call.step_key,
                "attempt": call.attempt,
            }
        )
        async with self._room:
            answer = await self._ask(request)
        return _result(decode_json(answer, max_bytes=MAX_FRAME_BYTES), log)

    async def _ask(self, request: bytes) -> bytes:
        digests = _digests(request)
        deaths = kills = 0
        while deaths < DEATHS_PER_CALL and kills < KILLS_PER_CALL:
            child = await self._take(digests)
            try:
                answer = await child.call(request)
            except (asyncio.IncompleteReadError, ConnectionError):
                await child.gone()
                if child.was_killed:
                    kills += 1
                else:
                    deaths += 1
                logger.warning("a process of the pool died at work: %d by itself, %d killed", deaths, kills)
            except BaseException:
                # Cancelled or out of time: nobody reads the answer any more, so the process has to go.
                await child.kill()
                raise
            else:
                child.handled([*digests, *_digests(answer)])
                self._free.append(child)
                return answer
        raise NodeError(
            "step.process_died",
            sentence(
                "The process that worked on this step died, {deaths} times in a row.", deaths=deaths + kills
            ),
            hint="It may have run out of memory: filter the data earlier or raise the machine's memory.",
            final=False,
        )

    async def _take(self, digests: Sequence[str] = ()) -> _Child:
        """Return a process that has started: one that dies before says nothing about the call.

        One that knows most of these artifacts comes first, among equals the one that worked last.
        """
        clock = asyncio.get_running_loop().time
        give_up, pause_s = clock() + START_PATIENCE_S, START_PAUSE_S
        while True:
            fresh = not self._free
            child = await self._start() if fresh else self._best(digests)
            try:
                if await child.ready() and child.alive:
                    return child
            except BaseException:
                await child.kill()
                raise
            await child.kill()
            if not fresh:
                continue
            logger.warning("a process of the pool died before it had started")
            if clock() > give_up:
                raise NodeError(
                    "step.no_process",
                    sentence(
                        "No process for this step could be started within {limit_s} seconds.",
                        limit_s=round(START_PATIENCE_S),
                    ),
                    hint="The log of the worker says why.",
                    final=False,
                )
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, 2.0)

    def _best(self, digests: Sequence[str]) -> _Child:
        place = max(range(len(self._free)), key=lambda index: (self._free[index].knows(digests), index))
        return self._free.pop(place)

    async def _start(self) -> _Child:
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        return _Child(process)


def _digests(message: bytes) -> list[str]:
    """Return the hashes of the artifacts that a call or an answer mentions."""
    return [digest.decode() for digest in _DIGEST.findall(message)] if _MARK in message else []


def _starved() -> int | None:
    """Return how many processes of this machine the kernel has ended for want of memory; None where it does not say."""
    try:
        lines = VM_STATISTICS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), None)


def _result(answer: Any, log: LogSink) -> Any:
    for line in answer["logs"]:
        log(line["level"], line["message"], line["fields"])
    if "error" in answer:
        problem = Problem.from_json(answer["error"])
        raise NodeError(
            problem.code,
            problem.message,
            where=problem.where,
            hint=problem.hint,
            final=answer["final"],
            **problem.details,
        )
    return Ports(answer["ports"]) if "ports" in answer else answer["value"]
