"""A pool of killable processes for blocking nodes: tables, parsing, compression, files.

Invariant: cancelling a call or its time limit kills the process that works on it; a process serves one call at a
time, and its death concerns that call only, which is made again: like a worker's death it may say nothing about
the node, and a blocking node has no effects on the outside. JSON over its pipes, never pickle.
"""

import asyncio
import logging
import struct
import sys
from pathlib import Path
from typing import Any

from structforge.domain.errors import Problem, sentence
from structforge.domain.values import decode_json, encode_json
from structforge.engine.environment import LogSink, ProcessCall
from structforge.sdk.context import NodeError
from structforge.sdk.node import Ports

logger = logging.getLogger(__name__)

HEADER = struct.Struct(">I")
MAX_FRAME_BYTES = 1 << 30
DEATHS_PER_CALL = 3
"""So many processes that die over one call fail it."""


class _Child:
    """One process of the pool."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def call(self, request: bytes) -> bytes:
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise RuntimeError("a pool process needs its pipes")
        stdin.write(HEADER.pack(len(request)) + request)
        await stdin.drain()
        (size,) = HEADER.unpack(await stdout.readexactly(HEADER.size))
        return await stdout.readexactly(size)

    async def kill(self) -> None:
        if self.alive:
            self._process.kill()
        await self._process.wait()


class ProcessPool:
    """Implements `engine.environment.ProcessRunner` with at most `size` processes, started when needed."""

    def __init__(self, size: int, artifacts_dir: Path, files_dir: Path, file_max_bytes: int) -> None:
        self._free: asyncio.LifoQueue[_Child] = asyncio.LifoQueue()
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
        self._free.put_nowait(await self._start())

    async def close(self) -> None:
        """End the idle processes; busy ones end with their cancelled calls."""
        while not self._free.empty():
            await self._free.get_nowait().kill()

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
        for _ in range(DEATHS_PER_CALL):
            child = await self._take()
            try:
                answer = await child.call(request)
            except (asyncio.IncompleteReadError, ConnectionError, BrokenPipeError):
                await child.kill()
                logger.warning("a process of the pool died at work")
            except BaseException:
                # Cancelled or out of time: nobody reads the answer any more, so the process has to go.
                await child.kill()
                raise
            else:
                self._free.put_nowait(child)
                return answer
        raise NodeError(
            "step.process_died",
            sentence(
                "The process that worked on this step died, {deaths_per_call} times in a row.",
                deaths_per_call=DEATHS_PER_CALL,
            ),
            hint="It may have run out of memory: filter the data earlier or raise the machine's memory.",
            final=False,
        )

    async def _take(self) -> _Child:
        while not self._free.empty():
            child = self._free.get_nowait()
            if child.alive:
                return child
        return await self._start()

    async def _start(self) -> _Child:
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        return _Child(process)


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
