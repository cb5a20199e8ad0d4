"""Whole logins by the clients of pyspnego and impacket."""

import struct

import pytest
from impacket import ntlm

from smbd.auth import Account, Authenticator, nt_hash
from smbd.ntstatus import NtError, NtStatus

from .peers import OEM, Impacket, Oem, Pyspnego, authenticator

CLIENTS = [
    pytest.param(Pyspnego, id="pyspnego"),
    pytest.param(lambda user, password: Pyspnego(user, password, wrapped=False), id="raw-pyspnego"),
    pytest.param(Impacket, id="impacket"),
]
every_client = pytest.mark.parametrize("client", CLIENTS)


def refusal(client, accepting: Authenticator) -> int:
    with pytest.raises(NtError) as refused:
        client.login(accepting.begin())
    return refused.value.status


@every_client
@pytest.mark.parametrize("user", ["anna", "ANNA", "Anna"])
def test_the_right_password_logs_in_and_both_sides_have_the_same_key(client, user):
    peer = client(user, "secret")
    identity = peer.login(authenticator().begin())
    assert identity.user == "anna"
    assert not identity.is_guest
    assert not identity.is_anonymous
    assert len(identity.session_key) == 16
    assert identity.session_key == peer.session_key


@every_client
def test_names_and_passwords_need_not_be_ascii(client):
    assert client("éMILE", "пароль").login(authenticator().begin()).user == "Émile"


@every_client
@pytest.mark.parametrize(
    ("user", "password"),
    [("anna", "wrong"), ("anna", ""), ("nobody", "secret"), ("nobody", ""), ("guest", "")],
)
@pytest.mark.parametrize("guest", [False])
def test_wrong_user_and_wrong_password_are_refused_alike(client, user, password, guest):
    refused = refusal(client(user, password), authenticator(guest=guest))
    assert refused == NtStatus.LOGON_FAILURE


@every_client
@pytest.mark.parametrize("user", ["anna@box", "ANNA@some.domain.example", "anna@"])
def test_a_name_with_a_domain_behind_an_at_sign_finds_the_user(client, user):
    assert client(user, "secret").login(authenticator().begin()).user == "anna"


def test_a_configured_name_with_an_at_sign_is_found_before_the_one_without():
    accounts = [Account("anna", nt_hash("secret")), Account("anna@work", nt_hash("other"))]
    exchange = Authenticator(accounts, server_name="box").begin()
    assert Impacket("Anna@Work", "other").login(exchange).user == "anna@work"


@pytest.mark.parametrize("domain", ["", "WORKGROUP", "BOX", "Någonting", "x" * 300])
def test_any_domain_will_do_and_is_reported_as_sent(domain):
    identity = Impacket(domain=domain).login(authenticator().begin())
    assert identity.user == "anna"
    assert identity.domain == domain
    assert Pyspnego(f"{domain or '.'}\\anna", "secret").login(authenticator().begin())


def test_a_client_that_leaves_the_domain_out_of_its_proof_is_let_in():
    exchange, peer = authenticator().begin(), Impacket()
    message = peer.authenticate(exchange.step(peer.negotiate()).token)
    message["domain_name"] = "HOME".encode("utf-16-le")
    identity = exchange.step(message.getData()).identity
    assert identity is not None
    assert identity.domain == "HOME"
    assert identity.session_key == peer.session_key


def test_without_key_exchange_the_session_base_key_is_the_session_key():
    peer = Impacket(key_exchange=False)
    assert peer.login(authenticator().begin()).session_key == peer.session_key


@pytest.mark.parametrize("user", ["anna", "Émile"])
def test_a_last_message_without_flags_is_written_as_its_first_one_said(user):
    password = {"anna": "secret", "Émile": "пароль"}[user]
    exchange, peer = authenticator().begin(), Impacket(user, password, key_exchange=False)
    message = peer.authenticate(exchange.step(peer.negotiate()).token)
    message["flags"] = 0
    identity = exchange.step(message.getData()).identity
    assert identity is not None
    assert (identity.user, identity.session_key) == (user, peer.session_key)


def test_ntlmv1_is_refused():
    assert refusal(Impacket(ntlmv2=False), authenticator()) == NtStatus.LOGON_FAILURE


def test_an_lm_response_alone_is_refused_even_from_a_guest():
    exchange, peer = authenticator(guest=True).begin(), Impacket("guest", "")
    message = peer.authenticate(exchange.step(peer.negotiate()).token)
    message["ntlm"] = b""
    with pytest.raises(NtError) as refused:
        exchange.step(message.getData())
    assert refused.value.status == NtStatus.LOGON_FAILURE


