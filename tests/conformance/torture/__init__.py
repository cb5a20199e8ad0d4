"""Samba's own conformance tests (smbtorture), one by one, against a list of what is expected."""
