"""Requests of every command, on open files and pipes, whose bodies are nearly right."""

import logging
import shutil
from pathlib import Path
from random import Random

from smbd.ntstatus import ProtocolError
from tests.commands.stage import Stage, on_stage
from tests.commands.test_rights import FILES, FOLDERS, Disk
from tests.core import messages, nonsense
from tests.core.messages import CLOSE, CREATE, FILE_OPEN

from .mutation import mutant

_OF_ONE_CLIENT = 150
_MOST_FILES = 60
_MOST_WAITING = 50  # LOCKs, CHANGE_NOTIFYs and READs of a pipe


class Unexpected(logging.Handler):
    """Hears of what the server logs with a traceback: our bugs."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.first = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Count it."""
        if record.exc_info:
            self.count += 1
            self.first = self.first or f"{record.getMessage()}: {record.exc_info[1]!r}"


async def fuzz(folder: Path, random: Random, inputs: int) -> Unexpected:
    """Send so many requests; what was not expected of them."""
    unexpected = Unexpected()
    logger = logging.getLogger("smbd")
    logger.addHandler(unexpected)
    try:
        for number in range(0, inputs, _OF_ONE_CLIENT):
            served = folder / f"{number}"
            (served / "d").mkdir(parents=True)
            (served / "a").write_bytes(b"content of a")
            async with on_stage(served, Disk()) as stage:
                await _Client(stage, random).speak(min(_OF_ONE_CLIENT, inputs - number))
            shutil.rmtree(served, ignore_errors=True)
    finally:
        logger.removeHandler(unexpected)
    return unexpected


class _Client:
    def __init__(self, stage: Stage, random: Random) -> None:
        self._stage = stage
        self._random = random
        self._share = stage.peer.session.tree_id
        self._pipes = stage.session.connect(None, 0x1F01FF, encrypt=False).tree_id
        self._files: list[bytes] = []
        self._pipe = b""
        stage.settle(max_transact=1 << 20)

    async def speak(self, requests: int) -> None:
        for name, options in (("a", 0), ("d", 1), ("", 1), ("new", 0)):
            await self._ask(CREATE, messages.create(name, options=options))
        self._stage.peer.session.tree_id = self._pipes
        self._stage.ask(CREATE, messages.create("srvsvc", access=3, disposition=FILE_OPEN))
        self._pipe = (await self._stage.answer()).file_id
        for _ in range(requests):
            await self._one()
            if self._stage.dispatch.in_work > _MOST_WAITING:
                return

    async def _one(self) -> None:
        random = self._random
        file_id = random.choice(self._files)
        command, right = self._request(file_id)
        at_pipe = random.random() < 0.05
        self._stage.peer.session.tree_id = self._pipes if at_pipe else self._share
        if at_pipe:
            right, file_id = right.replace(file_id, self._pipe), self._pipe
        body = mutant(random, [right])
        if random.random() < 0.8 and file_id in right:  # most are about a file that is open
            at = right.index(file_id)
            body = body[:at] + file_id + body[at + len(file_id) :]
        await self._ask(command, body)

    def _request(self, file_id: bytes) -> tuple[int, bytes]:
        if self._random.random() < 0.5:
            return self._random.choice(
                [one for one in nonsense.bodies(self._random, file_id) if one[0] != CLOSE]
            )
        command, body, _ = self._random.choice((*FILES.values(), *FOLDERS.values()))
        return command, body(file_id)

    async def _ask(self, command: int, body: bytes) -> None:
        try:
            self._stage.ask(command, body, charge=4)
        except ProtocolError:
            return
        for answer in await self._stage.answers():
            if answer.command == CREATE and not answer.status and len(self._files) < _MOST_FILES:
                self._files.append(answer.file_id)