@pytest.mark.parametrize("seconds", [0.0, 1e9, 4e9])
def test_a_client_without_a_clock_logs_in(seconds):
    """It takes the time of its response from nowhere; the challenge is fresh anyway."""
    now = [1_700_000_000.0]
    exchange, peer = authenticator(clock=lambda: now[0]).begin(), Impacket()
    challenge = bytearray(exchange.step(peer.negotiate()).token)
    at = challenge.index(b"\7\0\10\0") + 4  # the AV pair MsvAvTimestamp
    challenge[at : at + 8] = int(seconds * 10_000_000).to_bytes(8, "little")
    assert exchange.step(peer.authenticate(bytes(challenge)).getData()).identity


@pytest.mark.parametrize("user", ["anna", "Émile"])
def test_a_client_that_offers_oem_strings_only_logs_in(user):
    exchange, peer = authenticator().begin(), Oem(user, {"anna": "secret"}.get(user, "пароль"))
    challenge = exchange.step(peer.negotiate()).token
    flags = int.from_bytes(challenge[20:24], "little")
    assert flags & (ntlm.NTLMSSP_NEGOTIATE_UNICODE | ntlm.NTLM_NEGOTIATE_OEM) == OEM
    assert b"BOX" in challenge
    identity = exchange.step(peer.authenticate(challenge)).identity
    assert identity.user == user
    assert identity.session_key == peer.session_key


def test_a_client_that_offers_no_strings_at_all_is_refused():
    negotiate = bytearray(Impacket().negotiate())
    negotiate[12] &= ~3
    with pytest.raises(NtError) as refused:
        authenticator().begin().step(bytes(negotiate))
    assert refused.value.status == NtStatus.INVALID_PARAMETER


def test_a_response_to_one_challenge_does_not_answer_another():
    accepting, peer = authenticator(), Impacket()
    first, second = accepting.begin(), accepting.begin()
    message = peer.authenticate(first.step(peer.negotiate()).token).getData()
    second.step(peer.negotiate())
    with pytest.raises(NtError):
        second.step(message)
    assert first.step(memoryview(message)).identity


def test_the_challenge_has_the_names_of_the_server():
    accepting = Authenticator(
        [], server_name="FileServer-of-the-house", domain="home", clock=lambda: 0.0
    )
    challenge = ntlm.NTLMAuthChallenge(accepting.begin().step(Impacket().negotiate()).token)
    pairs = ntlm.AV_PAIRS(challenge["TargetInfoFields"])
    assert challenge["domain_name"].decode("utf-16-le") == "FILESERVER-OF-T"
    assert pairs[ntlm.NTLMSSP_AV_HOSTNAME][1].decode("utf-16-le") == "FILESERVER-OF-T"
    assert pairs[ntlm.NTLMSSP_AV_DOMAINNAME][1].decode("utf-16-le") == "HOME"
    dns_name = pairs[ntlm.NTLMSSP_AV_DNS_HOSTNAME][1].decode("utf-16-le")
    assert dns_name == "fileserver-of-the-house"
    assert pairs[ntlm.NTLMSSP_AV_TIME][1] == struct.pack("<Q", 116444736000000000)


# The flags in which clients differ: what they ask for, what they must be told.
@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        pytest.param(0x62088235, 0x628A8235, id="smbclient"),
        pytest.param(0xE2088237, 0xE28A8235, id="everything: what Samba's server says"),
        pytest.param(0xE2088297, 0xE28A8215, id="Windows, which does not seal; LM key denied"),
        pytest.param(0x00000201, 0x00820201, id="next to nothing"),
    ],
)
def test_flags_are_granted_as_asked(asked, granted):
    negotiate = b"NTLMSSP\0" + struct.pack("<II16x", 1, asked)
    challenge = authenticator().begin().step(negotiate).token
    assert hex(struct.unpack_from("<I", challenge, 20)[0]) == hex(granted)


def test_an_exchange_is_over_after_its_identity_and_after_a_refusal():
    exchange = authenticator().begin()
    Impacket().login(exchange)
    with pytest.raises(NtError) as refused:
        exchange.step(Impacket().negotiate())
    assert refused.value.status == NtStatus.INVALID_PARAMETER
    exchange = authenticator().begin()
    with pytest.raises(NtError):
        Impacket("anna", "wrong").login(exchange)
    with pytest.raises(NtError) as refused:
        Impacket().login(exchange)
    assert refused.value.status == NtStatus.INVALID_PARAMETER


def test_no_secret_shows_in_a_repr():
    peer = Pyspnego("anna", "secret")
    identity = peer.login(authenticator().begin())
    account = Account("anna", nt_hash("secret"))
    assert repr(account) == "Account(name='anna')"
    assert "session_key" not in repr(identity)
    exchange = authenticator().begin()
    step = exchange.step(Impacket().negotiate())
    for shown in (repr(identity), repr(step), repr(exchange), repr(exchange._acceptor._policy)):
        assert str(peer.session_key)[2:-1] not in shown
        assert str(account.nt_hash)[2:-1] not in shown
