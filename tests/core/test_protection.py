"""Signatures and seals: what must carry them, what is made of those that are wrong."""

import pytest

from smbd.crypto import make_signer
from smbd.ntstatus import NtStatus, ProtocolError
from smbd.request import Reply
from tests.core import messages
from tests.core.messages import (
    CANCEL,
    ECHO,
    LOGOFF,
    NEGOTIATE,
    READ,
    RELATED,
    SESSION_SETUP,
    SIGNED,
    TREE_CONNECT,
    answers,
    message,
)
from tests.core.stage import (
    SESSION_ID,
    a_connection,
    a_session,
    answered,
    client_sealer,
    client_signer,
    payload,
    received,
)
from tests.scripted import PENDING, Peer, plain

DIALECTS = (0x0202, 0x0210, 0x0300, 0x0302, 0x0311)


def a_peer(dialect=0x0302):
    """A client that signs."""
    peer = Peer(plain(dialect))
    peer.session.session_id = SESSION_ID
    peer.session.signer = client_signer(dialect)
    return peer


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_right_signature_is_accepted_and_answered_with_one(dialect):
    connection = a_connection(dialect)
    a_session(connection, required=True)
    peer = a_peer(dialect)
    (request,) = received(connection, peer.request(ECHO))
    assert not request.refusal
    (answer,) = answered(connection, request)
    assert answer.flags & SIGNED
    assert peer.session.signer.verify(memoryview(answer.raw))


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("place", [0, 4, 14, 40, 50, 63, 64, 67])
def test_a_wrong_signature_is_denied_and_the_connection_lives(dialect, place):
    connection = a_connection(dialect)
    a_session(connection)
    peer = a_peer(dialect)
    frame = bytearray(peer.request(ECHO))
    if place in {0, 4}:  # not even a message any more
        frame[place] ^= 1
        with pytest.raises(ProtocolError):
            received(connection, frame)
        return
    frame[place] ^= 1
    (request,) = received(connection, frame)
    if place == 40:  # of the SessionId: there is no such session, and no key to ask
        assert request.session is None
    else:
        assert request.refusal == NtStatus.ACCESS_DENIED
    (request,) = received(connection, peer.request(ECHO, message_id=9))
    assert not request.refusal


def test_where_signing_is_required_what_is_not_signed_is_denied():
    connection = a_connection()
    a_session(connection, required=True)
    for command in (ECHO, READ, TREE_CONNECT, LOGOFF):
        frame = message(command, session_id=SESSION_ID, message_id=command)
        (request,) = received(connection, frame)
        assert request.refusal == NtStatus.ACCESS_DENIED


def test_negotiate_cancel_and_a_new_login_need_no_signature():
    connection = a_connection()
    a_session(connection, required=True)
    for command, session_id in ((NEGOTIATE, SESSION_ID), (CANCEL, SESSION_ID), (SESSION_SETUP, 0)):
        frame = message(command, session_id=session_id, message_id=command)
        (request,) = received(connection, frame)
        assert not request.refusal


def test_a_reauthentication_is_signed_with_the_old_key():
    connection = a_connection()
    a_session(connection, required=True)
    (request,) = received(connection, message(SESSION_SETUP, session_id=SESSION_ID))
    assert request.refusal == NtStatus.ACCESS_DENIED
    (request,) = received(connection, a_peer().request(SESSION_SETUP, message_id=1))
    assert not request.refusal


def test_where_signing_is_not_required_either_will_do():
    connection = a_connection()
    a_session(connection)
    (request,) = received(connection, message(ECHO, session_id=SESSION_ID))
    assert not request.refusal
    (answer,) = answered(connection, request)
    assert not answer.flags & SIGNED


def test_each_part_of_a_compound_is_signed_on_its_own_with_its_padding():
    connection = a_connection()
    a_session(connection, required=True)
    peer = a_peer()
    odd, even = (ECHO, b"12345"), (ECHO, b"12345678")
    requests = received(connection, peer.compound(odd, even, odd))
    assert not any(one.refusal for one in requests)
    got = answered(connection, *requests, body=b"123")
    assert len(got) == 3
    assert all(peer.session.signer.verify(memoryview(one.raw)) for one in got)


def test_one_wrong_signature_in_a_compound_refuses_that_one():
    connection = a_connection()
    a_session(connection, required=True)
    frame = bytearray(a_peer().compound((ECHO, messages.EMPTY), (ECHO, messages.EMPTY)))
    frame[-1] ^= 1
    first, second = received(connection, frame)
    assert not first.refusal
    assert second.refusal == NtStatus.ACCESS_DENIED


