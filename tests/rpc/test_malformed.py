"""Whatever bytes come: answers, faults or NtError, and never another exception."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smbd.ntstatus import NtError
from smbd.rpc import open_pipe
from smbd.rpc.lsarpc import LSARPC
from smbd.rpc.srvsvc import SRVSVC
from smbd.rpc.wkssvc import WKSSVC

from .client import server
from .test_binding import WINDOWS_BIND, header

some = settings(max_examples=200, deadline=None)
SERVICES = {"srvsvc": SRVSVC, "wkssvc": WKSSVC, "lsarpc": LSARPC}
METHODS = [(name, opnum) for name, service in SERVICES.items() for opnum in service.methods]
# Words that mean something: counts, levels, pointers, surrogates, the largest of all.
words = st.sampled_from((0, 1, 2, 3, 10, 100, 102, 501, 502, 1005, 0x20000, 0xD800DC00, 2**32 - 1))
stubs = st.one_of(
    st.binary(max_size=200),
    st.lists(words, max_size=24).map(lambda ws: b"".join(w.to_bytes(4, "little") for w in ws)),
)


def drain(pipe) -> bytes:
    out = b""
    with contextlib.suppress(NtError):
        while data := pipe.read(1000):
            out += data
    return out


@some
@given(writes=st.lists(st.binary(max_size=200), max_size=5), name=st.sampled_from(sorted(SERVICES)))
def test_any_bytes(writes, name):
    pipe = open_pipe(name, server)
    assert pipe is not None
    for data in writes:
        with contextlib.suppress(NtError):
            pipe.write(data)
    drain(pipe)


@some
@given(packet_type=st.integers(0, 20), flags=st.integers(0, 255), body=st.binary(max_size=120))
def test_any_pdu_after_a_bind(packet_type, flags, body):
    pipe = open_pipe("srvsvc", server)
    assert pipe is not None
    pipe.write(WINDOWS_BIND)
    with contextlib.suppress(NtError):
        pipe.write(header(packet_type, len(body), flags=flags) + body)
    drain(pipe)


@some
@given(damage=st.dictionaries(st.integers(0, 159), st.integers(0, 255), max_size=6))
def test_a_damaged_bind(damage):
    pdu = bytearray(WINDOWS_BIND)
    for at, value in damage.items():
        pdu[at] = value
    pipe = open_pipe("srvsvc", server)
    assert pipe is not None
    with contextlib.suppress(NtError):
        pipe.write(pdu)
    drain(pipe)


@pytest.mark.parametrize(("name", "opnum"), METHODS)
@settings(max_examples=60, deadline=None)
@given(stub=stubs, guest=st.booleans(), with_handle=st.booleans())
def test_any_stub_is_answered(name, opnum, stub, guest, with_handle):
    pipe = open_pipe(name, lambda: server(guest=guest))
    assert pipe is not None
    service = SERVICES[name]
    srvsvc = SRVSVC.uuid.bytes_le + bytes((SRVSVC.major, 0))
    pipe.write(WINDOWS_BIND.replace(srvsvc, service.uuid.bytes_le + bytes((service.major, 0))))
    drain(pipe)
    if name == "lsarpc":
        stub = policy_handle(pipe) * with_handle + stub
    answer = called(pipe, opnum, stub)
    assert answer[2] in {2, 3}  # RESPONSE or FAULT
    if answer[2] == 3:
        # RPC_X_BAD_STUB_DATA, or a handle that was never given.
        assert int.from_bytes(answer[24:28], "little") in {0x6F7, 0x1C00001A}


def called(pipe, opnum, stub) -> bytes:
    pipe.write(header(0, 8 + len(stub)) + bytes(6) + opnum.to_bytes(2, "little") + stub)
    return drain(pipe)


def policy_handle(pipe) -> bytes:
    """What LsarOpenPolicy2 gives, without a name and for MAXIMUM_ALLOWED."""
    return called(pipe, 44, bytes(28) + (0x02000000).to_bytes(4, "little"))[24:44]
