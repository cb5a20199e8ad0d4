"""Guests and anonymous clients, where they are allowed and where not."""

import pytest

from smbd.auth import Account, Authenticator, nt_hash
from smbd.ntstatus import NtError, NtStatus

from .peers import (
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


def test_an_anonymous_client_is_let_in_where_guests_are():
    identity = Impacket("", "").login(authenticator(guest=True).begin())
    assert identity.is_anonymous
    assert not identity.is_guest
    assert identity.user == ""
    assert identity.session_key == b""


def test_an_anonymous_client_is_told_that_access_is_denied_and_not_that_a_password_is_wrong():
    with pytest.raises(NtError) as refused:
        Impacket("", "").login(authenticator().begin())
    assert refused.value.status == NtStatus.ACCESS_DENIED


def test_an_anonymous_client_need_not_send_the_key_it_promised():
    exchange, peer = authenticator(guest=True).begin(), Impacket("", "")
    message = peer.authenticate(exchange.step(peer.negotiate()).token)
    message["session_key"] = b""
    identity = exchange.step(message.getData()).identity
    assert identity is not None
    assert identity.is_anonymous


def test_an_anonymous_client_gets_a_mechlistmic_made_with_the_key_that_everybody_knows():
    exchange, peer = authenticator(guest=True).begin(), Impacket("", "")
    step = exchange.step(init_token(NTLMSSP, token=peer.negotiate()))
    message = peer.authenticate(challenge_in(step))
    listed = mechanism_list(NTLMSSP)
    mic = signature(message["flags"], peer.session_key, "Client", listed)
    last = exchange.step(resp_token(message.getData(), mic))
    assert last.identity is not None
    assert last.identity.is_anonymous
    assert last.token.endswith(signature(message["flags"], peer.session_key, "Server", listed))


@pytest.mark.parametrize("user", ["guest", "GUEST", "anna", "nobody", "root@host"])
@pytest.mark.parametrize("client", [Impacket, Pyspnego])
def test_a_client_without_a_password_is_a_guest(client, user):
    identity = client(user, "").login(authenticator(guest=True).begin())
    assert identity.is_guest
    assert not identity.is_anonymous
    assert identity.user == "guest"
    assert identity.session_key == b""


def test_a_client_called_guest_may_have_any_password():
    identity = Impacket("Guest", "whatever").login(authenticator(guest=True).begin())
    assert identity.is_guest
    assert identity.session_key == b""


def test_a_guest_by_name_may_speak_ntlmv1():
    identity = Impacket("Guest", "whatever", ntlmv2=False).login(authenticator(guest=True).begin())
    assert identity.is_guest
    assert identity.session_key == b""


@pytest.mark.parametrize(("guest", "user"), [(True, "anna"), (True, "nobody"), (False, "guest")])
def test_ntlmv1_lets_nobody_else_in(guest, user):
    with pytest.raises(NtError) as refused:
        Impacket(user, "secret", ntlmv2=False).login(authenticator(guest=guest).begin())
    assert refused.value.status == NtStatus.LOGON_FAILURE


def test_a_configured_account_called_guest_is_not_let_in_by_ntlmv1():
    accepting = Authenticator([Account("Guest", nt_hash("please"))], server_name="box", guest=True)
    with pytest.raises(NtError):
        Impacket("guest", "please", ntlmv2=False).login(accepting.begin())


@pytest.mark.parametrize(("user", "password"), [("anna", "wrong"), ("nobody", "secret")])
def test_a_wrong_password_makes_nobody_a_guest(user, password):
    with pytest.raises(NtError) as refused:
        Impacket(user, password).login(authenticator(guest=True).begin())
    assert refused.value.status == NtStatus.LOGON_FAILURE


UNKNOWN = {"guest": True, "unknown_is_guest": True}


@pytest.mark.parametrize("client", [Impacket, Pyspnego])
@pytest.mark.parametrize("user", ["nobody", "NOBODY@box", "guest"])
@pytest.mark.parametrize("password", ["secret", ""])
def test_an_unknown_user_is_a_guest_where_that_is_asked_for(client, user, password):
    identity = client(user, password).login(authenticator(**UNKNOWN).begin())
    assert identity.is_guest
    assert identity.user == "guest"
    assert identity.session_key == b""


def test_an_unknown_user_may_speak_ntlmv1_then():
    peer = Impacket("nobody", "whatever", ntlmv2=False)
    assert peer.login(authenticator(**UNKNOWN).begin()).is_guest


@pytest.mark.parametrize("user", ["anna", "ANNA", "anna@any.domain", "émile"])
@pytest.mark.parametrize("password", ["wrong", ""])
@pytest.mark.parametrize("ntlmv2", [True, False])
def test_a_known_user_with_a_wrong_password_is_refused_all_the_same(user, password, ntlmv2):
    with pytest.raises(NtError) as refused:
        Impacket(user, password, ntlmv2=ntlmv2).login(authenticator(**UNKNOWN).begin())
    assert refused.value.status == NtStatus.LOGON_FAILURE


def test_a_user_who_is_configured_without_a_password_is_no_guest():
    accounts = [Account("open", nt_hash(""))]
    peer = Impacket("open", "")
    identity = peer.login(Authenticator(accounts, server_name="box", guest=True).begin())
    assert identity.user == "open"
    assert not identity.is_guest
    assert identity.session_key == peer.session_key


def test_a_configured_account_called_guest_has_its_own_password():
    accounts = [Account("Guest", nt_hash("please"))]
    accepting = Authenticator(accounts, server_name="box", guest=True)
    assert not Impacket("guest", "please").login(accepting.begin()).is_guest
    with pytest.raises(NtError):
        Impacket("guest", "whatever").login(accepting.begin())
