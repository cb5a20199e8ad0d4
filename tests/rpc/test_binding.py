"""BIND and what may go wrong in it, PDU by PDU."""

import pytest
from impacket.dcerpc.v5 import srvs, wkst
from impacket.dcerpc.v5.rpcrt import (
    DCERPC_v5,
    DCERPCException,
    MSRPCBindAck,
    MSRPCBindNak,
    MSRPCHeader,
)

from smbd.ntstatus import NtError, NtStatus
from smbd.rpc import is_pipe, open_pipe

from .client import Transport, connect, server, srvsvc

SRVSVC = "c84f324b7016d30112785a47bf6ee18803000000"
NDR = "045d888aeb1cc9119fe808002b10486002000000"
NDR64 = "33057171babe37498319b5dbef9ccc3601000000"
FEATURES = "2c1cb76c12984045030000000000000001000000"

# What Windows 7 and later send first: one interface with NDR, NDR64 and the features.
WINDOWS_BIND = bytes.fromhex(
    "05 00 0b 03 10000000"  # version, BIND, first and last fragment, little-endian
    "a000 0000 02000000"  # frag_length, auth_length, call_id
    "b810 b810 00000000"  # fragments of 4280, no association group yet
    "03 000000"
    f"0000 01 00 {SRVSVC} {NDR}"
    f"0100 01 00 {SRVSVC} {NDR64}"
    f"0200 01 00 {SRVSVC} {FEATURES}"
)


def bind(element: str, count: int = 1, call_id: int = 1, fragments: str = "b810b810") -> bytes:
    body = bytes.fromhex(f"{fragments} 00000000 {count:02x}000000 {element}")
    return header(11, len(body), call_id) + body


def header(packet_type: int, size: int, call_id: int = 1, flags: int = 3, auth: int = 0) -> bytes:
    return (
        bytes((5, 0, packet_type, flags, 0x10, 0, 0, 0))
        + (16 + size).to_bytes(2, "little")
        + auth.to_bytes(2, "little")
        + call_id.to_bytes(4, "little")
    )


def results(reply: bytes) -> list[tuple[int, int]]:
    ack = MSRPCBindAck(reply)
    items = [ack.getCtxItem(index) for index in range(1, ack["ctx_num"] + 1)]
    return [(item["Result"], item["Reason"]) for item in items]


def fault_status(reply: bytes) -> int:
    assert MSRPCHeader(reply)["type"] == 3
    return int.from_bytes(reply[24:28], "little")


async def test_windows_bind_gets_ndr_and_neither_ndr64_nor_features():
    reply = srvsvc().transceive(WINDOWS_BIND, 4280)
    group = reply[20:24]
    assert group != bytes(4)
    assert reply == bytes.fromhex(
        "05 00 0c 03 10000000"
        "7400 0000 02000000"
        f"b810 b810 {group.hex()}"
        "0d00 5c504950455c73727673766300 00"  # "\PIPE\srvsvc" and a pad byte
        "03 000000"
        f"0000 0000 {NDR}"  # accepted
        f"0200 0200 {'00' * 20}"  # rejected: transfer syntaxes not supported
        f"0300 0000 {'00' * 20}"  # negotiated: none of the features
    )


async def test_impackets_client_that_insists_on_ndr64_is_told_why_not():
    client = DCERPC_v5(Transport(srvsvc()))
    with pytest.raises(DCERPCException, match="proposed_transfer_syntaxes_not_supported"):
        client.bind(
            srvs.MSRPC_UUID_SRVS, transfer_syntax=("71710533-beba-4937-8319-b5dbef9ccc36", "1.0")
        )


async def test_another_interface_is_rejected_in_its_context():
    client = DCERPC_v5(Transport(srvsvc()))
    with pytest.raises(DCERPCException, match="abstract_syntax_not_supported"):
        client.bind(wkst.MSRPC_UUID_WKST)


async def test_bogus_contexts_do_not_hinder_the_true_one():
    client = DCERPC_v5(Transport(srvsvc()))
    client.bind(srvs.MSRPC_UUID_SRVS, bogus_binds=5)
    assert srvs.hNetrShareEnum(client, 1)["TotalEntries"] == 3


@pytest.mark.parametrize("version", ["04000000", "03000100", "02000000"])
async def test_another_version_of_the_interface_is_rejected(version):
    reply = srvsvc().transceive(bind(f"0000 01 00 {SRVSVC[:32]}{version} {NDR}"), 4280)
    assert results(reply) == [(2, 1)]


