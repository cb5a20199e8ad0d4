"""What is not there yet says so, in the words that make clients do without."""

import pytest
from smbprotocol.ioctl import CtlCode, IOCTLFlags, SMB2IOCTLRequest

from smbd.ntstatus import NtStatus
from tests.server.clients import refusal

ANY_FILE = b"\xff" * 16


def control(pypi, code, file_id=ANY_FILE):
    """The NTSTATUS of an FSCTL with nothing in it."""
    request = SMB2IOCTLRequest()
    request.fields["ctl_code"].enum_strict = False
    request["ctl_code"] = code
    request["file_id"] = file_id
    request["max_output_response"] = 4096
    request["flags"] = IOCTLFlags.SMB2_0_IOCTL_IS_FSCTL
    session, tree = pypi.session.session_id, pypi.tree.tree_connect_id
    return refusal(lambda: pypi.connection.receive(pypi.connection.send(request, session, tree)))


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (CtlCode.FSCTL_DFS_GET_REFERRALS, NtStatus.FS_DRIVER_REQUIRED),
        (CtlCode.FSCTL_DFS_GET_REFERRALS_EX, NtStatus.FS_DRIVER_REQUIRED),
        (CtlCode.FSCTL_QUERY_NETWORK_INTERFACE_INFO, NtStatus.NOT_SUPPORTED),
    ],
)
def test_controls_of_the_whole_server(pypi, code, status):
    assert control(pypi, code) == status


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (CtlCode.FSCTL_GET_REPARSE_POINT, NtStatus.NOT_A_REPARSE_POINT),
        (CtlCode.FSCTL_SET_REPARSE_POINT, NtStatus.NOT_A_REPARSE_POINT),
        (0x000900AC, NtStatus.NOT_A_REPARSE_POINT),  # FSCTL_DELETE_REPARSE_POINT
        (CtlCode.FSCTL_SRV_READ_HASH, NtStatus.HASH_NOT_SUPPORTED),
        (CtlCode.FSCTL_LMR_REQUEST_RESILIENCY, NtStatus.INVALID_DEVICE_REQUEST),
        (CtlCode.FSCTL_FILE_LEVEL_TRIM, NtStatus.INVALID_DEVICE_REQUEST),
        (CtlCode.FSCTL_PIPE_TRANSCEIVE, NtStatus.INVALID_DEVICE_REQUEST),
        (0x000900A0, NtStatus.INVALID_DEVICE_REQUEST),  # FSCTL_DELETE_OBJECT_ID
        (0x00098344, NtStatus.INVALID_DEVICE_REQUEST),  # FSCTL_DUPLICATE_EXTENTS_TO_FILE
        (0x00099999, NtStatus.INVALID_DEVICE_REQUEST),
    ],
)
def test_controls_of_a_file(pypi, code, status):
    opened = pypi.open("file")
    assert control(pypi, code, opened.file_id) == status
    opened.close()
    assert control(pypi, code, opened.file_id) == NtStatus.FILE_CLOSED
