"""The study's server, in a process of its own: stdin asks, stdout answers, a line of JSON each.

It ends with its stdin, and so cannot outlive the study, however that has ended.
"""

import json
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import trio

from aio import Engine
from aio.compare.figures import SLOTS
from aio.compare.stalls import LoopIterations
from aio.compare.usage import Usage
from smbd.config import Address, Config, ServerConfig, ShareConfig, UserConfig
from smbd.server import Server, serving, settle
from smbd.server.building import open_shares


class _Run:
    """The costs of one run: of the process with all its threads, of the loop, of one engine.

    From its beginning to its end nothing but an instrument in the loop disturbs it.
    """

    def __init__(self, engine: Engine, seconds: float) -> None:
        self._engine = engine
        self._iterations = LoopIterations(seconds, SLOTS)
        self._stats = engine.statistics()
        self._usage = Usage.now()
        trio.lowlevel.add_instrument(self._iterations)
        self._iterations.resume()

    def end(self) -> dict[str, Any]:
        """The costs."""
        self._iterations.pause()
        trio.lowlevel.remove_instrument(self._iterations)
        return {
            "usage": Usage().plus_since(self._usage),
            "iterations": self._iterations.slots,
            "stats": self._engine.statistics().since(self._stats),
        }


class _Desk:
    """Where the questions are answered."""

    def __init__(self, server: Server, folder: Path) -> None:
        self._service, self._folder = server.service, folder
        self._run: _Run | None = None

    async def answer(self, question: Mapping[str, Any]) -> dict[str, Any]:
        match question:
            case {"ask": "open", "share": str(name), "engine": str(engine), "options": options}:
                return {"problem": await self._open(name, engine, options)}
            case {"ask": "begin", "share": str(name), "seconds": float(seconds)}:
                self._run = _Run(self._service.shares[name].engine, seconds)
                return {}
            case {"ask": "end"} if self._run is not None:
                run, self._run = self._run, None
                return run.end()
        raise ValueError(f"no question, or not now: {question}")

    async def _open(self, name: str, engine: str, options: Mapping[str, int]) -> str:
        """Serve one share more; why that cannot be, or nothing."""
        config = ShareConfig(name, self._folder, engine=engine, engine_options=options)
        try:
            self._service.shares |= await open_shares([config], {})
        except OSError as error:
            return error.strerror or str(error)
        except ValueError as error:  # an option that this engine does not have
            return str(error)
        return ""


async def _main() -> None:
    questions = _questions()
    first = await anext(questions)
    config = Config(
        ServerConfig(listen=(Address("127.0.0.1", 0),), signing="enabled"),
        users=(UserConfig(first["user"], first["password"]),),
    )
    async with serving(config) as server:
        desk = _Desk(server, Path(first["folder"]))
        settle()  # as `tsmbd serve` does
        _say({"port": server.addresses[0].port})
        async for question in questions:
            _say(await desk.answer(question))
        # Not the way out that `serving` has: it would flush files that are thrown away, to a disk
        # that may be slow, while somebody waits to unmount it.
        os._exit(0)


async def _questions() -> AsyncIterator[dict[str, Any]]:
    async with trio.lowlevel.FdStream(os.dup(0)) as stdin:
        rest = b""
        async for data in stdin:
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                yield json.loads(line)


def _say(answer: Mapping[str, Any]) -> None:
    print(json.dumps(answer), flush=True)  # noqa: T201 -- the pipe


if __name__ == "__main__":
    trio.run(_main)
