"""A scripted SMB 3.1.1 client over a raw socket: SPNEGO, contexts, GMAC, sealing, many logins.

`frames` has the bodies it sends.  Everything it gets is checked: who sent it signed or sealed
must have done it right.
"""

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from struct import pack_into, unpack_from

import trio

from smbd.crypto import PREAUTH_START, Sealer, derive_keys, extend_preauth_hash, make_signer
from tests.auth.peers import Impacket, Pyspnego
from tests.core import messages
from tests.core.messages import (
    CANCEL,
    CREATE,
    NEGOTIATE,
    RELATED,
    SESSION_SETUP,
    SIGNED,
    TREE_CONNECT,
)
from tests.core.peer import PENDING
from tests.server import frames

MORE_PROCESSING, USER_SESSION_DELETED = 0xC0000016, 0xC0000203
SEALED = b"\xfdSMB"
ALL_DIALECTS = (0x0202, 0x0210, 0x0300, 0x0302, 0x0311)
GCM_128, GMAC = 2, 2
# What Windows 11 24H2 offers, in its order.
CIPHERS = (2, 1, 4, 3)
SIGNERS = (2, 1, 0)


def windows_contexts(ciphers=CIPHERS, signers=SIGNERS):
    return (
        frames.preauth_context(),
        (frames.ENCRYPTION, frames.counted(*ciphers)),
        frames.compression_context(5, 3, 2, 1, 4),
        (frames.SIGNING, frames.counted(*signers)),
        frames.netname_context("box"),
        frames.rdma_context(1, 2),
    )


@dataclass
class Login:
    """One session of the client."""

    session_id: int = 0
    signer: object = None
    sealer: Sealer | None = None
    flags: int = 0  # SessionFlags
    tree_id: int = 0
    preauth: bytes = field(default=b"", repr=False)

    @property
    def must_seal(self):
        return bool(self.flags & 4)


class Bare:
    """NTLMSSP without SPNEGO, by impacket; used as pyspnego's context is.  "" is anonymous."""

    def __init__(self, user="", password=""):
        self._client = Impacket(user, password)
        self.challenge = b""

    def step(self, token=b""):
        if not token:
            return self._client.negotiate()
        self.challenge = token
        return self._client.authenticate(token).getData()

    @property
    def session_key(self):
        return self._client.session_key


