"""A minimal SMB 3.1.1 client: it logs in, opens a file, and gets out of the way.

Blocking, one request at a time; the messages here are not on the hot path.  Of NTLM it knows
nothing: impacket makes the tokens.
"""

import hashlib
import os
import socket
import struct
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from cryptography.exceptions import InvalidTag

from smbd.load.sealing import CIPHER, ClientSealer
from smbd.load.signing import Signer, cmac, derived_key, gmac

Signing = Literal["off", "gmac", "cmac", "sealed"]

NEGOTIATE, SESSION_SETUP, TREE_CONNECT, CREATE, CLOSE = 0, 1, 3, 5, 6
READ, WRITE, QUERY_DIRECTORY, QUERY_INFO = 8, 9, 14, 16
SUCCESS, PENDING = 0, 0x103
END_OF_FILE, MORE_PROCESSING_REQUIRED = 0xC0000011, 0xC0000016
_NO_MORE_FILES = 0x80000006
RELATED, SIGNED = 0x4, 0x8
# A server that says nothing for so many seconds does not answer: beyond the dirty limit and on a
# slow disk a request may take a few.
SILENCE = 30
CLOSED = "the server closed the connection"
SILENT = f"the server has said nothing for {SILENCE} seconds"
CREDITS_ASKED = 512  # with every request; outstanding ones are at most the granted ones

# ProtocolId, StructureSize, CreditCharge, Status, Command, Credit, Flags, NextCommand, MessageId,
# Reserved, TreeId, SessionId, Signature ([MS-SMB2] 2.2.1.2), behind the length of the transport.
FRAME = struct.Struct(">I")
HEADER = struct.Struct("<4sHHIHHIIQIIQ16s")
SIGNATURE_AT = FRAME.size + 48
_NO_SIGNATURE = bytes(16)
_DIALECT = 0x0311
_PREAUTH_CONTEXT, _ENCRYPTION_CONTEXT, _SIGNING_CONTEXT = 1, 2, 8
_LARGE_MTU, _ENCRYPTION = 0x04, 0x40
_GMAC, _CMAC = 2, 1
_OFFERS: dict[Signing, list[int]] = {
    "off": [_GMAC, _CMAC],
    "gmac": [_GMAC],
    "cmac": [_CMAC],
    "sealed": [_GMAC, _CMAC],
}
_READ_WRITE, _LIST = 0x0012019F, 0x00100081
_SHARE_ALL = 7
_OPEN, _OPEN_IF = 1, 3
_DIRECTORY = 1
_ALL_OF_BOTH_NAMES = 37  # FileIdBothDirectoryInformation: what a listing can tell, and clients ask
_CREATE_BODY = struct.Struct("<HBBIQQIIIIIHHII")
_ECHOED_CREDITS = 8192


class LoadError(Exception):
    """The server gave an answer that ends the load."""


@dataclass(frozen=True, slots=True)
class Target:
    """The address, share and user of a load."""

    port: int
    share: str
    user: str
    password: str = field(repr=False)
    host: str = "127.0.0.1"
    logs_in: bool = True  # False: a floor, which answers READ and WRITE, and has one file


def create_body(name: str, access: int, disposition: int, options: int = 0) -> bytes:
    """CREATE's body ([MS-SMB2] 2.2.13) without contexts; sharing with all."""
    path = name.encode("utf-16-le")
    fixed = (57, 0, 0, 2, 0, 0, access, 0x80, _SHARE_ALL, disposition, options, 120)
    return _CREATE_BODY.pack(*fixed, len(path), 0, 0) + (path or b"\0\0")


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply, from its header on."""

    status: int
    credits: int
    tree_id: int
    session_id: int
    message: bytes

    @classmethod
    def of(cls, message: bytes) -> Self:
        """Read a reply's header."""
        _, _, _, status, _, credit, _, _, _, _, tree, session, _ = HEADER.unpack_from(message)
        return cls(status, credit, tree, session, message)


