"""What is packed into a buffer that already is somebody's: headers, and the two hot responses."""

import pytest

from smbd.ntstatus import NtError, NtStatus
from smbd.wire import header, read, write


def test_a_header_is_packed_over_what_was_there() -> None:
    out = bytearray(b"\xff" * 80)
    header.pack_header_into(out, 8, 1, 0xC0000022, 8, 32, 9, 0, 28, 5, 3)
    assert out[:8] == out[72:] == b"\xff" * 8
    packed = memoryview(out)[8:72]
    assert header.parse_header(packed) == header.Header(1, 0xC0000022, 8, 32, 9, 0, 28, 5, 3, 0)
    assert packed[header.SIGNATURE] == bytes(16)


def test_an_async_header_carries_the_async_id() -> None:
    out = bytearray(64)
    flags = header.Flags.ASYNC_COMMAND | header.Flags.SERVER_TO_REDIR
    header.pack_async_header_into(out, 0, 1, NtStatus.PENDING, 8, 1, flags, 0, 28, 1 << 40, 3)
    parsed = header.parse_header(memoryview(out))
    assert parsed.async_id == 1 << 40
    assert parsed.tree_id == 0


def test_next_command_is_patched_into_a_packed_header() -> None:
    out = bytearray(64)
    header.pack_header_into(out, 0, 1, 0, 5, 1, 1, 0, 28, 5, 3)
    header.patch_next_command_into(out, 0, 0x98)
    assert header.parse_header(memoryview(out)).next_command == 0x98


def test_a_transform_header_fills_a_short_nonce() -> None:
    out = bytearray(b"\xff" * 52)
    header.pack_transform_header_into(out, 0, b"n" * 12, 100, 3)
    parsed = header.parse_transform_header(memoryview(out))
    assert parsed == header.TransformHeader(bytes(16), b"n" * 12 + bytes(4), 100, 1, 3)


def test_what_is_no_smb2_header_is_refused() -> None:
    with pytest.raises(NtError):
        header.parse_header(memoryview(b"\xffSMB" + bytes(60)))
    with pytest.raises(NtError):
        header.parse_transform_header(memoryview(b"\xfeSMB" + bytes(60)))


def test_a_read_response_is_written_in_front_of_its_data() -> None:
    out = bytearray(b"\xff" * 20)
    read.pack_read_response_into(out, 2, 4096)
    assert out.hex() == "ffff" + "11005000001000000000000000000000" + "ffff"


def test_a_write_response_goes_where_it_is_told_to() -> None:
    out = bytearray(b"\xff" * 20)
    write.pack_write_response_into(out, 2, 4096)
    assert out[2:18] == write.pack_write_response(4096)
    assert out[:2] == out[18:] == b"\xff\xff"
