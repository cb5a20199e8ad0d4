"""Tokens of any shape give an answer or NtError, never another exception."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smbd.auth import Account, Authenticator, nt_hash
from smbd.auth.spnego import NTLMSSP, parse_neg_token_init, parse_neg_token_resp
from smbd.ntstatus import NtError, NtStatus

from .peers import (
    KERBEROS,
    Impacket,
    Pyspnego,
    authenticator,
    challenge_in,
    init_token,
    resp_token,
)

ALLOWED = {NtStatus.INVALID_PARAMETER, NtStatus.LOGON_FAILURE}
ACCEPTING = authenticator(guest=True)

# A few edits: (where, what to put there), and how much to keep.
edits = st.lists(st.tuples(st.integers(0, 1 << 16), st.binary(min_size=1, max_size=4)), max_size=4)


def edited(token: bytes, changes: list[tuple[int, bytes]]) -> bytes:
    out = bytearray(token)
    for where, what in changes:
        at = where % len(out)
        out[at : at + len(what)] = what
    return bytes(out)


def step_or_refuse(exchange, token: bytes) -> bytes | None:
    try:
        return exchange.step(token).token
    except NtError as refused:
        status = refused.status
    assert status in ALLOWED
    return None


@settings(deadline=None)
@given(first=st.binary(max_size=300), second=st.binary(max_size=300))
def test_any_bytes_at_any_time(first, second):
    exchange = ACCEPTING.begin()
    if step_or_refuse(exchange, first) is not None:
        step_or_refuse(exchange, second)
    for begin in (Impacket().negotiate(), init_token(NTLMSSP), init_token(KERBEROS, NTLMSSP)):
        exchange = ACCEPTING.begin()
        exchange.step(begin)
        step_or_refuse(exchange, first)


@pytest.mark.parametrize("wrapped", [False, True])
@settings(deadline=None)
@given(changes=edits, keep=st.floats(0, 1))
def test_a_first_token_with_a_few_bytes_changed(wrapped, changes, keep):
    token = Impacket().negotiate()
    if wrapped:
        token = init_token(NTLMSSP, KERBEROS, token=token)
    token = edited(token, changes)
    step_or_refuse(ACCEPTING.begin(), token[: int(len(token) * keep) or None])


@pytest.mark.parametrize("wrapped", [False, True])
@settings(deadline=None)
@given(changes=edits, keep=st.floats(0, 1))
def test_a_last_token_with_a_few_bytes_changed(wrapped, changes, keep):
    exchange, peer = ACCEPTING.begin(), Impacket("guest", "")
    if wrapped:
        step = exchange.step(init_token(NTLMSSP, token=peer.negotiate()))
        token = resp_token(peer.authenticate(challenge_in(step)).getData(), b"m" * 16)
    else:
        token = peer.authenticate(exchange.step(peer.negotiate()).token).getData()
    token = edited(token, changes)
    step_or_refuse(exchange, token[: int(len(token) * keep) or None])


@settings(deadline=None)
@given(cut=st.floats(0, 1, exclude_max=True))
def test_a_token_cut_short_is_refused(cut):
    exchange = ACCEPTING.begin()
    client = Pyspnego("anna", "secret").context
    token = client.step(exchange.step(client.step()).token)
    with pytest.raises(NtError) as refused:
        exchange.step(token[: int(len(token) * cut)])
    assert refused.value.status in ALLOWED


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="nothing"),
        pytest.param("60", id="a tag"),
        pytest.param("6084ffffffff", id="a length beyond the end"),
        pytest.param("6080", id="an indefinite length"),
        pytest.param("60850000000001", id="a length of five bytes"),
        pytest.param("600806062b0601050502", id="SPNEGO and nothing in it"),
        pytest.param("600a06062b0601050502a100", id="a NegTokenResp first"),
        pytest.param("600b06092a864886f712010202", id="Kerberos without SPNEGO"),
        pytest.param("600c06062b0601050502a0023000", id="no mechanisms"),
        pytest.param("a1023000", id="a second token first"),
        pytest.param("4e544c4d535350000300000000000000", id="AUTHENTICATE first"),
        pytest.param("4e544c4d535350000100000000000000", id="no Unicode"),
        pytest.param("4e544c4d53535000", id="a signature alone"),
    ],
)
def test_first_tokens_that_cannot_be_read_are_invalid(token):
    with pytest.raises(NtError) as refused:
        ACCEPTING.begin().step(bytes.fromhex(token))
    assert refused.value.status == NtStatus.INVALID_PARAMETER


def test_a_client_that_cannot_do_ntlm_is_refused():
    with pytest.raises(NtError) as refused:
        ACCEPTING.begin().step(init_token(KERBEROS, token=b"ticket"))
    assert refused.value.status == NtStatus.LOGON_FAILURE


@pytest.mark.parametrize(
    ("at", "what"),
    [
        pytest.param(12, "ffff", id="LmChallengeResponse beyond the end"),
        pytest.param(32, "ffffffff", id="DomainName beyond 4 GiB"),
        pytest.param(36, "0700", id="half a character in UserName"),
        pytest.param(52, "0f00", id="a session key of 15 bytes"),
    ],
)
def test_fields_that_lie_are_invalid(at, what):
    exchange, peer = ACCEPTING.begin(), Impacket(domain="HOME")
    message = bytearray(peer.authenticate(exchange.step(peer.negotiate()).token).getData())
    message[at : at + len(what) // 2] = bytes.fromhex(what)
    with pytest.raises(NtError) as refused:
        exchange.step(message)
    assert refused.value.status == NtStatus.INVALID_PARAMETER


@pytest.mark.parametrize("version", [b"\x02\x01", b"\x01\x02"])
def test_a_response_of_a_version_not_yet_made_is_refused(version):
    exchange, peer = ACCEPTING.begin(), Impacket()
    message = peer.authenticate(exchange.step(peer.negotiate()).token)
    message["ntlm"] = message["ntlm"][:16] + version + message["ntlm"][18:]
    with pytest.raises(NtError) as refused:
        exchange.step(message.getData())
    assert refused.value.status == NtStatus.LOGON_FAILURE


def test_a_thousand_av_pairs_or_none_change_nothing():
    exchange, peer = ACCEPTING.begin(), Impacket()
    message = peer.authenticate(exchange.step(peer.negotiate()).token)
    for tail in (b"\xff\x00\x00\x00" * 1000, b"", b"\x06\x00", b"\x06\x00\xff\xff"):
        exchange = ACCEPTING.begin()
        exchange.step(peer.negotiate())
        message["ntlm"] = message["ntlm"][:44] + tail
        with pytest.raises(NtError) as refused:
            exchange.step(message.getData())
        assert refused.value.status in ALLOWED


def test_optional_parts_of_spnego_are_skipped():
    """reqFlags before the token, an unknown field after it, a long-form length, padding."""
    inner = (
        "a00e300c060a2b06010401823702020a"  # mechTypes: NTLMSSP
        "a10403020640"  # reqFlags
        "a2050403616263"  # mechToken
        "a7020500"  # [7]
    )
    body = f"a081{2 + len(inner) // 2:02x}30{len(inner) // 2:02x}{inner}"
    token = f"6082{8 + len(body) // 2:04x}06062b0601050502{body}0000"
    init = parse_neg_token_init(bytes.fromhex(token))
    assert init.mechanisms == [NTLMSSP]
    assert init.mechanism_list.hex() == "300c060a2b06010401823702020a"
    assert init.mech_token == b"abc"
    # A NegTokenResp as old clients send it, with everything in it.
    resp = "a11f301da0030a0101a10c060a2b06010401823702020aa2030401aaa3030401bb"
    parsed = parse_neg_token_resp(bytes.fromhex(resp))
    assert (parsed.response_token, parsed.mech_list_mic) == (b"\xaa", b"\xbb")


@pytest.mark.parametrize("credentials", [("n" * 31_000, "p", ""), ("anna", "secret", "d" * 31_000)])
def test_a_name_that_nobody_has_for_its_length_costs_no_proof(credentials, monkeypatch):
    def check(*_):
        raise AssertionError("a proof was computed")

    monkeypatch.setattr("smbd.auth.acceptor.check_response", check)
    exchange = ACCEPTING.begin()
    client = Impacket(*credentials)
    with pytest.raises(NtError) as refused:
        exchange.step(client.authenticate(exchange.step(client.negotiate()).token).getData())
    assert refused.value.status == NtStatus.LOGON_FAILURE


def test_a_name_of_1024_characters_may_be_somebodys():
    name = "n" * 1015 + "@example"
    known = Authenticator([Account(name, nt_hash("secret"))], server_name="box")
    assert Impacket(name, "secret").login(known.begin()).user == name
