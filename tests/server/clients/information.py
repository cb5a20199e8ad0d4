"""SET_INFO and QUERY_INFO by a handle that is open already, in smbprotocol's structures."""

from smbprotocol.file_info import (
    FileBasicInformation,
    FileDispositionInformation,
    FileEndOfFileInformation,
    FileLinkInformation,
    FileRenameInformation,
    FileStandardInformation,
)
from smbprotocol.open import (
    SMB2QueryInfoRequest,
    SMB2QueryInfoResponse,
    SMB2SetInfoRequest,
)

from smbd.wire.fscc import FileClass
from smbd.wire.query_info import InfoType


def set_information(opened, information):
    """SET_INFO of any of smbprotocol's information structures."""
    request = SMB2SetInfoRequest()
    request["info_type"] = information.INFO_TYPE
    request["file_info_class"] = information.INFO_CLASS
    request["file_id"] = opened.file_id
    request["buffer"] = information
    _ask(opened, request)


def query_information(opened, kind, length=4096):
    """QUERY_INFO of one of smbprotocol's information structures."""
    return _queried(opened, kind.INFO_TYPE, kind.INFO_CLASS, length).parse_buffer(kind)


def query_raw(opened, number):
    """QUERY_INFO of a class of file information, as it is on the wire."""
    return _queried(opened, InfoType.FILE, number, 4096)["buffer"].get_value()


def query_raw_file_system(opened, number):
    """QUERY_INFO of a class of file system information, as it is on the wire."""
    return _queried(opened, InfoType.FILE_SYSTEM, number, 4096)["buffer"].get_value()


def _queried(opened, kind, number, length):
    request = SMB2QueryInfoRequest()
    request["info_type"] = kind
    request["file_info_class"] = number
    request["output_buffer_length"] = length
    request["file_id"] = opened.file_id
    response = SMB2QueryInfoResponse()
    response.unpack(_ask(opened, request)["data"].get_value())
    return response


def _ask(opened, request):
    tree = opened.tree_connect
    sent = opened.connection.send(request, tree.session.session_id, tree.tree_connect_id)
    return opened.connection.receive(sent)


def rename(opened, name, *, replace=False):
    """Give an open file another name, as it stands: nothing is normalised."""
    information = FileRenameInformation()
    information["replace_if_exists"] = replace
    information["file_name"] = name
    set_information(opened, information)


def link(opened, name, *, replace=False):
    """Give an open file one more name."""
    information = FileLinkInformation()
    information["replace_if_exists"] = replace
    information["file_name"] = name
    set_information(opened, information)


def mark_for_deletion(opened, marked=True):
    """FileDispositionInformation."""
    information = FileDispositionInformation()
    information["delete_pending"] = marked
    set_information(opened, information)


def set_end_of_file(opened, size):
    """Truncate or extend."""
    information = FileEndOfFileInformation()
    information["end_of_file"] = size
    set_information(opened, information)


def allocate(opened, size):
    """FileAllocationInformation, which smbprotocol lacks."""
    request = SMB2SetInfoRequest()
    request["info_type"] = InfoType.FILE
    request.fields["file_info_class"].enum_strict = False
    request["file_info_class"] = FileClass.ALLOCATION
    request["file_id"] = opened.file_id
    request["buffer"] = size.to_bytes(8, "little")
    _ask(opened, request)


def set_basic(opened, **values):
    """Times, as datetime or FILETIME, and attributes."""
    information = FileBasicInformation()
    for name, value in values.items():
        information[name] = value
    set_information(opened, information)


def basic(opened):
    """Times and attributes."""
    return query_information(opened, FileBasicInformation)


def standard(opened):
    """Sizes, number of links, and whether it is to be deleted."""
    return query_information(opened, FileStandardInformation)
