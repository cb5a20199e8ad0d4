"""SIDs, security descriptors and times survive the way to the wire and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smbd.wire import dtyp
from smbd.wire.dtyp import Ace, AceType, Control, SecurityDescriptor
from smbd.wire.filetime import filetime_from_unix, unix_from_filetime

from .hexadecimal import unhex

sub_authority = st.integers(0, 2**32 - 1)
sids = st.builds(
    lambda authority, subs: "-".join(("S-1", str(authority), *map(str, subs))),
    st.integers(0, 2**32 - 1),
    st.lists(sub_authority, max_size=15),
)
aces = st.builds(
    Ace,
    st.sampled_from([AceType.ACCESS_ALLOWED, AceType.ACCESS_DENIED, AceType.SYSTEM_AUDIT]),
    st.integers(0, 255),
    st.integers(0, 2**32 - 1),
    sids,
)


@pytest.mark.parametrize(
    ("sid", "data"),
    [
        ("S-1-1-0", "01 01 00 00 00 00 00 01 00 00 00 00"),
        ("S-1-5-32-544", "01 02 00 00 00 00 00 05 20 00 00 00 20 02 00 00"),
        ("S-1-22-1-1000", "01 02 00 00 00 00 00 16 01 00 00 00 e8 03 00 00"),
        ("S-1-0x123456789ABC", "01 00 12 34 56 78 9a bc"),
    ],
)
def test_a_sid_and_its_bytes(sid: str, data: str) -> None:
    assert dtyp.sid_to_bytes(sid) == unhex(data)
    assert dtyp.sid_from_bytes(unhex(data)) == sid


@given(sids)
def test_a_sid_comes_back(sid: str) -> None:
    assert dtyp.sid_from_bytes(dtyp.sid_to_bytes(sid)) == sid


@given(
    owner=st.none() | sids,
    group=st.none() | sids,
    dacl=st.none() | st.lists(aces, max_size=5),
    sacl=st.none() | st.lists(aces, max_size=2),
)
def test_a_security_descriptor_comes_back(owner, group, dacl, sacl) -> None:
    packed = dtyp.pack_security_descriptor(SecurityDescriptor(owner, group, dacl, sacl))
    control = Control.SELF_RELATIVE
    control |= 0 if dacl is None else Control.DACL_PRESENT
    control |= 0 if sacl is None else Control.SACL_PRESENT
    expected = SecurityDescriptor(owner, group, dacl, sacl, control)
    assert dtyp.parse_security_descriptor(memoryview(packed)) == expected


def test_a_null_dacl_stays_one() -> None:
    everyone = SecurityDescriptor("S-1-5-18", None, None, control=Control.DACL_PRESENT)
    packed = dtyp.pack_security_descriptor(everyone)
    parsed = dtyp.parse_security_descriptor(memoryview(packed))
    assert parsed.dacl is None
    assert parsed.control & Control.DACL_PRESENT


def test_what_an_ace_has_behind_its_sid_is_kept() -> None:
    ace = Ace(AceType.ACCESS_ALLOWED_CALLBACK, 0, 1, "S-1-1-0", b"artx" + bytes(4))
    packed = dtyp.pack_security_descriptor(SecurityDescriptor(None, None, [ace]))
    assert dtyp.parse_security_descriptor(memoryview(packed)).dacl == [ace]


@given(st.integers(0, 2**63 - 1))
def test_a_filetime_comes_back_from_nanoseconds(filetime: int) -> None:
    assert filetime_from_unix(unix_from_filetime(filetime)) == filetime


def test_known_times() -> None:
    assert filetime_from_unix(0) == 116444736000000000
    assert filetime_from_unix(1_000_000_199) == 116444736010000001
    assert filetime_from_unix(-1) == 116444735999999999
    assert filetime_from_unix(-20_000_000_000 * 10**9) == 0
