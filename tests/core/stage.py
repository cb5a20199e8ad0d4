"""A `Connection` without sockets, disk or trio, and a session on it."""

from smbd.auth import Authenticator, Identity
from smbd.config import Config
from smbd.connection import Connection
from smbd.credits import CommandSequenceWindow
from smbd.crypto import Sealer, derive_keys, make_signer
from smbd.negotiated import Negotiated
from smbd.request import HEADROOM, Reply
from smbd.service import Service
from smbd.session import Session
from smbd.state import OpenTable, Tables
from tests.core.messages import answers
from tests.scripted.framing import the_frame

SESSION_ID = 7
KEY = b"sixteen byte key"
CIPHER = 2  # AES-128-GCM


def a_connection(dialect=0x0302, *, held=512):
    """Past NEGOTIATE; the next message ids are 0 to `held`."""
    authenticator = Authenticator([], server_name="box")
    service = Service(Config(), authenticator, {}, None, Tables(OpenTable(100)))
    connection = Connection(service, "test:1", "test", CommandSequenceWindow(8192))
    connection.negotiated = Negotiated(dialect=dialect, multi_credit=dialect > 0x0202)
    connection.window.grant(held)
    return connection


def a_session(
    connection, *, session_id=SESSION_ID, signed=True, required=False, sealing=False, guest=False
):
    """Logged in, with the keys that its dialect derives from KEY."""
    session = Session(session_id, 0.0)
    channel = connection.add_channel(session)
    session.identity = Identity("test", "", b"" if guest else KEY, guest, is_anonymous=False)
    if signed and not guest:
        keys = derive_keys(connection.negotiated.dialect, KEY, bytes(64), CIPHER)
        session.signer = channel.signer = make_signer(
            0 if connection.negotiated.dialect < 0x0300 else 1, keys.signing
        )
        session.signing_required = required
        if sealing:
            session.sealer = Sealer(CIPHER, keys.encryption, keys.decryption)
    return session


def client_signer(dialect):
    keys = derive_keys(dialect, KEY, bytes(64), CIPHER)
    return make_signer(0 if dialect < 0x0300 else 1, keys.signing)


def client_sealer(dialect=0x0302):
    """What the client seals with is what the server opens with."""
    keys = derive_keys(dialect, KEY, bytes(64), CIPHER)
    return Sealer(CIPHER, keys.decryption, keys.encryption)


def received(connection, frame, now=0.0):
    """The requests of one frame."""
    return connection.receive(memoryview(bytearray(frame)), now)


def payload(buffers):
    """What goes over the wire, without its length, which is checked."""
    return the_frame(b"".join(bytes(one) for one in buffers))


def answered(connection, *requests, body=b"\4\0\0\0", status=0):
    """What a client sees when each of these requests gets this reply."""
    pairs = [(request, Reply(body, status)) for request in requests]
    assert len(pairs[0][1].frame) == HEADROOM + len(body)
    return answers(payload(connection.finish_compound(pairs)))
