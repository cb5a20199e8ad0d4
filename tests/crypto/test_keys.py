"""Key derivation and the preauthentication hash against Microsoft's worked examples.

"SMB 2 and SMB 3 security in Windows 10: the anatomy of signing and cryptographic keys"
(Open Specifications blog) lists real messages of Windows 10 with every value between. It names
the cipher keys as the client does: its EncryptionKey is our `decryption`.
"""

import pytest
from impacket.crypto import KDF_CounterMode

from smbd.crypto import (
    AES_128_CCM,
    AES_128_GCM,
    AES_256_CCM,
    AES_256_GCM,
    PREAUTH_START,
    Keys,
    derive_keys,
    extend_preauth_hash,
)

from . import windows


def test_2x_signs_with_the_session_key_itself():
    for dialect in (0x0202, 0x0210):
        keys = derive_keys(dialect, b"k" * 16)
        assert keys == Keys(b"k" * 16, b"", b"")


def test_a_short_session_key_is_padded_and_a_long_one_cut_to_16_bytes():
    assert derive_keys(0x0210, b"abc").signing == b"abc" + bytes(13)
    assert derive_keys(0x0210, bytes(range(32))).signing == bytes(range(16))
    assert derive_keys(0x0300, b"abc") == derive_keys(0x0300, b"abc" + bytes(13))
    assert derive_keys(0x0300, bytes(range(32))) == derive_keys(0x0300, bytes(range(16)))


@pytest.mark.parametrize("dialect", [0x0300, 0x0302])
def test_windows_example_of_3_0(dialect):
    keys = derive_keys(dialect, bytes.fromhex("7CD451825D0450D235424E44BA6E78CC"))
    assert keys.signing.hex().upper() == "0B7E9C5CAC36C0F6EA9AB275298CEDCE"
    assert keys.decryption.hex().upper() == "FAD27796665B313EBB578F388632B4F7"
    assert keys.encryption.hex().upper() == "B0F0427F7CEB416D1D9DCC0CD4F99447"


def test_windows_example_of_3_1_1():
    keys = derive_keys(0x0311, windows.SESSION_KEY, windows.PREAUTH_HASH, AES_128_GCM)
    assert keys.signing.hex().upper() == "73FE7A9A77BEF0BDE49C650D8CCB5F76"
    assert keys.decryption.hex().upper() == "629BCBC54422A0F572B97F45989B6073"
    assert keys.encryption.hex().upper() == "E2AF0DCEFAC68DA71A0DFBD0D1350D74"


def test_without_a_cipher_3_1_1_keys_are_those_of_a_128_bit_one():
    arguments = (0x0311, windows.SESSION_KEY, windows.PREAUTH_HASH)
    assert derive_keys(*arguments) == derive_keys(*arguments, AES_128_CCM)


@pytest.mark.parametrize("cipher_id", [AES_256_CCM, AES_256_GCM])
@pytest.mark.parametrize("session_key", [b"s" * 16, bytes(range(40))])
def test_a_256_bit_cipher_gets_32_bytes_from_the_whole_session_key(cipher_id, session_key):
    context = windows.PREAUTH_HASH
    keys = derive_keys(0x0311, session_key, context, cipher_id)
    assert keys.encryption == KDF_CounterMode(session_key, b"SMBS2CCipherKey\0", context, 256)
    assert keys.decryption == KDF_CounterMode(session_key, b"SMBC2SCipherKey\0", context, 256)
    assert keys.signing == KDF_CounterMode(session_key[:16], b"SMBSigningKey\0", context, 128)


def test_preauth_hash_starts_from_zeros_as_in_the_windows_example():
    value = extend_preauth_hash(PREAUTH_START, windows.NEGOTIATE_REQUEST)
    assert value == windows.HASH_AFTER_NEGOTIATE_REQUEST


def test_preauth_hash_takes_a_message_in_several_buffers():
    header, body = windows.NEGOTIATE_REQUEST[:64], memoryview(windows.NEGOTIATE_REQUEST)[64:]
    value = extend_preauth_hash(PREAUTH_START, bytearray(header), body)
    assert value == windows.HASH_AFTER_NEGOTIATE_REQUEST


def test_preauth_hash_follows_the_windows_example_through_session_setup():
    value = windows.HASH_BEFORE_SESSION_SETUP
    for message, after in windows.SESSION_SETUP_HASHES:
        value = extend_preauth_hash(value, message)
        assert value == after
    assert value == windows.PREAUTH_HASH


def test_repr_shows_no_key():
    assert repr(derive_keys(0x0300, b"k" * 16)) == "Keys()"
