"""What a request is about, for those who look on: its command, user, share and path."""

from struct import Struct
from typing import NamedTuple

from smbd.ntstatus import NtError
from smbd.request import Request
from smbd.rows import SMB1_NEGOTIATE
from smbd.wire.bounds import cut, text
from smbd.wire.file_id import parse_file_id
from smbd.wire.header import Command
from smbd.wire.tree_connect import parse_tree_connect_request

_PIPES = "IPC$"
_CREATE_NAME = Struct("<HH")  # [MS-SMB2] 2.2.13: NameOffset, NameLength
_CREATE_NAME_AT, _CREATE_END = 64 + 44, 120


class Subject(NamedTuple):
    """What a request is about; what it has not is empty."""

    command: str  # as the specification names it
    user: str  # as the session logged in
    share: str  # "IPC$" for pipes
    path: str  # from the share's folder on, with slashes; of the share's folder itself: ""


def subject_of(request: Request) -> Subject:
    """What a request is about: asked before its command is carried out, since that may end it."""
    session, tree = request.session, request.tree
    if tree is None and session is not None:
        tree = session.trees.get(request.tree_id)
    share = ""
    if tree is not None:
        share = _PIPES if tree.share is None else tree.share.name
    elif request.command == Command.TREE_CONNECT:
        share = _share_to_enter(request)
    user = "" if session is None else session.user
    return Subject(request.row.name, user, share, _path(request))


def _share_to_enter(request: Request) -> str:
    """The share that a TREE_CONNECT names, as it is configured if there is such a one."""
    try:
        path = parse_tree_connect_request(request.frame).path
    except NtError:
        return ""
    name = path.removeprefix("\\\\").partition("\\")[2]
    share = request.service.shares.get(name.lower())
    return name if share is None else share.name


def _path(request: Request) -> str:
    if request.command == SMB1_NEGOTIATE:
        return ""
    if request.command == Command.CREATE:
        return _path_to_open(request.frame)
    if not request.row.file_id_at:
        return ""
    if request.previous is not None:
        open_, pipe = request.open, request.pipe
    else:
        session = request.session
        if session is None or len(request.frame) < request.row.file_id_at + 16:
            return ""
        _, volatile_id = parse_file_id(request.frame, request.row.file_id_at)
        open_, pipe = session.opens.get(volatile_id), session.pipes.get(volatile_id)
    if open_ is not None:
        return open_.file.label
    return "" if pipe is None else pipe.name


def _path_to_open(frame: memoryview) -> str:
    try:
        if len(frame) < _CREATE_END:
            return ""
        offset, length = _CREATE_NAME.unpack_from(frame, _CREATE_NAME_AT)
        name = text(cut(frame, offset, length, _CREATE_END))
    except NtError:
        return ""
    return name.replace("\\", "/").strip("/")
