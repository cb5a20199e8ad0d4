"""A session gets a second channel ([MS-SMB2] 3.2.5.3.3, 3.3.5.5.2), here by a server on paper."""

from struct import pack

import pytest

from smbd.crypto import derive_keys, extend_preauth_hash, make_signer
from smbd.wire.session_setup import pack_session_setup_response
from tests.auth.peers import authenticator
from tests.core import messages
from tests.core.messages import ECHO, RESPONSE, SESSION_SETUP, SIGNED
from tests.scripted import MORE_PROCESSING, SUCCESS, Peer, Session, plain

SESSION_ID = 77
GMAC = 2


def signer(dialect, key):
    return make_signer(GMAC if dialect == 0x0311 else 1, key)


class PaperServer:
    """One login, as the server knows it, and its half of the signatures."""

    def __init__(self, dialect, session_signer):
        self.dialect = dialect
        self.exchange = authenticator().begin()
        self.session_signer = session_signer
        self.channel_signer = None
        self.preauth = bytes(64)

    def answer(self, request):
        assert request[66] == 1, "SMB2_SESSION_FLAG_BINDING"
        assert request[16] & SIGNED
        assert self.session_signer.verify(memoryview(bytearray(request)))
        self.preauth = extend_preauth_hash(self.preauth, request)
        step = self.exchange.step(request[88:])
        if step.identity is None:
            answer = self._response(request, MORE_PROCESSING, step.token, self.session_signer)
            self.preauth = extend_preauth_hash(self.preauth, answer)
            return answer
        keys = derive_keys(self.dialect, step.identity.session_key, self.preauth)
        self.channel_signer = signer(self.dialect, keys.signing)
        return self._response(request, SUCCESS, step.token, self.channel_signer)

    @staticmethod
    def _response(request, status, token, signs):
        (message_id,) = (int.from_bytes(request[24:32], "little"),)
        body = pack_session_setup_response(0, token)
        fields = {"message_id": message_id, "session_id": SESSION_ID, "flags": RESPONSE | SIGNED}
        made = bytearray(messages.message(SESSION_SETUP, body, **fields))
        made[8:12] = pack("<I", status)
        signs.sign_into(made)
        return bytes(made)


def drive(peer, session, server):
    """The last response of the binding."""
    steps = peer.login("anna", "secret", binding=session)
    request = next(steps)
    while True:
        (answer,) = peer.read(server.answer(request))
        try:
            request = steps.send(answer)
        except StopIteration as end:
            return end.value


def another_connection(dialect):
    """Past NEGOTIATE, of a client that has a session on its first one; that session."""
    session = Session(SESSION_ID, signer(dialect, b"the session's ke"))
    peer = Peer(plain(dialect), {SESSION_ID: session})
    peer.signing = GMAC if dialect == 0x0311 else 1
    return peer, session


@pytest.mark.parametrize("dialect", [0x0300, 0x0302, 0x0311])
def test_the_session_s_key_signs_the_binding_and_the_channel_s_all_that_follows(dialect):
    peer, session = another_connection(dialect)
    server = PaperServer(dialect, session.signer)
    before = session.signer
    assert drive(peer, session, server).status == SUCCESS
    assert session.signer is before
    request = peer.request(ECHO)
    assert int.from_bytes(request[40:48], "little") == SESSION_ID
    assert server.channel_signer.verify(memoryview(bytearray(request)))
    assert not session.signer.verify(memoryview(bytearray(request)))


def test_the_first_connection_goes_on_with_the_session_s_key():
    peer, session = another_connection(0x0311)
    first = Peer(plain(0x0311), peer.sessions)
    first.session = session
    drive(peer, session, PaperServer(0x0311, session.signer))
    request = first.request(ECHO)
    assert session.signer.verify(memoryview(bytearray(request)))


def test_proving_oneself_again_on_a_channel_is_signed_by_the_channel_s_key():
    peer, session = another_connection(0x0311)
    server = PaperServer(0x0311, session.signer)
    drive(peer, session, server)
    request = next(peer.login("anna", "secret", again=session))
    assert server.channel_signer.verify(memoryview(bytearray(request)))


def test_a_last_response_that_the_session_s_key_signs_is_not_believed():
    peer, session = another_connection(0x0311)

    class Wrong(PaperServer):
        def _response(self, request, status, token, _signs):
            return PaperServer._response(request, status, token, self.session_signer)

    with pytest.raises(AssertionError):
        drive(peer, session, Wrong(0x0311, session.signer))
