"""`user.DOSATTRIB` byte for byte as Samba has it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smbd.vfs import dosattrib
from smbd.vfs.dosattrib import Record

_TIME = 0x01D9001122_33AABB

# Versions 1 to 5 packed by Samba 4.17's own NDR (samba.dcerpc.xattr).
_PACKED = [
    # "0x22", version and switch, attrib, ea_size, size, alloc_size, create_time, change_time
    (
        "3078323200 00 0100 0100 0000 22000000 03000000 2211000000000000 4433000000000000"
        "bbaa33221100d901 ffffffffffffd901"
    ),
    # ... flags before attrib, write_time and a name after
    (
        "3078323200 00 0200 0200 0000 07000000 22000000 03000000 2211000000000000 4433000000000000"
        "bbaa33221100d901 ffffffffffffd901 0500000000000000 6e6d00"
    ),
    # ... valid_flags before attrib
    (
        "3078323200 00 0300 0300 0000 51000000 22000000 03000000 2211000000000000 4433000000000000"
        "bbaa33221100d901 ffffffffffffd901"
    ),
    # "", valid_flags, attrib, itime, create_time
    "00 00 0400 0400 0000 51000000 22000000 7700000000000000 bbaa33221100d901",
    # "", valid_flags, attrib, create_time
    "00 00 0500 0500 0000 51000000 22000000 bbaa33221100d901",
]


@pytest.mark.parametrize("packed", _PACKED, ids=["1", "2", "3", "4", "5"])
def test_every_version_of_sambas_is_read(packed: str) -> None:
    assert dosattrib.parse(bytes.fromhex(packed)) == Record(0x22, _TIME)


@pytest.mark.parametrize(
    ("stored", "attributes", "creation_time"),
    [
        # what smbd 4.17.12 stored on ext4: put a.txt; setmode a.txt +rsh; mkdir dir; setmode dir +h
        ("00000500050000001100000027000000c2fcca21ef7add01", 0x27, 0x01DD7AEF21CAFCC2),
        ("00000500050000001100000012000000f96bcb21ef7add01", 0x12, 0x01DD7AEF21CB6BF9),
    ],
)
def test_what_samba_stored_is_read_and_written_alike(
    stored: str, attributes: int, creation_time: int
) -> None:
    assert dosattrib.parse(bytes.fromhex(stored)) == Record(attributes, creation_time)
    assert dosattrib.pack(attributes, creation_time).hex() == stored


def test_what_a_record_does_not_say_is_not_made_up() -> None:
    only_time = "00 00 0500 0500 0000 10000000 22000000 bbaa33221100d901"
    only_attributes = "00 00 0500 0500 0000 01000000 22000000 bbaa33221100d901"
    no_time = "00 00 0500 0500 0000 11000000 22000000 0000000000000000"
    assert dosattrib.parse(bytes.fromhex(only_time)) == Record(None, _TIME)
    assert dosattrib.parse(bytes.fromhex(only_attributes)) == Record(0x22, None)
    assert dosattrib.parse(bytes.fromhex(no_time)) == Record(0x22, None)


@pytest.mark.parametrize(
    ("stored", "record"),
    [
        (b"0x22", Record(0x22, None)),  # Samba 3.0
        (b"0x22\0", Record(0x22, None)),
        (b"", None),
        (b"rubbish", None),
        (b"\0\0\x05\0\x05\0\0\0\x11\0\0\0", None),  # cut short
        (b"\0\0\x63\0\x63\0\0\0" + bytes(64), None),  # a version to come
        (b"\0\0\x05\0\x04\0\0\0" + bytes(64), None),
    ],
)
def test_the_oldest_form_and_what_is_none(stored: bytes, record: Record | None) -> None:
    assert dosattrib.parse(stored) == record


@given(st.binary(max_size=100))
def test_any_bytes_are_a_record_or_none(stored: bytes) -> None:
    record = dosattrib.parse(stored)
    assert record is None or isinstance(record, Record)
