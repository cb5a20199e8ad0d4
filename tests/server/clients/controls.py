"""IOCTL on an open file, in smbprotocol's structures."""

from struct import pack, unpack_from

from smbprotocol.exceptions import SMBResponseException
from smbprotocol.ioctl import IOCTLFlags, SMB2IOCTLRequest

from smbd.ntstatus import NtStatus
from smbd.wire.fsctl import Fsctl


def control(opened, code, data=b"", room=4096):
    """The output of an FSCTL; SMBResponseException."""
    return _output(_ask(opened, code, data, room))


def outcome(opened, code, data=b"", room=4096):
    """(status, output) of an FSCTL that may have both an error and an output."""
    try:
        return NtStatus.SUCCESS, control(opened, code, data, room)
    except SMBResponseException as error:
        header = error.header
        is_control = unpack_from("<H", header["data"].get_value())[0] == 49
        return error.status, _output(header) if is_control else b""


def _ask(opened, code, data, room):
    request = SMB2IOCTLRequest()
    request.fields["ctl_code"].enum_strict = False  # there are more than it knows
    request["ctl_code"] = code
    request["file_id"] = opened.file_id
    request["max_output_response"] = room
    request["flags"] = IOCTLFlags.SMB2_0_IOCTL_IS_FSCTL
    request["buffer"] = data
    tree = opened.tree_connect
    sent = opened.connection.send(request, tree.session.session_id, tree.tree_connect_id)
    return opened.connection.receive(sent)


def _output(header):
    body = header["data"].get_value()
    at, length = unpack_from("<II", body, 32)
    return body[at - 64 : at - 64 + length]


def resume_key(opened):
    """The name under which a file can be copied from."""
    return control(opened, Fsctl.SRV_REQUEST_RESUME_KEY)[:24]


def copy(source, target, *chunks, code=Fsctl.SRV_COPYCHUNK_WRITE, key=None):
    """(status, (chunks, bytes of the last, bytes)); a chunk is (from, to, length)."""
    asked = pack("<24sII", key or resume_key(source), len(chunks), 0)
    asked += b"".join(pack("<QQII", *chunk, 0) for chunk in chunks)
    status, output = outcome(target, code, asked, 12)
    return status, unpack_from("<III", output) if output else None


def copied(*result):
    """What `copy` gives for a success."""
    return NtStatus.SUCCESS, result