class Session:
    """One connection, logged in, with a tree. Its socket then belongs to the load."""

    def __init__(self, target: Target, signing: Signing = "off") -> None:
        self.target, self.signing = target, signing
        self.sock = socket.create_connection((target.host, target.port), SILENCE)
        # The kernel's timeout: with its own, Python asks by poll before it receives.
        self.sock.settimeout(None)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", SILENCE, 0))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.message_id = self.session_id = self.tree_id = 0
        self.credits = 1
        self.signer: Signer | None = None
        self.sealer: ClientSealer | None = None
        self._preauth = bytes(64)
        if not target.logs_in:
            self.credits = _ECHOED_CREDITS
            return
        try:
            self._log_in(self._negotiate())
        except BaseException:
            self.sock.close()
            raise

    def close(self) -> None:
        """Leave without a word: a server has to cope."""
        self.sock.close()

    def open(self, name: str) -> bytes:
        """Open a file, or create it, for reading and writing; return its FileId."""
        if not self.target.logs_in:
            return bytes(16)
        return self._create(name, _READ_WRITE, _OPEN_IF)

    def _create(self, name: str, access: int, disposition: int, options: int = 0) -> bytes:
        body = create_body(name, access, disposition, options)
        return self._call(CREATE, body).message[128:144]

    def listing(self, folder: str, asked: int = 65536) -> int:
        """List a folder with all that a listing tells, `asked` bytes at once; bytes that came."""
        file = self._create(folder, _LIST, _OPEN, _DIRECTORY)
        star, came = "*".encode("utf-16-le"), 0
        fixed = (33, _ALL_OF_BOTH_NAMES, 0, 0, file, 96, len(star), asked)
        body = struct.pack("<HBBI16sHHI", *fixed) + star
        charge = (asked - 1) // 65536 + 1
        while (reply := self._call(QUERY_DIRECTORY, body, charge, None)).status == SUCCESS:
            came += len(reply.message)
        if reply.status != _NO_MORE_FILES:
            raise LoadError(f"a listing was answered with {reply.status:#010x}")
        self._call(CLOSE, struct.pack("<HHI16s", 24, 0, 0, file))
        return came

    def write(self, file: bytes, offset: int, data: bytes) -> None:
        """Write at most 64 KiB."""
        self._call(
            WRITE, struct.pack("<HHIQ16sIIHHI", 49, 0x70, len(data), offset, file, *[0] * 5) + data
        )

    def _negotiate(self) -> int:
        """Agree on 3.1.1; return the signing algorithm."""
        offers = _OFFERS[self.signing]
        contexts = [
            (_PREAUTH_CONTEXT, struct.pack("<HHH", 1, 32, 1) + os.urandom(32)),
            (_SIGNING_CONTEXT, struct.pack(f"<H{len(offers)}H", len(offers), *offers)),
        ]
        capabilities = _LARGE_MTU
        if self.signing == "sealed":
            capabilities |= _ENCRYPTION  # Samba 4.17 wants it in 3.1.1 too
            contexts.append((_ENCRYPTION_CONTEXT, struct.pack("<HH", 1, CIPHER)))
        numbers = (36, 1, 1, 0, capabilities, os.urandom(16), 104, len(contexts), 0, _DIALECT)
        fixed = struct.pack("<HHHHI16sIHHHxx", *numbers)
        reply = self._call(NEGOTIATE, fixed + b"".join(_context(*c) for c in contexts), charge=0)
        dialect, count = struct.unpack_from("<HH", reply.message, 68)
        if dialect != _DIALECT:
            raise LoadError(f"the server speaks no 3.1.1 but {dialect:#x}")
        (at,) = struct.unpack_from("<I", reply.message, 124)
        for _ in range(count):
            kind, size = struct.unpack_from("<HH", reply.message, at)
            if kind == _SIGNING_CONTEXT:
                algorithm: int = struct.unpack_from("<H", reply.message, at + 10)[0]
                return algorithm
            at += (8 + size + 7) & ~7
        return _CMAC  # 3.1.1 signs by it where nothing is agreed

    def _log_in(self, algorithm: int) -> None:
        if algorithm not in _OFFERS[self.signing]:
            raise LoadError(f"the server does not sign by {self.signing}")
        from impacket import ntlm  # noqa: PLC0415 -- takes 0.2 s

        first = ntlm.getNTLMSSPType1("", "", signingRequired=True, use_ntlmv2=True)
        reply = self._session_setup(first.getData(), MORE_PROCESSING_REQUIRED)
        at, size = struct.unpack_from("<HH", reply.message, 68)
        challenge = reply.message[at : at + size]
        self.session_id = reply.session_id
        last, key = _answer(first, challenge, self.target)
        self._session_setup(last, SUCCESS)
        sign = gmac if algorithm == _GMAC else cmac
        self.signer = sign(derived_key(b"SMBSigningKey", key, self._preauth))
        if self.signing == "sealed":
            self.sealer = ClientSealer(
                self.session_id,
                derived_key(b"SMBC2SCipherKey", key, self._preauth),
                derived_key(b"SMBS2CCipherKey", key, self._preauth),
            )
            self.signer = None
        path = f"\\\\{self.target.host}\\{self.target.share}".encode("utf-16-le")
        tree = self._call(TREE_CONNECT, struct.pack("<HHHH", 9, 0, 72, len(path)) + path)
        self.tree_id = tree.tree_id
        if self.signing == "off":
            self.signer = None  # 3.1.1 demands a signed TREE_CONNECT only

    def _session_setup(self, token: bytes, status: int) -> Reply:
        body = struct.pack("<HBBIIHHQ", 25, 0, 1, 0, 0, 88, len(token), 0) + token
        return self._call(SESSION_SETUP, body, status=status)

    def _call(
        self, command: int, body: bytes, charge: int = 1, status: int | None = SUCCESS
    ) -> Reply:
        """Send a request and return its reply, which must have this status (None: any)."""
        message_id, self.message_id = self.message_id, self.message_id + max(charge, 1)
        flags = SIGNED if self.signer else 0
        fields = (b"\xfeSMB", 64, charge, 0, command, CREDITS_ASKED, flags, 0, message_id)
        rest = (0, self.tree_id, self.session_id)
        message = HEADER.pack(*fields, *rest, _NO_SIGNATURE) + body
        if self.signer:
            message = message[:48] + self.signer(message, message_id) + message[64:]
        self._hash(command, message)
        if self.sealer:
            message = self.sealer.seal(message)
        self.sock.sendall(FRAME.pack(len(message)) + message)
        reply = self._receive()
        while reply.status == PENDING:
            reply = self._receive()
        if status not in {None, reply.status}:
            raise LoadError(f"command {command} was answered with status {reply.status:#010x}")
        if reply.status != SUCCESS or command == NEGOTIATE:  # the last SESSION_SETUP's is not in it
            self._hash(command, reply.message)
        return reply

    def _hash(self, command: int, message: bytes) -> None:
        """Take a message into the hash that 3.1.1 derives its keys from ([MS-SMB2] 3.1.4.2)."""
        if command in {NEGOTIATE, SESSION_SETUP}:
            self._preauth = hashlib.sha512(self._preauth + message).digest()

    def _receive(self) -> Reply:
        (size,) = FRAME.unpack(self._exactly(FRAME.size))
        message = self._exactly(size)
        if self.sealer is not None:
            try:
                message = self.sealer.open(message)
            except InvalidTag:
                raise LoadError("a reply that is not sealed as agreed") from None
        reply = Reply.of(message)
        self.credits += reply.credits - (reply.status != PENDING)
        return reply

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            try:
                more = self.sock.recv(size - len(data))
            except BlockingIOError:
                raise LoadError(SILENT) from None
            if not more:
                raise LoadError(CLOSED)
            data += more
        return bytes(data)


def _context(kind: int, data: bytes) -> bytes:
    """Return a negotiate context ([MS-SMB2] 2.2.3.1), padded for the next."""
    return struct.pack("<HHI", kind, len(data), 0) + data + bytes(-len(data) % 8)


def _answer(first: Any, challenge: bytes, target: Target) -> tuple[bytes, bytes]:
    """Return the NTLM AUTHENTICATE message and the session key."""
    from impacket import ntlm  # noqa: PLC0415 -- takes 0.2 s

    last, key = ntlm.getNTLMSSPType3(
        first, challenge, target.user, target.password, "", use_ntlmv2=True
    )
    return last.getData(), key
