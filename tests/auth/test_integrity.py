"""What is signed in a login: NTLM's MIC, SPNEGO's mechListMIC, and equal work for all users."""

import pytest
import spnego

from smbd.auth import ntlmv2
from smbd.auth.ntlm import parse_authenticate, parse_response, split_mic
from smbd.auth.ntlmv2 import message_integrity_code, message_signature
from smbd.auth.spnego import parse_neg_token_init, parse_neg_token_resp
from smbd.ntstatus import NtError, NtStatus
from tests.crypto import windows

from .peers import (
    KERBEROS,
    NTLMSSP,
    Impacket,
    Pyspnego,
    authenticator,
    challenge_in,
    init_token,
    mechanism_list,
    resp_token,
    signature,
)

SECURITY_BUFFER = 64 + 24  # of a SESSION_SETUP request; a response's is at 64 + 8


def refused_at_last(exchange, token: bytes) -> int:
    with pytest.raises(NtError) as refused:
        exchange.step(token)
    return refused.value.status


def test_windows_example_its_mic_and_both_mechlistmics_are_ours():
    """Microsoft's worked login; its password is not given, its session key is."""
    init = parse_neg_token_init(windows.FIRST_REQUEST[SECURITY_BUFFER:])
    challenge = parse_neg_token_resp(windows.FIRST_RESPONSE[64 + 8 :]).response_token
    last = parse_neg_token_resp(windows.SECOND_REQUEST[SECURITY_BUFFER:])
    request = parse_authenticate(last.response_token)
    assert (request.user, request.domain) == ("administrator", "SUT311")
    assert parse_response(request.nt_response).has_mic
    mic, without = split_mic(last.response_token)
    key = windows.SESSION_KEY
    assert mic == message_integrity_code(key, init.mech_token, challenge, without)
    listed = init.mechanism_list
    assert last.mech_list_mic == message_signature(request.flags, key, "Client", listed)
    ours = message_signature(request.flags, key, "Server", listed)
    assert windows.SECOND_RESPONSE.endswith(ours)


def test_a_client_that_sends_a_mic_is_refused_when_a_byte_of_it_changes():
    exchange = authenticator().begin()
    client = Pyspnego("anna", "secret", wrapped=False).context
    message = bytearray(client.step(exchange.step(client.step()).token))
    message[72] ^= 1
    assert refused_at_last(exchange, bytes(message)) == NtStatus.LOGON_FAILURE


def test_the_mic_covers_the_negotiate_message():
    """Somebody between takes NTLMSSP_NEGOTIATE_SIGN out of what the client asks for."""
    exchange = authenticator().begin()
    client = Pyspnego("anna", "secret", wrapped=False).context
    negotiate = bytearray(client.step())
    negotiate[12] &= ~0x10
    message = client.step(exchange.step(negotiate).token)
    assert refused_at_last(exchange, message) == NtStatus.LOGON_FAILURE


def test_the_mic_covers_the_challenge():
    exchange = authenticator().begin()
    client = Pyspnego("anna", "secret", wrapped=False).context
    challenge = bytearray(exchange.step(client.step()).token)
    challenge[48] ^= 1  # in Version
    message = client.step(bytes(challenge))
    assert refused_at_last(exchange, message) == NtStatus.LOGON_FAILURE


def test_a_message_that_promises_a_mic_and_is_too_short_for_one_is_refused():
    exchange = authenticator().begin()
    client = Pyspnego("anna", "secret", wrapped=False).context
    message = bytearray(client.step(exchange.step(client.step()).token))
    # All fields point into the first 87 bytes, and the proof can no longer be right; nor may it
    # matter: what promises a MIC and has none has been cut.
    assert refused_at_last(exchange, bytes(message[:87])) == NtStatus.INVALID_PARAMETER
    with pytest.raises(NtError) as refused:
        split_mic(bytes(87))
    assert refused.value.status == NtStatus.LOGON_FAILURE


