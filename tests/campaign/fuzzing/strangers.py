"""Targets that anybody reaches: logins, remote procedure calls; and the configuration."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from struct import pack
from unittest.mock import patch

from smbd import config
from smbd.auth import Exchange
from smbd.ntstatus import NtError
from smbd.rpc import open_pipe
from smbd.rpc.lsarpc import LSARPC
from smbd.rpc.srvsvc import SRVSVC
from smbd.rpc.wkssvc import WKSSVC
from tests.auth.peers import KERBEROS, NTLMSSP, Impacket, Pyspnego, authenticator, init_token
from tests.rpc.client import server
from tests.rpc.test_binding import WINDOWS_BIND, header

from .target import Target

_NOON = 1_700_049_600.0


@contextmanager
def one_challenge() -> Iterator[None]:
    """Every login gets the same challenge, so that a right answer stays one."""
    random = os.urandom
    with patch("smbd.auth.acceptor.os.urandom", lambda count: random(0) + bytes(count)):
        yield


class Logins:
    """The tokens of a login, first and last; `one_challenge` must hold."""

    def __init__(self) -> None:
        self._known = authenticator(guest=True, clock=lambda: _NOON)

    def targets(self) -> Iterator[Target]:
        """First tokens, and last ones behind each kind of first."""
        bare, wrapped = Impacket(), Pyspnego("anna", "secret")
        raw, first = bare.negotiate(), wrapped.context.step()
        started = init_token(KERBEROS, NTLMSSP, token=b"a ticket")
        yield Target("first tokens", [raw, first, started], self._first, share=0.3)
        answers = [bare.authenticate(self._begin(raw)[1]).getData()]
        yield Target("bare AUTHENTICATEs", answers, lambda data: self._last(raw, data), share=0.3)
        nobody = Impacket("n" * 31_000, "secret", "d" * 1000)
        long = [nobody.authenticate(self._begin(raw)[1]).getData()]
        yield Target("long names", long, lambda data: self._last(raw, data), share=0.05)
        answers = [wrapped.context.step(self._begin(first)[1])]
        yield Target("last tokens", answers, lambda data: self._last(first, data), share=0.3)

    def _begin(self, token: bytes) -> tuple[Exchange, bytes]:
        exchange = self._known.begin()
        return exchange, exchange.step(token).token

    def _first(self, data: bytes) -> None:
        self._known.begin().step(data)

    def _last(self, first: bytes, data: bytes) -> None:
        self._begin(first)[0].step(data)


_STUB = pack("<III", 0x20000, 5, 0) + pack("<I", 5) + "\\\\b\0\0\0".encode("utf-16-le")
_LEVELS = (
    pack("<IIIIIII", 0, 1, 1, 0x20004, 0, 0, 0xFFFFFFFF) + bytes(4),
    pack("<II", 502, 502) + _STUB,
    pack("<III", 0x20000, 4, 0) + _STUB * 3,
)

_SERVICES = {"srvsvc": SRVSVC, "wkssvc": WKSSVC, "lsarpc": LSARPC}
_OPEN = bytes(28) + pack("<I", 0x02000000)  # LsarOpenPolicy2: no name, MAXIMUM_ALLOWED
_EVERYONE = pack("<IBBHII", 1, 1, 1, 0, 0x01000000, 0)
_LOOKUPS = (
    bytes(20) + pack("<IIIII", 2, 0x20000, 2, 0x20004, 0x20008) + _EVERYONE * 2 + bytes(24),
    bytes(20) + pack("<IIHHIIII", 1, 1, 6, 6, 0x20000, 3, 0, 3) + b"a\0n\0n\0\0\0" + bytes(24),
    bytes(20) + pack("<H", 5),
    _OPEN,
)


def calls() -> Iterator[Target]:
    """What is written to a pipe: PDUs, and the stubs of every method."""
    whole = WINDOWS_BIND + header(0, 12) + pack("<IHHI", 4, 0, 28, 0)
    yield Target("writes to a pipe", [whole, WINDOWS_BIND], _written, share=0.2)
    bound = [whole[len(WINDOWS_BIND) :], header(14, len(WINDOWS_BIND) - 16) + WINDOWS_BIND[16:]]
    yield Target("writes behind a bind", bound, lambda data: _written(WINDOWS_BIND + data))
    heap = [bound[0] * 2321, bound[1][:16] + bound[1][16:] * 400, header(18, 0) * 4000]
    yield Target("heaps of PDUs", heap, _heaped, share=0.05)
    for name, service in _SERVICES.items():
        for number in service.methods:
            yield Target(
                f"{name} {number}",
                _LOOKUPS if service is LSARPC else [_STUB + level for level in _LEVELS],
                lambda stub, name=name, number=number: _called(name, number, stub),
                share=0.1,
            )


def _written(data: bytes) -> None:
    pipe = open_pipe("srvsvc", server)
    assert pipe is not None
    with suppress(NtError):
        for at in range(0, len(data), 60_000):
            pipe.write(data[at : at + 60_000])
    _drain(pipe)


def _heaped(data: bytes) -> None:
    """One WRITE, and one READ: each may answer no more than a call."""
    pipe = open_pipe("srvsvc", server)
    assert pipe is not None
    pipe.write(WINDOWS_BIND)
    _drain(pipe)
    pipe.write(data[:65536])
    pipe.read(5000)


def _called(name: str, number: int, stub: bytes) -> None:
    pipe = open_pipe(name, lambda: server(guest=bool(len(stub) % 2)))
    assert pipe is not None
    syntax, srvsvc = _SERVICES[name], SRVSVC.uuid.bytes_le + b"\3"
    pipe.write(WINDOWS_BIND.replace(srvsvc, syntax.uuid.bytes_le + bytes((syntax.major,))))
    _drain(pipe)
    stub = stub[:60_000]
    if syntax is LSARPC and not stub.startswith(b"H"):  # most of them with a handle that is one
        pipe.write(header(0, 8 + len(_OPEN)) + pack("<IHH", len(_OPEN), 0, 44) + _OPEN)
        stub = pipe.read(5000)[24:44] + stub[20:]
    with suppress(NtError):
        pipe.write(header(0, 8 + len(stub)) + pack("<IHH", len(stub), 0, number) + stub)
    _drain(pipe)


def _drain(pipe) -> None:
    with suppress(NtError):
        while pipe.read(5000):
            pass


class Configurations:
    """A shares.toml of any bytes has a Config or a ConfigError."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "shares.toml"
        self._file.touch(0o600)

    def targets(self) -> Iterator[Target]:
        """Changed texts."""
        shipped = Path(__file__).parents[3] / "shares.toml"
        spoken = "\n".join(
            line.removeprefix("#") for line in shipped.read_text().splitlines() if "=" in line
        )
        texts = [shipped.read_bytes(), spoken.encode(), _TOML, b"[" * 5000, b"a." * 3000 + b"b=1"]
        yield Target("shares.toml", texts, self._load, (config.ConfigError,), share=0.05)

    def _load(self, data: bytes) -> None:
        self._file.write_bytes(data[:8000])  # tomllib's time is quadratic in dotted keys
        config.load(self._file)


_TOML = b"""
[server]
listen = ["127.0.0.1:0", "[::1]:4450"]
name = "files-1"
min_dialect = "3.0"
encryption = "desired"
[server.limits]
connections = 10
[users.anna]
password = "secret"
[users."bob"]
nt_hash = "8846f7eaee8fb117ad06bdd830b7586c"
[shares."a share"]
path = "/srv"
users = ["anna"]
guest = false
engine = { name = "threads", workers = 4 }
[shares.dates]
path = 1979-05-27T07:32:00Z
comment = '''a
"b" \\u00e9'''
"""
