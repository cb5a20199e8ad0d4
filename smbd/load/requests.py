"""The frames of one connection's requests: packed once, and then overwritten for each operation.

What differs from one to the next is the message ids, the offset or the name, and the signature.
"""

import os
from dataclasses import dataclass
from random import Random
from struct import Struct

from smbd.load.session import (
    CLOSE,
    CREATE,
    CREDITS_ASKED,
    FRAME,
    HEADER,
    QUERY_INFO,
    READ,
    RELATED,
    SIGNATURE_AT,
    SIGNED,
    WRITE,
    Session,
    create_body,
)
from smbd.load.work import DIGITS, Work

_CREDIT = 65536  # bytes of payload that one credit pays for
_READ_BODY = Struct("<HBBIQ16sIIIHHB")
_WRITE_BODY = Struct("<HHIQ16sIIHHI")
_CLOSE_BODY = Struct("<HHI16s")
_QUERY_INFO_BODY = Struct("<HBBIHHIII16s")
_ALL_INFORMATION, _OF_A_FILE = 18, 1
_PREVIOUS = b"\xff" * 16  # in a compound: the file that the request before has opened
_READS, _ATTRIBUTES, _READS_WRITES, _DELETES = 0x00120089, 0x00000080, 0x0012019F, 0x00010080
_OPEN, _CREATE = 1, 2
_NO_DIRECTORY, _DELETE_ON_CLOSE = 0x40, 0x1000
_U64 = Struct("<Q")
_MESSAGE_ID_AT = 24  # in a header
_OFFSET_AT = FRAME.size + HEADER.size + 8  # in READ and WRITE alike
_NAME_AT = FRAME.size + HEADER.size + 56  # in CREATE
_NO_SIGNATURE = bytes(16)


@dataclass(frozen=True, slots=True)
class _Part:
    """One message of a frame."""

    command: int
    body: bytes


class Requests:
    """One operation's frame: a READ, a WRITE, or a compound that begins with a CREATE."""

    def __init__(self, session: Session, file: bytes, work: Work) -> None:
        self._session = session
        # Of one message, the credits that it takes are its message ids; of a compound, one each.
        self.credits = (work.size - 1) // _CREDIT + 1 if work.places else len(_compound(work))
        self.last = 0 if work.places else self.credits - 1  # the last message's id, by the first's
        self._draw, self._writes = Random(0).random, work.writes  # noqa: S311 -- no secret
        parts = [_read_or_write(work, file)] if work.places else _compound(work)
        self._frame, self._starts = self._packed(parts)
        other = [_read_or_write(work, file, mixed=True)]
        self._mixed = self._packed(other)[0] if work.writes else bytearray()
        self.longest = max(len(self._frame), len(self._mixed))
        name = work.file(0).encode("utf-16-le")
        self._pack = self._place if work.places else self._name
        self._digits = slice(_NAME_AT + len(name) - 2 * DIGITS, _NAME_AT + len(name))

    def _packed(self, parts: list[_Part]) -> tuple[bytearray, list[int]]:
        """A frame, and where each of its messages begins."""
        session, frame, starts = self._session, bytearray(FRAME.size), []
        charge = self.credits if len(parts) == 1 else 1
        for number, part in enumerate(parts, 1):
            starts.append(len(frame))
            size = HEADER.size + len(part.body)
            padding = -size % 8 if number < len(parts) else 0
            flags = (SIGNED if session.signer else 0) | (RELATED if number > 1 else 0)
            following = size + padding if number < len(parts) else 0
            frame += HEADER.pack(
                b"\xfeSMB", 64, charge, 0, part.command, CREDITS_ASKED, flags, following, 0,
                0, session.tree_id, session.session_id, _NO_SIGNATURE,
            ) + part.body + bytes(padding)  # fmt: skip
        FRAME.pack_into(frame, 0, len(frame) - FRAME.size)
        return frame, starts

    def frame(self, number: int, message_id: int) -> bytearray | bytes:
        """An operation's frame, at an offset or for a file's number; good until the next one's."""
        frame = self._frame
        if self._writes and self._draw() < self._writes:
            frame = self._mixed
        self._pack(frame, number)
        for further, start in enumerate(self._starts):
            _U64.pack_into(frame, start + _MESSAGE_ID_AT, message_id + further)
        session = self._session
        if session.signer is not None:
            self._sign(frame, message_id)
        if session.sealer is not None:
            with memoryview(frame) as view:
                sealed = session.sealer.seal(view[FRAME.size :])
            return FRAME.pack(len(sealed)) + sealed
        return frame

    @staticmethod
    def _place(frame: bytearray, offset: int) -> None:
        _U64.pack_into(frame, _OFFSET_AT, offset)

    def _name(self, frame: bytearray, number: int) -> None:
        frame[self._digits] = f"{number:0{DIGITS}}".encode("utf-16-le")

    def _sign(self, frame: bytearray, message_id: int) -> None:
        signer = self._session.signer
        assert signer is not None
        at = SIGNATURE_AT - FRAME.size
        for further, start in enumerate(self._starts):
            end = self._starts[further + 1] if further < self.last else len(frame)
            signed = slice(start + at, start + at + 16)
            frame[signed] = _NO_SIGNATURE
            with memoryview(frame) as view:
                frame[signed] = signer(view[start:end], message_id + further)


def _read_or_write(work: Work, file: bytes, *, mixed: bool = False) -> _Part:
    if work.operation == "read" and not mixed:
        body = _READ_BODY.pack(49, 0x50, 0, work.size, 0, file, 0, 0, 0, 0, 0, 0)
        return _Part(READ, body)
    return _Part(WRITE, _write_body(work.size, file))


def _write_body(size: int, file: bytes) -> bytes:
    return _WRITE_BODY.pack(49, 0x70, size, 0, file, 0, 0, 0, 0, 0) + os.urandom(size)


def _compound(work: Work) -> list[_Part]:
    name = work.file(0)
    close = _Part(CLOSE, _CLOSE_BODY.pack(24, 0, 0, _PREVIOUS))
    if work.operation in {"open", "hold"}:
        create = _Part(CREATE, create_body(name, _READS, _OPEN, _NO_DIRECTORY))
        return [create, close] if work.operation == "open" else [create]
    if work.operation == "stat":
        asked = (41, _OF_A_FILE, _ALL_INFORMATION, 4096, 0, 0, 0, 0, 0, _PREVIOUS)
        information = _Part(QUERY_INFO, _QUERY_INFO_BODY.pack(*asked))
        return [_Part(CREATE, create_body(name, _ATTRIBUTES, _OPEN)), information, close]
    if work.operation == "new":
        create = _Part(CREATE, create_body(name, _READS_WRITES, _CREATE, _NO_DIRECTORY))
        return [create, _Part(WRITE, _write_body(work.size, _PREVIOUS)), close]
    return [_Part(CREATE, create_body(name, _DELETES, _OPEN, _DELETE_ON_CLOSE)), close]
