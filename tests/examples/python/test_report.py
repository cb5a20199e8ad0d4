"""A program that uploads a report, and its tests.  `pytest` finds the fixtures by itself."""

import pytest
import smbclient
from smbprotocol.exceptions import SMBResponseException


def upload(unc, name, text, **login):
    """The program."""
    with smbclient.open_file(rf"{unc}\{name}", "w", **login) as file:
        file.write(text)


def test_the_report_is_on_the_share(smb_server):
    login = {"username": smb_server.user, "password": smb_server.password, "port": smb_server.port}
    upload(smb_server.unc, "report.txt", "all is well", **login)
    assert smb_server.tree() == {"report.txt": "all is well"}


def test_a_full_disk_is_an_error(make_smb_server):
    server = make_smb_server(memory="64 KiB")
    login = {"username": server.user, "password": server.password, "port": server.port}
    with pytest.raises(SMBResponseException, match="STATUS_DISK_FULL"):
        upload(server.unc, "report.txt", "all is well" * 10_000, **login)