def test_on_3_1_1_a_tree_connect_that_nothing_protects_costs_the_connection():
    connection = a_connection(0x0311)
    a_session(connection)
    with pytest.raises(ProtocolError, match="TREE_CONNECT"):
        received(connection, message(TREE_CONNECT, session_id=SESSION_ID))


def test_a_guest_has_no_key_and_needs_none():
    connection = a_connection(0x0311)
    a_session(connection, guest=True)
    (request,) = received(connection, message(TREE_CONNECT, session_id=SESSION_ID))
    assert not request.refusal


def test_an_interim_response_is_not_signed_and_the_final_one_is():
    """Under GMAC both would have the same nonce, and that gives the key away."""
    connection = a_connection()
    a_session(connection, required=True)
    peer = a_peer()
    (request,) = received(connection, peer.request(READ))
    interim_reply = connection.request_list.interim(request)
    (interim,) = answers(payload(connection.finish(request, interim_reply)))
    assert interim.status == PENDING
    assert not interim.flags & SIGNED
    (final,) = answered(connection, request)
    assert final.flags & SIGNED
    assert peer.session.signer.verify(memoryview(final.raw))


def test_the_last_reply_of_a_login_is_signed_though_its_request_was_not():
    connection = a_connection()
    session = a_session(connection)
    (request,) = received(connection, message(SESSION_SETUP, session_id=SESSION_ID))
    reply = Reply(b"body")
    reply.signer = session.signer
    (answer,) = answers(payload(connection.finish(request, reply)))
    assert client_signer(0x0302).verify(memoryview(answer.raw))


def test_a_reply_that_names_its_key_is_signed_by_it_and_not_by_the_channels():
    connection = a_connection()
    a_session(connection)
    other = make_signer(1, b"another 16 bytes")
    (request,) = received(connection, a_peer().request(SESSION_SETUP))
    assert not request.refusal
    reply = Reply(b"body")
    reply.signer = other
    (answer,) = answers(payload(connection.finish(request, reply)))
    assert other.verify(memoryview(answer.raw))


def test_each_channel_of_a_session_has_its_own_key():
    first, second = a_connection(), a_connection()
    session = a_session(first, required=True)
    second.add_channel(session).signer = make_signer(1, b"another 16 bytes")
    frame = a_peer().request(ECHO)
    assert not received(first, frame)[0].refusal
    assert received(second, frame)[0].refusal == NtStatus.ACCESS_DENIED


def test_a_session_that_ends_is_known_on_none_of_its_connections():
    connections = [a_connection(), a_connection()]
    session = a_session(connections[0])
    connections[1].add_channel(session)
    session.forget()
    for connection in connections:
        (request,) = received(connection, a_peer().request(ECHO))
        assert request.channel is None
    assert session.suspended


# --- sealing ---


def test_what_came_sealed_is_answered_sealed():
    connection = a_connection()
    a_session(connection, sealing=True)
    sealer = client_sealer()
    peer = Peer()
    peer.session.session_id = SESSION_ID
    frame = b"".join(sealer.seal(SESSION_ID, [peer.related((ECHO, b""), (ECHO, b""))]))
    requests = received(connection, frame)
    assert all(one.sealed and not one.refusal for one in requests)
    pairs = [(one, Reply(b"\4\0\0\0")) for one in requests]
    sealed = payload(connection.finish_compound(pairs))
    assert sealed[:4] == b"\xfdSMB"
    first, second = answers(sealer.open(memoryview(sealed)))
    assert second.flags & RELATED
    assert not first.flags & SIGNED, "the seal is the signature"
    assert (first.message_id, second.message_id) == (0, 1)


def test_a_session_that_must_be_sealed_takes_nothing_in_the_clear():
    connection = a_connection()
    a_session(connection, sealing=True).encrypt = True
    (request,) = received(connection, a_peer().request(ECHO))
    assert request.refusal == NtStatus.ACCESS_DENIED


def test_one_session_cannot_seal_for_another():
    connection = a_connection()
    a_session(connection, sealing=True)
    a_session(connection, session_id=8, sealing=True)
    plain = message(ECHO, messages.EMPTY, session_id=8)
    with pytest.raises(ProtocolError, match="another"):
        received(connection, b"".join(client_sealer().seal(SESSION_ID, [plain])))


def test_what_is_sealed_for_nobody_costs_the_connection():
    connection = a_connection()
    plain = message(ECHO, messages.EMPTY)
    with pytest.raises(ProtocolError, match="no session"):
        received(connection, b"".join(client_sealer().seal(SESSION_ID, [plain])))
