"""MD4 and RC4, and NTLM's signatures by them: the specifications' examples, and other people's."""

import pytest
from Cryptodome.Cipher import ARC4
from Cryptodome.Hash import MD4
from hypothesis import given
from hypothesis import strategies as st

from smbd.auth import nt_hash
from smbd.auth.ciphers import md4, rc4
from smbd.auth.ntlm import EXTENDED_SESSIONSECURITY, KEY_56, KEY_128, KEY_EXCH
from smbd.auth.ntlmv2 import message_signature

from .peers import signature

RFC1320 = {  # A.5
    b"": "31d6cfe0d16ae931b73c59d7e0c089c0",
    b"a": "bde52cb31de33e46245e05fbdbd6fb24",
    b"abc": "a448017aaf21d8525fc10ae87aa6729d",
    b"message digest": "d9130a8164549fe818874806e1c7014b",
    b"abcdefghijklmnopqrstuvwxyz": "d79e1c308aa5bbcdeea8ed63df412da9",
    b"1234567890" * 8: "e33b4ddc9c38f2199c3e7b164fcc0536",
}


@pytest.mark.parametrize(("data", "digest"), RFC1320.items())
def test_md4_of_the_rfcs_examples(data, digest):
    assert md4(data).hex() == digest


@given(st.binary(max_size=300))
def test_md4_is_cryptodomes(data):
    assert md4(data) == MD4.new(data).digest()


def test_the_nt_hash_of_the_specifications_password():
    assert nt_hash("Password").hex() == "a4f49c406510bdcab6824ee7c30fd852"  # [MS-NLMP] 4.2.2.1.2


@given(st.binary(min_size=5, max_size=16), st.binary(max_size=300))
def test_rc4_is_cryptodomes(key, data):
    assert rc4(key, data) == ARC4.new(key).encrypt(data)
    assert rc4(key, rc4(key, data)) == data


@given(
    st.sets(st.sampled_from((KEY_56, KEY_128, KEY_EXCH))),
    st.binary(min_size=16, max_size=16),
    st.sampled_from(("Client", "Server")),
    st.binary(max_size=100),
)
def test_a_signature_is_impackets_whatever_was_agreed(agreed, key, sender, message):
    flags = sum(agreed) | EXTENDED_SESSIONSECURITY
    assert message_signature(flags, key, sender, message) == signature(flags, key, sender, message)
