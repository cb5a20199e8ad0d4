"""OPLOCK_BREAK notifications: what the server says although nobody has asked."""

import pytest

from smbd.wire.oplock_break import pack_lease_break_notification, pack_oplock_break
from tests.core.messages import OPLOCK_BREAK, RESPONSE, answers
from tests.core.stage import SESSION_ID, a_connection, a_session, client_sealer, payload

OPLOCK = pack_oplock_break(0, 3, 3)
LEASE = pack_lease_break_notification(2, 1, b"k" * 16, 7, 1)


def notified(dialect, body, session_id=SESSION_ID, *, sealing=False):
    """What goes over the wire, and the connection it goes over."""
    connection = a_connection(dialect)
    session = a_session(connection, required=True, sealing=sealing)
    emitted = []
    connection.emit = emitted.append
    (channel,) = session.channels
    channel.notify(body, session_id, session if sealing else None)
    (buffers,) = emitted
    return payload(buffers), connection


@pytest.mark.parametrize("dialect", [0x0202, 0x0302, 0x0311])
def test_a_notification_answers_no_request_and_is_not_signed(dialect):
    frame, connection = notified(dialect, OPLOCK)
    (said,) = answers(frame)
    assert (said.command, said.message_id, said.status) == (OPLOCK_BREAK, 2**64 - 1, 0)
    assert said.flags == RESPONSE, "nor SIGNED, though the session signs all that it may"
    assert not any(said.raw[48:64])
    assert (said.session_id, said.tree_id, said.body) == (SESSION_ID, 0, OPLOCK)
    assert said.granted == 0
    assert connection.window.available == a_connection(dialect).window.available


def test_that_of_a_lease_names_no_session():
    frame, _ = notified(0x0302, LEASE, 0)
    (said,) = answers(frame)
    assert (said.session_id, said.tree_id, said.body) == (0, 0, LEASE)


@pytest.mark.parametrize(("body", "session_id"), [(OPLOCK, SESSION_ID), (LEASE, 0)])
def test_a_session_that_encrypts_hides_what_is_being_broken(body, session_id):
    sealed, _ = notified(0x0302, body, session_id, sealing=True)
    assert sealed[:4] == b"\xfdSMB"
    assert body not in sealed
    (said,) = answers(client_sealer().open(memoryview(sealed)))
    assert (said.message_id, said.session_id, said.body) == (2**64 - 1, session_id, body)
