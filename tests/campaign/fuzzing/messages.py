"""Targets on the wire: bodies and payloads, whole frames, sealed frames."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from struct import pack

from smbd.connection import Connection
from smbd.credits import CommandSequenceWindow
from smbd.crypto import Sealer
from smbd.ntstatus import NtError, ProtocolError
from smbd.request import Reply
from smbd.wire.create_contexts import pack_create_contexts, parse_create_contexts
from smbd.wire.dtyp import pack_security_descriptor, parse_security_descriptor
from smbd.wire.fscc import pack_full_ea, parse_full_ea
from tests.commands.stage import Stage
from tests.core import messages
from tests.core.messages import CREATE, ECHO, READ, WRITE
from tests.wire.examples import EXAMPLES

from .target import Target

_SID = bytes.fromhex("010100000000000300000000")  # CREATOR OWNER
# The longest lists: one that grows when its entries are padded, and one that doubles when a folder
# inherits it.
LONG_DESCRIPTORS = [
    pack("<BBHIIII", 1, 0, 0x8004, 0, 0, 0, 20)
    + pack("<BBHHH", 2, 0, 8 + count * (20 + rest), count, 0)
    + (pack("<BBHI", kind, flags, 20 + rest, 0x1F01FF) + _SID + bytes(rest)) * count
    for count, rest, kind, flags in ((1969, 13, 9, 0), (1800, 0, 0, 0x0B))
]
_KEYS = bytes(range(16)), bytes(range(16, 32))


def parsers() -> Iterator[Target]:
    """Every parser of smbd.wire that the examples know, which is every one."""
    for example in EXAMPLES:
        seeds = [bytes(example.data)]
        yield Target(example.name, seeds, lambda data, parse=example.parse: parse(memoryview(data)))


def packers() -> Iterator[Target]:
    """What a parser takes can be packed, and means the same then."""
    by_name = {example.name: bytes(example.data) for example in EXAMPLES}
    yield Target("a descriptor, packed", [by_name["security descriptor"]], _pack_descriptor)
    yield Target("a long descriptor, packed", LONG_DESCRIPTORS, _pack_descriptor, share=0.02)
    ea = pack("<IBBH", 0, 0, 4, 5) + b"name\0value"
    many = (pack("<I", 12) + b"\0\1\1\0n\0v\0") * 10_000
    yield Target("10,000 EAs", [many], _pack_eas, share=0.05)
    yield Target("EAs, packed", [ea, pack("<I", 20) + ea[4:] + b"\0\0" + ea], _pack_eas)
    contexts = pack_create_contexts([(b"MxAc", b""), (b"AlSi", bytes(8)), (b"SecD", bytes(20))])
    yield Target("create contexts, packed", [bytes(contexts)], _pack_contexts)


def _pack_descriptor(data: bytes) -> None:
    parsed = parse_security_descriptor(memoryview(data))
    again = parse_security_descriptor(memoryview(pack_security_descriptor(parsed)))
    assert (again.owner, again.group) == (parsed.owner, parsed.group)


def _pack_eas(data: bytes) -> None:
    parsed = parse_full_ea(memoryview(data))
    assert parse_full_ea(memoryview(pack_full_ea(parsed))) == parsed


def _pack_contexts(data: bytes) -> None:
    parsed = [(name, bytes(value)) for name, value in parse_create_contexts(memoryview(data))]
    packed = pack_create_contexts(parsed)
    assert [(name, bytes(value)) for name, value in parse_create_contexts(memoryview(packed))] == (
        parsed
    )


class Frames:
    """Frames as a connection takes them apart, plain and sealed."""

    def __init__(self, folder: Path) -> None:
        self._stage = Stage(folder, clock=lambda: 0.0)  # in a worker, which trio tells no time
        session = self._stage.session
        session.sealer = Sealer(2, *_KEYS)
        self._client = Sealer(2, *reversed(_KEYS))
        peer = self._stage.peer
        chain = [
            (CREATE, messages.create("a")),
            (READ, messages.read(messages.PREVIOUS_FILE)),
            (WRITE, messages.write(messages.PREVIOUS_FILE, b"data")),
        ]
        self._plain = [
            peer.request(ECHO),
            peer.request(CREATE, messages.create("a", contexts=[(b"MxAc", b"")])),
            peer.related(*chain),
            messages.message(messages.NEGOTIATE, messages.negotiate((0x0311,)), message_id=9),
            b"\xffSMB\x72" + bytes(27) + b"\x0c\0\x02NT LM 0.12\0",
        ]

    def targets(self) -> Iterator[Target]:
        """Frames of every kind."""
        allowed = (ProtocolError, NtError)
        sealed = [self._seal(frame) for frame in self._plain]
        yield Target("frames", self._plain, self._receive, allowed)
        yield Target("sealed frames", sealed, self._receive, allowed)
        yield Target("what is in sealed frames", self._plain, self._receive_sealed, allowed)

    def close(self) -> None:
        """Close the share."""
        self._stage.root.close()

    def _seal(self, frame: bytes) -> bytes:
        return b"".join(bytes(one) for one in self._client.seal(7, [frame]))

    def _receive_sealed(self, frame: bytes) -> None:
        self._receive(self._seal(frame))

    def _receive(self, frame: bytes) -> None:
        """Take it apart, and answer each request with an error."""
        known = self._stage.connection
        window = CommandSequenceWindow(8192)
        window.grant(512)
        connection = Connection(self._stage.service, "test:1", "test", window)
        connection.negotiated = replace(known.negotiated, multi_credit=True)
        connection.channels = dict(known.channels)
        requests = connection.receive(memoryview(bytearray(frame)), 0.0)
        refusals = [(one, Reply.of_error(one.refusal or 0xC0000001)) for one in requests]
        connection.finish_compound(refusals)
