"""What `Connection.receive` makes of bytes: requests, or the end of the connection."""

from struct import pack_into

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smbd.ntstatus import NtStatus, ProtocolError
from smbd.rows import SMB1_NEGOTIATE
from tests.core import messages
from tests.core.messages import ASYNC, CANCEL, ECHO, READ, RELATED, RESPONSE, TREE_CONNECT, message
from tests.core.stage import SESSION_ID, a_connection, a_session, client_sealer, received
from tests.scripted import Peer

ECHOES = (ECHO, messages.EMPTY)


def test_a_message_becomes_a_request_with_the_fields_of_its_header():
    connection = a_connection()
    session = a_session(connection)
    frame = message(
        READ, b"body", message_id=3, charge=2, asked=9, tree_id=5, session_id=SESSION_ID, flags=0x30
    )
    (request,) = received(connection, frame)
    assert (request.command, request.message_id, request.credit_charge) == (READ, 3, 2)
    assert (request.credit_request, request.tree_id, request.flags) == (9, 5, 0x30)
    assert request.session is session
    assert bytes(request.frame) == frame
    assert not request.refusal
    assert not request.sealed


def test_the_payload_is_a_view_into_what_was_received():
    connection = a_connection()
    buffer = bytearray(message(ECHO, b"payload"))
    (request,) = connection.receive(memoryview(buffer), 0.0)
    buffer[64:] = b"changed"
    assert bytes(request.frame[64:]) == b"changed"


def test_the_connection_knows_when_its_last_frame_came():
    connection = a_connection()
    peer = Peer()
    for now in (5.0, 7.25):
        (request,) = received(connection, peer.request(*ECHOES), now)
        assert request.connection.now == now


def test_a_compound_becomes_one_request_for_each_of_its_parts():
    connection = a_connection()
    frame = Peer().compound(ECHOES, (READ, b"12345"), ECHOES)
    first, second, third = received(connection, frame)
    assert [one.message_id for one in (first, second, third)] == [0, 1, 2]
    assert [len(one.frame) for one in (first, second, third)] == [72, 72, 68]
    assert first.previous is second.previous is third.previous is None


def test_related_requests_take_session_and_tree_from_the_one_before():
    connection = a_connection()
    session = a_session(connection, signed=False)
    wrong = {"session_id": 2**64 - 1, "tree_id": 2**32 - 1}
    peer = Peer()
    peer.session.session_id, peer.session.tree_id = SESSION_ID, 5
    first, second, third = received(
        connection, peer.related(ECHOES, (*ECHOES, wrong), (*ECHOES, wrong))
    )
    assert third.previous is second
    assert second.previous is first
    assert second.session is third.session is session
    assert (second.tree_id, third.tree_id) == (5, 5)


def test_the_first_of_a_frame_has_none_to_be_related_to():
    (request,) = received(a_connection(), message(ECHO, messages.EMPTY, flags=RELATED))
    assert request.refusal == NtStatus.INVALID_PARAMETER


def test_cancel_spends_no_message_id():
    connection = a_connection()
    before = connection.window.available
    for message_id in (0, 0, 2**64 - 1):
        received(connection, message(CANCEL, messages.EMPTY, message_id=message_id))
    assert connection.window.available == before


def test_an_async_header_has_no_tree():
    frame = message(CANCEL, messages.EMPTY, flags=ASYNC, async_id=5 << 32 | 6)
    (request,) = received(a_connection(), frame)
    assert request.tree_id == 0


def test_before_2_1_the_charge_is_no_charge():
    connection = a_connection(0x0202)
    before = connection.window.available
    received(connection, message(ECHO, messages.EMPTY, charge=100))
    assert connection.window.available == before - 1


# --- what costs the connection ---


def chained(next_command):
    """Two messages whose first says that the second begins there."""
    frame = bytearray(Peer().compound(ECHOES, ECHOES))
    pack_into("<I", frame, 20, next_command)
    return bytes(frame)


@pytest.mark.parametrize(
    "next_command", [1, 8, 56, 63, 65, 68, 71, 80, 136, 140, 2**31, 2**32 - 8, 2**32 - 1]
)
def test_next_command_must_lead_to_a_whole_header_in_the_frame(next_command):
    with pytest.raises(ProtocolError, match="NextCommand"):
        received(a_connection(), chained(next_command))


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\xfe",
        b"\xfeSMB",
        message(ECHO)[:63],
        message(ECHO, protocol=b"\xfeSMC"),
        message(ECHO, protocol=b"\xfcSMB"),  # compressed, which was not negotiated
        message(ECHO, protocol=b"\xfdSMB"),  # sealed, for no session
        message(ECHO, size=63),
        message(ECHO, size=0),
        message(ECHO, flags=RESPONSE),
        message(ECHO, message_id=10_000),
        message(ECHO, charge=10_000),
        Peer().compound((*ECHOES, {}), (*ECHOES, {"protocol": b"\xffSMB"})),
        Peer().compound((*ECHOES, {}), (*ECHOES, {"message_id": 0})),
    ],
)
def test_what_is_no_message_costs_the_connection(frame):
    with pytest.raises(ProtocolError):
        received(a_connection(), frame)


def test_a_message_id_comes_once():
    connection = a_connection()
    received(connection, message(ECHO, messages.EMPTY, message_id=5))
    with pytest.raises(ProtocolError):
        received(connection, message(ECHO, messages.EMPTY, message_id=5))


