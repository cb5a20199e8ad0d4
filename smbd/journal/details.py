"""What a request is about beyond its path, from its own bytes and those of its answer."""

from collections.abc import Callable, Mapping
from struct import Struct
from typing import Any

from smbd.ntstatus import NtError, NtStatus
from smbd.request import Reply, Request
from smbd.wire.create import CreateAction, CreateDisposition, CreateOptions, parse_create_request
from smbd.wire.fscc import parse_disposition, parse_rename
from smbd.wire.fscc.classes import FileClass, FileSystemClass
from smbd.wire.fsctl import Fsctl
from smbd.wire.header import Command
from smbd.wire.ioctl import parse_ioctl_request
from smbd.wire.lock import parse_lock_request
from smbd.wire.query_directory import parse_query_directory_request
from smbd.wire.query_info import InfoType, parse_query_info_request
from smbd.wire.read import parse_read_request
from smbd.wire.set_info import parse_set_info_request
from smbd.wire.write import parse_write_request

Fields = dict[str, Any]

_BODY = 4 + 64  # of an answer: behind the length of its frame and its header
_COUNT = Struct("<4xI")  # READ and WRITE: DataLength, Count
_ACTION = Struct("<4xI")  # CREATE: CreateAction


def _names(of: type) -> Mapping[int, str]:
    return {value: name for name, value in vars(of).items() if isinstance(value, int)}


_ACTIONS, _DISPOSITIONS = _names(CreateAction), _names(CreateDisposition)
_FILE_CLASSES, _FILE_SYSTEM_CLASSES = _names(FileClass), _names(FileSystemClass)
_CODES = _names(Fsctl)


def details_of(request: Request) -> Fields:
    """`offset` and `length`, and whatever names the command has; {} of one that is malformed."""
    describe = _DESCRIBE.get(request.command)
    try:
        return {} if describe is None else describe(request.frame)
    except NtError:
        return {}


def result_of(request: Request, reply: Reply) -> Fields:
    """What a success says of itself."""
    if reply.status != NtStatus.SUCCESS or len(reply.frame) < _BODY + _COUNT.size:
        return {}
    if request.command in {Command.READ, Command.WRITE}:
        return {"count": _COUNT.unpack_from(reply.frame, _BODY)[0]}
    if request.command == Command.CREATE:
        return {"create_action": _named(_ACTIONS, _ACTION.unpack_from(reply.frame, _BODY)[0])}
    return {}


def _named(names: Mapping[int, str], value: int) -> str | int:
    return names.get(value, value)


def _create(frame: memoryview) -> Fields:
    message = parse_create_request(frame)
    found: Fields = {
        "create_disposition": _named(_DISPOSITIONS, message.create_disposition),
        "desired_access": message.desired_access,
    }
    if message.create_options & CreateOptions.DELETE_ON_CLOSE:
        found["delete"] = True
    return found


def _read(frame: memoryview) -> Fields:
    message = parse_read_request(frame)
    return {"offset": message.offset, "length": message.length}


def _write(frame: memoryview) -> Fields:
    message = parse_write_request(frame)
    return {"offset": message.offset, "length": len(message.data)}


def _lock(frame: memoryview) -> Fields:
    first = parse_lock_request(frame).locks[0]
    return {"offset": first.offset, "length": first.length}


def _query_info(frame: memoryview) -> Fields:
    message = parse_query_info_request(frame)
    return _info(message.info_type, message.info_class)


def _set_info(frame: memoryview) -> Fields:
    message = parse_set_info_request(frame)
    found = _info(message.info_type, message.info_class)
    if message.info_type == InfoType.FILE:
        if message.info_class in {FileClass.RENAME, FileClass.LINK}:
            target = parse_rename(message.data)
            found["new_path"] = target.name.replace("\\", "/").strip("/")
        elif message.info_class == FileClass.DISPOSITION:
            found["delete"] = parse_disposition(message.data)
        elif message.info_class == FileClass.DISPOSITION_EX and message.data:
            found["delete"] = bool(message.data[0] & 1)
    return found


def _info(info_type: int, info_class: int) -> Fields:
    if info_type == InfoType.FILE:
        return {"info_class": _named(_FILE_CLASSES, info_class)}
    if info_type == InfoType.FILE_SYSTEM:
        return {"info_class": _named(_FILE_SYSTEM_CLASSES, info_class)}
    return {"info_class": {InfoType.SECURITY: "SECURITY", InfoType.QUOTA: "QUOTA"}[info_type]}


def _query_directory(frame: memoryview) -> Fields:
    message = parse_query_directory_request(frame)
    return {
        "info_class": _named(_FILE_CLASSES, message.info_class),
        "pattern": message.pattern,
    }


def _ioctl(frame: memoryview) -> Fields:
    return {"ctl_code": _named(_CODES, parse_ioctl_request(frame).ctl_code)}


_DESCRIBE: Mapping[int, Callable[[memoryview], Fields]] = {
    Command.CREATE: _create,
    Command.READ: _read,
    Command.WRITE: _write,
    Command.LOCK: _lock,
    Command.QUERY_INFO: _query_info,
    Command.SET_INFO: _set_info,
    Command.QUERY_DIRECTORY: _query_directory,
    Command.IOCTL: _ioctl,
}
