"""The same stories as in `test_differential`, told by a client that signs and seals.

Both servers' seals have the same nonces here, so that what leaves them can be compared.
"""

import gc
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from smbd.connection import Connection
from smbd.crypto import AES_128_CCM, AES_128_GCM, Sealer, make_signer
from smbd.ntstatus import NtStatus
from smbd.wire.header import HEADER, TRANSFORM_PROTOCOL_ID, Flags
from tests.core.messages import READ, WRITE

from .rig import a_rig, begin, settle_time
from .test_differential import (
    DISK,
    LAST,
    LEARNT,
    ODD,
    OPENS,
    Ask,
    Change,
    Script,
    asks,
    both,
    changes,
    core,
    cuts,
    odd,
    story,
)

__all__ = ["core"]

SESSION_ID = 7
SIGNING, DOWN, UP = b"s" * 16, b"d" * 16, b"u" * 16
FLAGS_AT = 16


@dataclass(frozen=True)
class Guarded(Ask):
    """A request, and how it is protected."""

    kind: str = "bare"


class GuardedScript(Script):
    """A client and its server have keys."""

    gmac, cipher = True, AES_128_GCM

    def __init__(self, rig, opens):
        super().__init__(rig, opens)
        session = rig.stage.session
        channel = rig.stage.connection.channels[SESSION_ID]
        algorithm = 2 if self.gmac else 1
        session.signer = channel.signer = make_signer(algorithm, SIGNING)
        self.signer = make_signer(algorithm, SIGNING)
        session.sealer = Sealer(self.cipher, DOWN, UP)
        session.sealer._prefix = bytes(len(session.sealer._prefix))
        self.sealer = Sealer(self.cipher, UP, DOWN)

    def frame(self, ask):
        frame = super().frame(ask)
        kind = getattr(ask, "kind", "bare")
        if "signed" in kind and len(frame) >= 64:
            frame = bytearray(frame)
            frame[FLAGS_AT] |= Flags.SIGNED
            self.signer.sign_into(frame)
        if "sealed" in kind:
            frame = bytearray(b"".join(self.sealer.seal(SESSION_ID, [frame])))
        if "forged" in kind:
            frame = bytearray(frame)
            frame[-1] ^= 1
        return bytes(frame)

    async def _send(self, burst, where):
        return sorted(map(self._seen, await super()._send(burst, where)))

    def _seen(self, reply):
        """A reply, opened, and with its nonce, which C and Python count together."""
        if reply[:4] != TRANSFORM_PROTOCOL_ID:
            if HEADER.unpack_from(reply)[3] == NtStatus.USER_SESSION_DELETED:
                # The request's signature comes back, which is over the number of an open.
                reply = reply[:48] + bytes(16) + reply[64:]
            return bytes(reply), b""
        return bytes(self.sealer.open(memoryview(bytes(reply)))), bytes(reply[20:36])


class OtherwiseGuarded(GuardedScript):
    """By algorithms that C does not know."""

    gmac, cipher = False, AES_128_CCM


KINDS = ("signed", "sealed", "bare")
LEARNT_ALL = [([Guarded(ask.command, ask.open, kind=kind) for ask in LEARNT], []) for kind in KINDS]
kinds = st.sampled_from(["bare"] + 4 * ["signed", "sealed"] + ["forged signed", "sealed signed"])


def guarded(some_asks, some_kinds):
    return st.builds(lambda ask, kind: Guarded(**vars(ask), kind=kind), some_asks, some_kinds)


bursts = st.tuples(st.lists(guarded(asks, kinds), min_size=1, max_size=12), cuts)
steps = st.lists(st.one_of(bursts, bursts, changes), min_size=4, max_size=12)
fatal = st.one_of(guarded(odd(LAST), kinds), guarded(asks, st.just("forged sealed")))
ends = st.lists(st.one_of(guarded(asks, kinds), fatal), max_size=6)


@pytest.mark.parametrize("kind", [*KINDS, "forged signed", "sealed signed"])
def test_each_oddity_alone_is_answered_alike(core, monkeypatch, kind):
    settle_time(monkeypatch)
    usual = Guarded(READ, kind=kind.removeprefix("forged "))
    between = [
        ([usual, Guarded(command, one, kind=kind, **oddity), usual], [])
        for one in (0, 2)
        for command in (READ, WRITE)
        for oddity in ODD
    ]
    both(core, [*LEARNT_ALL, *between], GuardedScript)


@pytest.mark.parametrize("kind", [*KINDS, "forged signed", "forged sealed"])
@pytest.mark.parametrize("oddity", [{}, *LAST], ids=str)
def test_what_changes_the_rest_does_so_alike(core, monkeypatch, kind, oddity):
    settle_time(monkeypatch)
    usual = Guarded(READ, kind=kind.removeprefix("forged "))
    for command in (READ, WRITE):
        one = Guarded(command, kind=kind, **oddity)
        both(core, [*LEARNT_ALL, ([usual, one, usual], [])], GuardedScript)


@pytest.mark.parametrize("script", [GuardedScript, OtherwiseGuarded])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("change", [None, "signed", "sealed", "tree"])
def test_what_is_to_be_protected_is_refused_without(core, monkeypatch, script, kind, change):
    settle_time(monkeypatch)
    changes = [] if change is None else [Change(change)]
    burst = [Guarded(READ, number % len(OPENS), kind=kind) for number in (0, 0, 2, 2, 0)]

    both(core, [*LEARNT_ALL, *changes, (burst, []), (burst, [])], script)


@story
@given(steps, ends)
def test_c_changes_nothing_that_anybody_sees_of_what_is_protected(core, monkeypatch, told, end):
    settle_time(monkeypatch)
    both(core, [*LEARNT_ALL, *told, *([(end, [])] if end else [])], GuardedScript)


@pytest.fixture
async def rig(monkeypatch, core):
    settle_time(monkeypatch)
    with tempfile.TemporaryDirectory(dir=DISK) as folder:
        await trio.Path(folder, "a").write_bytes(bytes(range(256)) * 256)
        async with a_rig(Path(folder), native=True, core=core) as found:
            yield found


@pytest.mark.parametrize("kind", KINDS)
async def test_all_but_the_first_are_answered_without_the_commands(rig, monkeypatch, kind):
    if not rig.stage.service.native.core.protects:
        pytest.skip("there is no OpenSSL here")
    asked, receive = [], Connection.receive

    def listening(connection, frame, now):
        asked.append(frame[0])
        return receive(connection, frame, now)

    monkeypatch.setattr(Connection, "receive", listening)
    script = GuardedScript(rig, [await rig.stage.open("a")])
    await begin(rig)
    read, write = Guarded(READ, kind=kind), Guarded(WRITE, kind=kind)
    asked.clear()

    assert len(await script.play(([read] * 5 + [write] * 5, []))) == 10

    assert len(asked) == 2


async def test_the_keys_of_a_session_go_when_it_has_ended(rig):
    if not rig.stage.service.native.core.protects:
        pytest.skip("there is no OpenSSL here")
    script = GuardedScript(rig, [await rig.stage.open("a")])
    await begin(rig)
    read = Guarded(READ, kind="sealed")
    await script.play(([read, read], []))
    guard = weakref.ref(rig.quick._known[0].guard.keys)
    channel = rig.stage.connection.channels.pop(SESSION_ID)

    assert await script.play(([read], [])) == []

    assert rig.hung_up
    gc.collect()
    assert guard() is None
    rig.stage.connection.channels[SESSION_ID] = channel