def smb1_negotiate():
    return b"\xffSMB\x72" + bytes(27) + b"\0\x0b\0\x02SMB 2.002\0"


def test_an_smb1_negotiate_opens_a_connection_once():
    connection = a_connection(0, held=0)
    (request,) = received(connection, smb1_negotiate())
    assert (request.command, request.message_id, request.credit_request) == (SMB1_NEGOTIATE, 0, 1)
    connection.window.grant(1)
    with pytest.raises(ProtocolError):
        received(connection, smb1_negotiate())


def test_an_smb1_negotiate_on_a_connection_in_use_costs_it():
    with pytest.raises(ProtocolError):
        received(a_connection(), smb1_negotiate())


# --- any bytes ---


@given(st.binary(max_size=300))
def test_any_bytes_are_requests_or_a_protocol_error(frame):
    connection = a_connection()
    try:
        requests = received(connection, frame)
    except ProtocolError:
        return
    assert requests


messages_of_any_kind = st.builds(
    message,
    st.integers(0, 0xFFFF),
    st.binary(max_size=40),
    message_id=st.one_of(st.integers(0, 6), st.integers(0, 2**64 - 1)),
    charge=st.integers(0, 3),
    asked=st.integers(0, 0xFFFF),
    flags=st.integers(0, 2**32 - 1).map(lambda flags: flags & ~RESPONSE),
    next_command=st.one_of(st.just(0), st.integers(0, 30).map(lambda n: 8 * n), st.integers(0, 99)),
    session_id=st.sampled_from([0, SESSION_ID, 2**64 - 1]),
)


@given(st.lists(messages_of_any_kind, min_size=1, max_size=5), st.sampled_from([0, 0x0202, 0x0311]))
def test_any_headers_are_requests_or_a_protocol_error(parts, dialect):
    connection = a_connection(dialect)
    if dialect:
        a_session(connection, required=True, sealing=dialect == 0x0311)
    before = connection.window.available
    frame = b"".join(parts)
    try:
        requests = received(connection, frame)
    except ProtocolError:
        return
    assert sum(len(one.frame) for one in requests) == len(frame)
    charges = [
        (one.credit_charge or 1) if connection.negotiated.multi_credit else 1
        for one in requests
        if one.command != CANCEL
    ]
    assert connection.window.available == before - sum(charges)


@given(st.lists(st.tuples(st.integers(0, 18), st.binary(max_size=50)), min_size=1, max_size=20))
def test_a_well_made_compound_comes_apart_as_it_was_put_together(parts):
    connection = a_connection()
    requests = received(connection, Peer().compound(*parts))
    assert [one.command for one in requests] == [command for command, _ in parts]
    for request, (_, body) in zip(requests, parts, strict=True):
        assert bytes(request.frame[64 : 64 + len(body)]) == body
        assert not any(request.frame[64 + len(body) :]), "padding"


@given(st.binary(max_size=200))
def test_any_bytes_inside_a_sealed_frame(plain):
    connection = a_connection()
    a_session(connection, sealing=True)
    frame = b"".join(client_sealer().seal(SESSION_ID, [plain]))
    try:
        requests = received(connection, frame)
    except ProtocolError:
        return
    assert all(one.sealed and one.session_id == SESSION_ID for one in requests)


@given(st.integers(0, 200), st.integers(1, 255))
def test_no_byte_of_a_sealed_frame_can_be_changed(place, difference):
    connection = a_connection()
    a_session(connection, sealing=True)
    plain = message(TREE_CONNECT, bytes(100), session_id=SESSION_ID)
    frame = bytearray(b"".join(client_sealer().seal(SESSION_ID, [plain])))
    frame[place % len(frame)] ^= difference
    with pytest.raises(ProtocolError):
        received(connection, frame)


def test_a_compound_has_a_greatest_number_of_requests():
    connection = a_connection(held=3000)
    peer = Peer()
    assert len(received(connection, peer.compound(*[ECHOES] * 1024))) == 1024
    with pytest.raises(ProtocolError):
        received(connection, peer.compound(*[ECHOES] * 1025))


def test_a_compound_of_cancels_which_cost_no_credit_has_it_too():
    with pytest.raises(ProtocolError):
        received(a_connection(), Peer().compound(*[(CANCEL, messages.EMPTY)] * 1025))


@pytest.mark.parametrize(
    ("dialect", "charge", "length", "refused"),
    [
        (0x0302, 1, 65536, False),
        (0x0302, 1, 65537, True),
        (0x0302, 0, 65537, True),
        (0x0302, 2, 65537, False),
        (0x0302, 16, 1 << 20, False),
        (0x0302, 16, (1 << 20) + 1, True),
        (0x0202, 0, 65536, False),
        (0x0202, 9, 65537, True),  # no dialect of several credits: what it says does not count
    ],
)
def test_a_message_longer_than_its_credits_pay_for_is_refused(dialect, charge, length, refused):
    """Whatever the command: [MS-SMB2] 3.3.5.2.5."""
    connection = a_connection(dialect)
    for command in (messages.CREATE, messages.LOCK, messages.TREE_CONNECT, ECHO):
        message_id = connection.window.low
        frame = message(command, bytes(1024 + length - 64), charge=charge, message_id=message_id)
        (request,) = received(connection, frame)
        assert request.refusal == (NtStatus.INVALID_PARAMETER if refused else 0)