class ModernClient:
    """`ask` sends one request of `login`, the one that logged in last, and gives the answer."""

    def __init__(self, stream):
        self.stream = stream
        self.dialect = self.cipher_id = self.next_id = 0
        self.signing = 1  # AES-CMAC
        self.preauth = PREAUTH_START
        self.contexts = {}  # of the NEGOTIATE response
        self.login = Login()
        self.logins = {}
        self.sealed_answers = 0  # interim ones as well
        self.answers_in_the_clear = 0
        self._received = bytearray()

    # --- frames ---

    async def send(self, *sent):
        await self.stream.send_all(b"".join(len(one).to_bytes(4, "big") + one for one in sent))

    async def frame(self):
        """The next frame; b"" when the server has hung up."""
        buffer = self._received
        while len(buffer) < 4 or len(buffer) < 4 + int.from_bytes(buffer[:4], "big"):
            try:
                more = await self.stream.receive_some()
            except trio.BrokenResourceError:
                more = b""
            if not more:
                return b""
            buffer += more
        end = 4 + int.from_bytes(buffer[:4], "big")
        found = bytes(buffer[4:end])
        del buffer[:end]
        return found

    async def answers(self):
        """The responses of the next frame, signatures and seals checked; [] if there is none."""
        frame = await self.frame()
        if not frame:
            return []
        sealed = frame[:4] == SEALED
        if sealed:
            session_id = unpack_from("<Q", frame, 44)[0]
            frame = bytes(self.logins[session_id].sealer.open(memoryview(frame)))
        self.sealed_answers += sealed
        self.answers_in_the_clear += not sealed
        found = messages.answers(frame)
        for one in found:
            login = self.logins.get(one.session_id)
            if one.status == USER_SESSION_DELETED:
                continue  # it carries the signature of its request, for want of a key
            if one.flags & SIGNED and login is not None and login.signer is not None:
                assert not sealed
                assert login.signer.verify(memoryview(bytearray(one.raw)))
        return found

    async def answer(self):
        """One response that is not an interim one."""
        while True:
            (one,) = await self.answers()
            if one.status != PENDING:
                return one

    async def hung_up(self):
        return await self.frame() == b""

    # --- requests ---

    def request(self, command, body=messages.EMPTY, *, login=None, signed=None, **header):
        """One message; signed if its login has a key, unless `signed` says otherwise."""
        login = login or self.login
        header = {
            "session_id": login.session_id,
            "tree_id": login.tree_id,
            "message_id": self.next_id,
        } | header
        if command != CANCEL and header["message_id"] == self.next_id:
            self.next_id += header.get("charge", 1) or 1
        message = bytearray(messages.message(command, body, asked=64, **header))
        if login.signer is not None if signed is None else signed:
            message[16] |= SIGNED
            login.signer.sign_into(message)
        return bytes(message)

    def compound(self, *commands, login=None, signed=None):
        """Related requests: (command, body) each."""
        login, parts = login or self.login, []
        for place, (command, body) in enumerate(commands):
            flags = RELATED if place else 0
            part = bytearray(self.request(command, body, login=login, signed=False, flags=flags))
            if place < len(commands) - 1:
                part += bytes(-len(part) % 8)
                pack_into("<I", part, 20, len(part))
            if login.signer is not None if signed is None else signed:
                part[16] |= SIGNED
                login.signer.sign_into(part)
            parts.append(bytes(part))
        return b"".join(parts)

    def sealed(self, frame, login=None):
        login = login or self.login
        return b"".join(login.sealer.seal(login.session_id, [frame]))

    async def ask(self, command, body=messages.EMPTY, **how):
        """One request and its one response; sealed where the login must be."""
        login = how.get("login") or self.login
        seal = how.pop("seal", login.must_seal)
        if seal:
            frame = self.sealed(self.request(command, body, **how | {"signed": False}), login)
        else:
            frame = self.request(command, body, **how)
        await self.send(frame)
        return await self.answer()

    async def ask_related(self, *commands, seal=None, **how):
        """A related compound and the answers to all of it."""
        login = how.get("login") or self.login
        if login.must_seal if seal is None else seal:
            frame = self.sealed(self.compound(*commands, **how | {"signed": False}), login)
        else:
            frame = self.compound(*commands, **how)
        await self.send(frame)
        return await self.all_answers(len(commands))

    async def all_answers(self, count):
        """As many responses, from however many frames, not counting interim ones."""
        found = []
        while len(found) < count:
            more = await self.answers()
            assert more, "the server has hung up"
            found += [one for one in more if one.status != PENDING]
        return found

    # --- a connection, a login, a tree ---

    async def negotiate(self, dialects=ALL_DIALECTS, contexts=None, *, message_id=0, **fields):
        """NEGOTIATE; the answer."""
        if contexts is None:
            contexts = windows_contexts() if 0x0311 in dialects else ()
        self.next_id = message_id
        request = self.request(NEGOTIATE, frames.negotiate(dialects, contexts, **fields))
        await self.send(request)
        answer = await self.answer()
        if answer.status == 0:
            self._negotiated(answer, request)
        return answer

    def _negotiated(self, answer, request):
        raw = answer.raw
        self.dialect, count = unpack_from("<HH", raw, 68)
        self.capabilities = unpack_from("<I", raw, 88)[0]
        self.preauth = extend_preauth_hash(PREAUTH_START, request)
        self.preauth = extend_preauth_hash(self.preauth, raw)
        if self.dialect < 0x0311:
            self.cipher_id = 1 if self.capabilities & 0x40 else 0
            self.signing = 0 if self.dialect < 0x0300 else 1
            return
        at = unpack_from("<I", raw, 124)[0]
        for _ in range(count):
            at += -at % 8
            kind, length = unpack_from("<HH", raw, at)
            self.contexts[kind] = raw[at + 8 : at + 8 + length]
            at += 8 + length
        if frames.ENCRYPTION in self.contexts:
            self.cipher_id = unpack_from("<H", self.contexts[frames.ENCRYPTION], 2)[0]
        if frames.SIGNING in self.contexts:
            self.signing = unpack_from("<H", self.contexts[frames.SIGNING], 2)[0]

    async def log_in(self, user="test", password="test", *, again=None, context=None, **fields):
        """A new session, or `again` one that exists; the last answer. `login` is set to it."""
        context = context or (Pyspnego(user, password).context if user else Bare())
        login = again or Login(preauth=self.preauth)
        token, answer = context.step(), None
        while answer is None or answer.status == MORE_PROCESSING:
            body = messages.session_setup(token, **fields)
            request = self.request(SESSION_SETUP, body, login=login)
            login.preauth = extend_preauth_hash(login.preauth, request)
            await self.send(request)
            answer = await self.answer()
            login.session_id = answer.session_id
            if answer.status == MORE_PROCESSING:
                login.preauth = extend_preauth_hash(login.preauth, answer.raw)
                token = context.step(answer.token)
        if answer.status == 0:
            if not isinstance(context, Bare):
                assert answer.token
                context.step(answer.token)  # checks the server's mechListMIC
                assert context.complete
            if again is None:
                self._logged_in(login, answer, context.session_key)
        return answer

    def _logged_in(self, login, answer, key):
        login.flags = unpack_from("<H", answer.raw, 66)[0]
        if not login.flags & 3:
            keys = derive_keys(self.dialect, key, login.preauth, self.cipher_id)
            login.signer = make_signer(self.signing, keys.signing)
            if self.cipher_id:
                login.sealer = Sealer(self.cipher_id, keys.decryption, keys.encryption)
            assert answer.flags & SIGNED
            assert login.signer.verify(memoryview(bytearray(answer.raw)))
        self.login = self.logins[login.session_id] = login

    async def enter(self, share="share", login=None, **how):
        """TREE_CONNECT; the answer."""
        login = login or self.login
        login.tree_id = 0
        body = messages.tree_connect(rf"\\box\{share}")
        answer = await self.ask(TREE_CONNECT, body, login=login, **how)
        login.tree_id = answer.tree_id
        return answer

    async def arrive(self, share="share", user="test", password="test", **negotiated):
        """All the way to a share."""
        assert (await self.negotiate(**negotiated)).status == 0
        assert (await self.log_in(user, password)).status == 0
        assert (await self.enter(share)).status == 0


@asynccontextmanager
async def modern_client(server):
    async with await trio.open_tcp_stream(server.host, server.port) as stream:
        yield ModernClient(stream)


async def opened(client, name="file", **wanted):
    """The FileId of a file that is made, or opened with all rights."""
    answer = await client.ask(CREATE, frames.everything(name), **wanted)
    assert answer.status == 0
    return answer.file_id