async def test_one_element_may_offer_several_encodings():
    reply = srvsvc().transceive(bind(f"0000 02 00 {SRVSVC} {NDR64} {NDR}"), 4280)
    assert results(reply) == [(0, 0)]


async def test_the_association_group_that_a_client_names_is_kept():
    pdu = bytearray(WINDOWS_BIND)
    pdu[20:24] = b"\x53\x12\0\0"
    assert MSRPCBindAck(srvsvc().transceive(pdu, 4280))["assoc_group"] == 0x1253


@pytest.mark.parametrize(
    ("asked", "agreed"), [("b810b810", 4280), ("ffffffff", 4280), ("b810dc05", 2048)]
)
async def test_fragment_sizes_are_agreed_on(asked, agreed):
    pdu = bind(f"0000 01 00 {SRVSVC} {NDR}", fragments=asked)
    ack = MSRPCBindAck(srvsvc().transceive(pdu, 4280))
    assert (ack["max_tfrag"], ack["max_rfrag"]) == (agreed, agreed)


async def test_a_context_can_be_added_later():
    client = connect(srvsvc(), srvs.MSRPC_UUID_SRVS)
    second = client.alter_ctx(srvs.MSRPC_UUID_SRVS)
    assert srvs.hNetrShareEnum(second, 1)["TotalEntries"] == 3
    assert srvs.hNetrShareEnum(client, 1)["TotalEntries"] == 3


async def test_contexts_are_limited():
    elements = "".join(f"{n:02x}00 01 00 {SRVSVC} {NDR}" for n in range(40))
    reply = srvsvc().transceive(bind(elements, 40), 4280)
    assert results(reply) == [(0, 0)] * 32 + [(2, 3)] * 8


async def test_a_call_in_a_context_that_was_not_accepted_is_a_fault():
    pipe = srvsvc()
    pipe.transceive(WINDOWS_BIND, 4280)
    call = header(0, 8, 3) + bytes.fromhex("00000000 0100 1c00")
    assert fault_status(pipe.transceive(call, 4280)) == 0x1C010003


async def test_a_bind_with_authentication_is_refused_by_its_type():
    pipe = srvsvc()
    client = DCERPC_v5(Transport(pipe))
    client.set_auth_level(6)
    with pytest.raises(DCERPCException, match="Authentication type not recognized"):
        client.bind(srvs.MSRPC_UUID_SRVS)
    with pytest.raises(NtError) as caught:
        pipe.write(WINDOWS_BIND)
    assert caught.value.status == NtStatus.PIPE_DISCONNECTED


async def test_another_version_of_the_protocol_is_refused_by_naming_ours():
    pdu = b"\4" + WINDOWS_BIND[1:]
    reply = srvsvc().transceive(pdu, 4280)
    nak = MSRPCBindNak(MSRPCHeader(reply)["pduData"])
    assert nak["RejectedReason"] == 4
    assert nak["SupportedVersions"][:3] == bytes((1, 5, 0))


async def test_a_request_in_another_version_of_the_protocol_is_a_fault():
    pipe = srvsvc()
    pipe.transceive(WINDOWS_BIND, 4280)
    assert fault_status(pipe.transceive(b"\4" + header(0, 8)[1:] + bytes(8), 4280)) == 0x1C01000B


async def test_a_second_bind_is_refused():
    pipe = srvsvc()
    pipe.transceive(WINDOWS_BIND, 4280)
    assert MSRPCHeader(pipe.transceive(WINDOWS_BIND, 4280))["type"] == 13


@pytest.mark.parametrize("packet_type", [0, 14, 16, 1, 255])
async def test_whatever_comes_before_bind_is_a_fault_and_the_end(packet_type):
    pipe = srvsvc()
    reply = pipe.transceive(header(packet_type, 8) + bytes(8), 4280)
    assert fault_status(reply) == 0x1C01000B
    with pytest.raises(NtError) as caught:
        pipe.read(4280)
    assert caught.value.status == NtStatus.PIPE_DISCONNECTED


@pytest.mark.parametrize("packet_type", [0, 14])
async def test_an_authenticated_pdu_after_a_plain_bind_is_denied(packet_type):
    pipe = srvsvc()
    pipe.transceive(WINDOWS_BIND, 4280)
    reply = pipe.transceive(header(packet_type, 24, auth=8) + bytes(24), 4280)
    assert fault_status(reply) == 5


async def test_only_three_pipes_exist():
    assert is_pipe("SrvSvc")
    assert is_pipe("lsarpc")
    assert not is_pipe("samr")
    assert open_pipe("wkssvc", server) is not None
    assert open_pipe("samr", server) is None
