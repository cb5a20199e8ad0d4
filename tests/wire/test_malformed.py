"""Whatever bytes come, a parser gives a value or NtError and never another exception."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smbd.ntstatus import NtError, NtStatus
from smbd.wire import fscc, fsctl, negotiate_contexts, smb1
from smbd.wire.create import parse_create_request
from smbd.wire.create_contexts import parse_create_contexts, parse_lease
from smbd.wire.dtyp import parse_security_descriptor, sid_from_bytes, sid_to_bytes
from smbd.wire.lock import parse_lock_request
from smbd.wire.negotiate import parse_negotiate_request
from smbd.wire.read import parse_read_request
from smbd.wire.write import parse_write_request

from .examples import EXAMPLES
from .examples.example import Example
from .hexadecimal import message, payload

# Some hundred parsers get this many each; a longer hunt only needs a larger number here.
some = settings(max_examples=40, deadline=None)
every_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)


def status_of(parse, data: bytes) -> int:
    with pytest.raises(NtError) as caught:
        parse(memoryview(data))
    return caught.value.status


@every_example
@some
@given(data=st.binary(max_size=400))
def test_any_bytes_give_a_value_or_an_nt_error(example: Example, data: bytes) -> None:
    with contextlib.suppress(NtError):
        example.parse(memoryview(data))


@every_example
@some
@given(changes=st.lists(st.tuples(st.integers(0, 500), st.integers(0, 255)), max_size=8))
def test_a_valid_message_with_some_bytes_changed_does_too(example: Example, changes) -> None:
    mutant = bytearray(example.data) or bytearray(1)
    for place, value in changes:
        mutant[place % len(mutant)] = value
    with contextlib.suppress(NtError):
        example.parse(memoryview(mutant))


@every_example
def test_a_valid_message_cut_short_anywhere_does_too(example: Example) -> None:
    for length in range(len(example.data)):
        with contextlib.suppress(NtError):
            example.parse(example.data[:length])


# Examples behind a header; the look ahead for a FileId leaves StructureSize to the parse proper.
messages = [
    example
    for example in EXAMPLES
    if bytes(example.data[:64]) == bytes(64) and not example.name.startswith("FileId of")
]


@pytest.mark.parametrize("example", messages, ids=lambda example: example.name)
def test_a_wrong_structure_size_is_refused(example: Example) -> None:
    mutant = bytearray(example.data)
    mutant[64] ^= 0x40
    assert status_of(example.parse, mutant) == NtStatus.INVALID_PARAMETER


@pytest.mark.parametrize("example", messages, ids=lambda example: example.name)
def test_a_message_without_its_fixed_part_is_refused(example: Example) -> None:
    assert status_of(example.parse, example.data[:66]) == NtStatus.INVALID_PARAMETER


def test_a_negotiate_without_dialects_is_refused() -> None:
    frame = message("24 00 00 00" + "00" * 32)
    assert status_of(parse_negotiate_request, frame) == NtStatus.INVALID_PARAMETER


@pytest.mark.parametrize("offset", [0x60, 0x64, 0x88, 0xFF])
def test_a_negotiate_context_list_in_a_wrong_place_is_refused(offset: int) -> None:
    body = "24 00 01 00 00 00 00 00 00 00 00 00" + "00" * 16
    frame = message(body + f"{offset:02x} 00 00 00 01 00 00 00 11 03" + "00" * 34)
    assert status_of(parse_negotiate_request, frame) == NtStatus.INVALID_PARAMETER


@pytest.mark.parametrize(
    "parse",
    [
        negotiate_contexts.parse_preauth_integrity,
        negotiate_contexts.parse_encryption,
        negotiate_contexts.parse_compression,
        negotiate_contexts.parse_signing,
    ],
)
def test_a_negotiate_context_without_any_algorithm_is_refused(parse) -> None:
    assert status_of(parse, bytes(16)) == NtStatus.INVALID_PARAMETER


def test_a_lock_of_nothing_is_refused() -> None:
    assert status_of(parse_lock_request, message("30 00" + "00" * 22)) == (
        NtStatus.INVALID_PARAMETER
    )


@pytest.mark.parametrize("start", [0x6F, 0x101, 0xFFFF])
def test_a_write_whose_data_starts_in_a_wrong_place_is_refused(start: int) -> None:
    body = bytearray(448)
    body[:8] = b"\x31\0" + start.to_bytes(2, "little") + b"\x01\0\0\0"
    assert status_of(parse_write_request, bytes(64) + body) == NtStatus.INVALID_PARAMETER


def test_an_empty_write_may_say_any_data_offset() -> None:
    request = parse_write_request(message("31 00 ff ff" + "00" * 44))
    assert bytes(request.data) == b""


def test_a_name_of_an_odd_number_of_bytes_is_refused() -> None:
    body = bytearray(60)
    body[:2] = b"\x39\0"
    body[44:48] = b"\x78\0\x03\0"
    assert status_of(parse_create_request, bytes(64) + body) == NtStatus.INVALID_PARAMETER


def test_a_lone_surrogate_in_a_name_comes_through() -> None:
    body = bytearray(58)
    body[:2] = b"\x39\0"
    body[44:48] = b"\x78\0\x02\0"
    body[56:58] = b"\x00\xd8"
    assert parse_create_request(memoryview(bytes(64) + body)).name == "\ud800"


@pytest.mark.parametrize("following", [8, 12, 25, 0x100])
def test_a_create_context_that_leads_to_nowhere_is_refused(following: int) -> None:
    context = following.to_bytes(4, "little") + bytes(44)
    assert status_of(parse_create_contexts, context) == NtStatus.INVALID_PARAMETER


def test_a_lease_of_another_length_is_refused() -> None:
    assert status_of(parse_lease, bytes(33)) == NtStatus.INVALID_PARAMETER


@pytest.mark.parametrize(
    "dialects",
    [b"\x02NT LM 0.12", b"NT LM 0.12\0", b"", b"\x02NT LM 0.12\0\0"],
    ids=["no end", "no format", "none", "one too short"],
)
def test_an_smb1_negotiate_with_broken_dialects_is_refused(dialects: bytes) -> None:
    frame = b"\xffSMB\x72" + bytes(28) + len(dialects).to_bytes(2, "little") + dialects
    assert status_of(smb1.parse_smb1_negotiate, frame) == NtStatus.INVALID_PARAMETER


@pytest.mark.parametrize(
    ("parse", "offset", "length"),
    [
        (fsctl.parse_zero_data, -1, 5),
        (fsctl.parse_zero_data, 5, 4),
        (fsctl.parse_query_allocated_ranges, 0, -1),
        (fsctl.parse_query_allocated_ranges, 1, 2**63 - 1),
    ],
)
def test_a_range_that_is_none_is_refused(parse, offset: int, length: int) -> None:
    data = b"".join(number.to_bytes(8, "little", signed=True) for number in (offset, length))
    assert status_of(parse, data) == NtStatus.INVALID_PARAMETER


def test_a_read_that_lacks_the_one_byte_of_its_buffer_is_taken() -> None:
    assert parse_read_request(message("31 00" + "00" * 46)).length == 0


@pytest.mark.parametrize("row", fscc.FILE_SETS.items(), ids=lambda row: str(row[0]))
def test_a_set_info_buffer_that_is_too_short_is_a_length_mismatch(row) -> None:
    info_class, file_set = row
    if info_class == fscc.FileClass.FULL_EA:
        assert status_of(file_set.parse, b"\0") == NtStatus.EA_CORRUPT_ERROR
        return
    assert status_of(file_set.parse, b"") == NtStatus.INFO_LENGTH_MISMATCH


def test_a_time_before_the_special_ones_is_refused() -> None:
    data = payload("fd ff ff ff ff ff ff ff" + "00" * 32)
    assert status_of(fscc.parse_basic, data) == NtStatus.INVALID_PARAMETER


def test_a_negative_size_is_refused() -> None:
    assert status_of(fscc.parse_end_of_file, b"\xff" * 8) == NtStatus.INVALID_PARAMETER


def test_a_rename_below_another_root_is_refused() -> None:
    data = payload("00" * 8 + "01" + "00" * 7 + "02 00 00 00 61 00")
    assert status_of(fscc.parse_rename, data) == NtStatus.INVALID_PARAMETER


@pytest.mark.parametrize(
    "sid", ["", "S-1", "S-2-5", "S-1-5-", "S-1-5-4294967296", "S-1-5" + "-1" * 16, "S-1-5-1\n"]
)
def test_what_is_no_sid_is_refused(sid: str) -> None:
    with pytest.raises(NtError):
        sid_to_bytes(sid)


def test_a_sid_that_claims_more_than_it_has_is_refused() -> None:
    assert status_of(sid_from_bytes, b"\x01\x02" + bytes(10)) == NtStatus.INVALID_PARAMETER


@pytest.mark.parametrize(
    ("place", "value"),
    [
        pytest.param(0, 2, id="revision"),
        pytest.param(3, 0, id="not self-relative"),
        pytest.param(4, 0x13, id="owner in the header"),
        pytest.param(4, 0x70, id="owner outside"),
        pytest.param(44, 5, id="ACL revision"),
        pytest.param(46, 0x1D, id="ACL too long"),
        pytest.param(46, 7, id="ACL too short"),
        pytest.param(48, 2, id="an ACE too many"),
        pytest.param(52, 5, id="object ACE"),
        pytest.param(54, 7, id="ACE too short"),
        pytest.param(54, 9, id="ACE without its SID"),
    ],
)
def test_a_broken_security_descriptor_is_refused(place: int, value: int) -> None:
    example = next(each for each in EXAMPLES if each.name == "security descriptor")
    mutant = bytearray(example.data)
    mutant[place] = value
    assert status_of(parse_security_descriptor, mutant) == NtStatus.INVALID_PARAMETER


@pytest.mark.parametrize("revision", [2, 3, 4])
def test_each_revision_of_an_acl_is_read_as_windows_does(revision: int) -> None:
    example = next(each for each in EXAMPLES if each.name == "security descriptor")
    changed = bytearray(example.data)
    changed[44] = revision
    assert parse_security_descriptor(memoryview(changed)) == parse_security_descriptor(
        memoryview(example.data)
    )
