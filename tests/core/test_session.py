"""What a session counts of its tree connects, for what it sends unasked."""

from types import SimpleNamespace

import pytest

from smbd.memory import Holding, MemoryAccount
from smbd.negotiated import Negotiated
from smbd.session import Channel, Session
from smbd.state import Break


@pytest.fixture
def session():
    return Session(7, 0.0, memory=Holding(MemoryAccount()))


def sealed_for(session):
    """The session that encrypts the break of an oplock, if one does."""
    told = []
    channel = Channel(
        session,
        "test:1",
        Negotiated(),
        MemoryAccount(),
        lambda: None,
        lambda _body, session_id, sealed: told.append((session_id, sealed)),
    )
    oplock = SimpleNamespace(owner=SimpleNamespace(persistent_id=1, volatile_id=2))
    channel.tell_break(Break(oplock, 7, 1, needs_acknowledgment=True))
    ((session_id, sealed),) = told
    assert session_id == 7
    return sealed


def test_a_break_is_sealed_as_long_as_one_tree_connect_encrypts(session):
    """[MS-SMB2] 3.3.4.1.4: what it tells of may be a file of that share."""
    plain = session.connect(None, 0, encrypt=False)
    assert sealed_for(session) is None
    first, second = (session.connect(None, 0, encrypt=True) for _ in range(2))
    assert sealed_for(session) is session
    session.disconnect(first)
    session.disconnect(first)  # by TREE_DISCONNECT, and by the end of the session
    assert sealed_for(session) is session
    session.disconnect(plain)
    assert sealed_for(session) is session
    session.disconnect(second)
    assert sealed_for(session) is None


def test_a_session_that_encrypts_seals_every_break(session):
    session.encrypt = True
    assert sealed_for(session) is session
