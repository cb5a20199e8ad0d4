"""Our SPNEGO tokens as pyspnego reads them."""

import pytest
from spnego._spnego import NegState, unpack_token

from smbd.auth import Authenticator
from smbd.auth.spnego import ACCEPT_COMPLETED, ACCEPT_INCOMPLETE, REQUEST_MIC, pack_neg_token_resp

NTLMSSP = "1.3.6.1.4.1.311.2.2.10"


def test_the_negotiate_token_offers_ntlm_and_the_hint_of_windows():
    offer = unpack_token(Authenticator([], server_name="box").negotiate_token)
    assert offer.mech_types == [NTLMSSP]
    assert offer.mech_token is None
    assert offer.mech_list_mic is None
    assert offer.hint_name == b"not_defined_in_RFC4178@please_ignore"


@pytest.mark.parametrize("size", [1, 100, 200, 1000, 70_000])
def test_answers_of_any_length(size):
    answer = unpack_token(pack_neg_token_resp(ACCEPT_INCOMPLETE, b"t" * size, first=True))
    assert answer.neg_state == NegState.accept_incomplete
    assert answer.supported_mech == NTLMSSP
    assert answer.response_token == b"t" * size
    assert answer.mech_list_mic is None


def test_the_last_answer_has_no_mechanism_and_maybe_a_mic():
    answer = unpack_token(pack_neg_token_resp(ACCEPT_COMPLETED, b"", b"m" * 16))
    assert answer.neg_state == NegState.accept_complete
    assert answer.supported_mech is None
    assert answer.response_token is None
    assert answer.mech_list_mic == b"m" * 16
    assert unpack_token(pack_neg_token_resp(REQUEST_MIC)).neg_state == NegState.request_mic