def test_a_mechlistmic_that_is_wrong_is_refused():
    exchange = authenticator().begin()
    client = Pyspnego("anna", "secret").context
    token = bytearray(client.step(exchange.step(client.step()).token))
    token[-5] ^= 1  # its checksum; at the end stands the sequence number
    assert refused_at_last(exchange, bytes(token)) == NtStatus.LOGON_FAILURE


def test_a_mechanism_taken_out_of_the_list_shows_in_the_mechlistmic():
    exchange, peer = authenticator().begin(), Impacket()
    step = exchange.step(init_token(NTLMSSP, token=peer.negotiate()))
    message = peer.authenticate(challenge_in(step))
    listed = mechanism_list(KERBEROS, NTLMSSP)  # what the client really sent
    mic = signature(message["flags"], peer.session_key, "Client", listed)
    last = resp_token(message.getData(), mic)
    assert refused_at_last(exchange, last) == NtStatus.LOGON_FAILURE


@pytest.mark.parametrize("mechanisms", [(KERBEROS, NTLMSSP), (b"\x2a\x03", KERBEROS, NTLMSSP)])
def test_a_client_that_prefers_kerberos_is_asked_for_a_mic_and_then_logs_in_by_ntlm(mechanisms):
    exchange, peer = authenticator().begin(), Impacket()
    first = exchange.step(init_token(*mechanisms, token=b"a Kerberos token"))
    answer = spnego._spnego.unpack_token(first.token)
    assert answer.neg_state == spnego._spnego.NegState.request_mic
    assert answer.supported_mech == "1.3.6.1.4.1.311.2.2.10"
    assert answer.response_token is None
    challenge = challenge_in(exchange.step(resp_token(peer.negotiate())))
    message = peer.authenticate(challenge)
    listed = mechanism_list(*mechanisms)
    mic = signature(message["flags"], peer.session_key, "Client", listed)
    last = exchange.step(resp_token(message.getData(), mic))
    assert last.identity is not None
    assert last.identity.user == "anna"
    answer = spnego._spnego.unpack_token(last.token)
    assert answer.neg_state == spnego._spnego.NegState.accept_complete
    ours = signature(message["flags"], peer.session_key, "Server", listed)
    assert answer.mech_list_mic == ours


def test_a_client_that_offers_ntlm_without_a_token_is_asked_for_one():
    exchange, peer = authenticator().begin(), Impacket()
    first = spnego._spnego.unpack_token(exchange.step(init_token(NTLMSSP)).token)
    assert first.neg_state == spnego._spnego.NegState.accept_incomplete
    assert first.response_token is None
    challenge = challenge_in(exchange.step(resp_token(peer.negotiate())))
    last = exchange.step(resp_token(peer.authenticate(challenge).getData()))
    assert last.identity is not None
    assert last.token == bytes.fromhex("a1073005a0030a0100")  # accept-completed, and no MIC


@pytest.mark.parametrize("guest", [False, True])
def test_an_unknown_user_costs_the_same_work_as_a_wrong_password(guest, monkeypatch):
    """Counted, not timed: hashes done until the refusal."""
    done = []
    real = ntlmv2._hmac_md5
    monkeypatch.setattr(
        ntlmv2, "_hmac_md5", lambda key, data: done.append(len(data)) or real(key, data)
    )
    work = {}
    for user in ("anna", "nono", "an@a", "gues"):
        done.clear()
        with pytest.raises(NtError):
            Impacket(user, "wrong").login(authenticator(guest=guest).begin())
        work[user] = list(done)
    assert len(work["anna"]) == (12 if guest else 6)
    assert all(other == work["anna"] for other in work.values())


def test_upper_case_is_taken_one_character_for_one_as_windows_does():
    assert ntlmv2._upcase("straße") == "STRAßE"
    assert ntlmv2._upcase("éa\U00010428") == "ÉA\U00010400"
