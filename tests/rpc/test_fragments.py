"""A stream of PDUs in, messages out: however it is cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from impacket.dcerpc.v5 import srvs
from impacket.dcerpc.v5.dtypes import NULL
from impacket.dcerpc.v5.rpcrt import DCERPCException

from smbd.ntstatus import NtError, NtStatus
from smbd.rpc import Pipe, ShareView, open_pipe

from .client import connect, server, srvsvc
from .test_binding import WINDOWS_BIND, fault_status, header

REMOTE_TIME_OF_DAY = bytes.fromhex("00000000 0000 1c00 00000000")


def many_shares(count: int) -> tuple[ShareView, ...]:
    return tuple(ShareView(f"share{n}", "a comment") for n in range(count))


def fragments(stub: bytes, opnum: int, size: int) -> list[bytes]:
    pieces = [stub[at : at + size] for at in range(0, len(stub), size)]
    last = len(pieces) - 1
    return [
        header(0, 8 + len(piece), flags=(n == 0) | (n == last) << 1)
        + bytes(6)
        + opnum.to_bytes(2, "little")
        + piece
        for n, piece in enumerate(pieces)
    ]


def name_validate_stub(name: str) -> bytes:
    request = srvs.NetprNameValidate()
    request["ServerName"] = NULL
    request["Name"] = name + "\0"
    request["NameType"] = 9
    request["Flags"] = 0
    return request.getData()


def bound() -> Pipe:
    pipe = srvsvc()
    pipe.transceive(WINDOWS_BIND, 4280)
    return pipe


def status_of(call, *arguments) -> int:
    with pytest.raises(NtError) as caught:
        call(*arguments)
    return caught.value.status


async def test_a_long_list_comes_in_fragments_no_longer_than_agreed():
    pipe = srvsvc(shares=many_shares(500))
    client = connect(pipe, srvs.MSRPC_UUID_SRVS)
    response = srvs.hNetrShareEnum(client, 1)
    shares = response["InfoStruct"]["ShareInfo"]["Level1"]["Buffer"]
    assert len(shares) == 501
    assert shares[499]["shi1_netname"] == "share499\0"


async def test_a_client_may_read_less_than_a_message_at_a_time():
    pipe = srvsvc(shares=many_shares(100))
    client = connect(pipe, srvs.MSRPC_UUID_SRVS, read_size=100)
    assert srvs.hNetrShareEnum(client, 1)["TotalEntries"] == 101


async def test_a_read_never_runs_into_the_next_message():
    pipe = bound()
    call = header(0, 12) + REMOTE_TIME_OF_DAY
    pipe.write(call + call)
    first = pipe.read(20)
    assert pipe.more
    first += pipe.read(100_000)
    assert not pipe.more
    assert int.from_bytes(first[8:10], "little") == len(first)
    assert pipe.available == len(first)
    assert pipe.read(100_000) == first
    assert pipe.available == 0
    assert pipe.read(100) == b""
    assert not pipe.more


async def test_no_room_for_an_answer_leaves_it_to_a_read():
    pipe = bound()
    assert pipe.transceive(header(0, 12) + REMOTE_TIME_OF_DAY, 0) == b""
    assert pipe.more
    assert pipe.read(5000)
    assert not pipe.more


async def test_a_long_request_comes_in_fragments():
    client = connect(srvsvc(), srvs.MSRPC_UUID_SRVS)
    client.set_max_fragment_size(64)
    client.call(33, name_validate_stub("n" * 80))
    assert client.recv() == bytes(4)
    assert len(client.get_rpc_transport().writes) == 4  # BIND and three fragments


@settings(deadline=None)
@given(sizes=st.lists(st.integers(1, 300), min_size=1, max_size=60))
def test_writes_may_be_cut_anywhere(sizes):
    stream = WINDOWS_BIND + b"".join(fragments(name_validate_stub("n" * 300), 33, 104))
    whole, cut = srvsvc(), srvsvc()
    whole.write(stream)
    at = 0
    for size in sizes:
        cut.write(stream[at : at + size])
        at += size
    cut.write(stream[at:])
    assert len(cut.read(5000)) == len(whole.read(5000))
    assert cut.read(5000) == whole.read(5000) != b""


async def test_a_request_longer_than_any_has_reason_to_be_ends_the_pipe():
    pipe = bound()
    *most, last = fragments(bytes(70_000), 33, 4000)
    for fragment in most:
        pipe.write(fragment)
        if pipe.available:
            break
    assert fault_status(pipe.read(5000)) == 0x1C00001B
    assert status_of(pipe.write, last) == NtStatus.PIPE_DISCONNECTED


@pytest.mark.parametrize("order", [(1,), (0, 0), (0, 2)])
async def test_fragments_out_of_order_end_the_pipe(order):
    pipe = bound()
    pieces = fragments(name_validate_stub("abc"), 33, 24)
    stranger = bytearray(pieces[1])
    stranger[12] ^= 1  # of another call
    pieces = [*pieces[:2], bytes(stranger)]
    for index in order:
        pipe.write(pieces[index])
    assert fault_status(pipe.read(5000)) == 0x1C01000B
    assert status_of(pipe.write, b"") == NtStatus.PIPE_DISCONNECTED


async def test_a_call_can_be_given_up_halfway():
    pipe = bound()
    pipe.write(fragments(name_validate_stub("abc"), 33, 24)[0])
    pipe.write(header(19, 0))
    pipe.write(header(18, 0))
    reply = pipe.transceive(header(0, 12, 5) + REMOTE_TIME_OF_DAY, 5000)
    assert reply[2] == 2


async def test_an_object_uuid_is_skipped():
    body = REMOTE_TIME_OF_DAY[:8] + bytes(range(16)) + REMOTE_TIME_OF_DAY[8:]
    reply = bound().transceive(header(0, len(body), flags=0x83) + body, 5000)
    assert reply[2] == 2


async def test_transceive_does_not_take_an_earlier_answer_for_its_own():
    pipe = bound()
    call = header(0, 12) + REMOTE_TIME_OF_DAY
    pipe.write(call)
    assert status_of(pipe.transceive, call, 5000) == NtStatus.PIPE_BUSY
    assert pipe.read(5000)
    assert pipe.transceive(call, 5000)


async def test_a_client_that_asks_and_never_reads_is_stopped():
    pipe = bound()
    call = header(0, 12) + REMOTE_TIME_OF_DAY
    heap = call * (65536 // len(call))
    pipe.write(heap)
    pipe.write(heap)
    assert status_of(pipe.write, heap) == NtStatus.PIPE_BUSY
    assert pipe.read(5000)
    assert pipe.read(5000)
    pipe.write(call)


async def test_of_a_heap_of_calls_in_one_write_one_is_answered_for_each_read():
    looks = []
    pipe = open_pipe("srvsvc", lambda: looks.append(1) or server())
    assert pipe is not None
    pipe.write(WINDOWS_BIND)
    assert pipe.read(5000)
    call = header(0, 12) + REMOTE_TIME_OF_DAY
    count = 65536 // len(call)
    pipe.write(call * count)
    assert len(looks) == 1
    for number in range(1, count):
        assert pipe.read(5000)
        assert len(looks) == number + 1
    assert pipe.read(5000)
    assert pipe.read(5000) == b""
    assert status_of(bound().write, bytes(65537)) == NtStatus.INVALID_PARAMETER


async def test_what_comes_behind_a_call_may_end_the_pipe_when_the_answer_is_read():
    pipe = bound()
    pipe.write(header(0, 12) + REMOTE_TIME_OF_DAY + bytes(16))
    assert pipe.read(5000)
    assert status_of(pipe.read, 5000) == NtStatus.PIPE_DISCONNECTED
    assert status_of(pipe.write, b"") == NtStatus.PIPE_DISCONNECTED


async def test_a_pipe_says_whether_there_is_something_to_read_or_never_will_be():
    pipe = bound()
    first, second = fragments(name_validate_stub("abcdefgh"), 33, 40)
    pipe.write(first)
    assert not pipe.is_readable
    pipe.write(second)
    assert (pipe.is_readable, pipe.available) == (True, 28)
    assert pipe.read(5000)
    assert not pipe.is_readable
    assert status_of(pipe.write, bytes(16)) == NtStatus.PIPE_DISCONNECTED
    assert (pipe.is_readable, pipe.available) == (True, 0)


async def test_a_pipe_that_stays_open_sees_what_changes():
    views = iter((server(), server(shares=())))
    pipe = open_pipe("srvsvc", lambda: next(views))
    assert pipe is not None
    client = connect(pipe, srvs.MSRPC_UUID_SRVS)
    assert srvs.hNetrShareEnum(client, 1)["TotalEntries"] == 3
    assert srvs.hNetrShareEnum(client, 1)["TotalEntries"] == 1


async def test_a_fault_does_not_end_the_pipe():
    client = connect(srvsvc(), srvs.MSRPC_UUID_SRVS)
    client.call(50, b"")
    with pytest.raises(DCERPCException):
        client.recv()
    assert srvs.hNetrShareEnum(client, 1)["TotalEntries"] == 3
