"""Rename and hard link ([MS-FSA] 2.1.5.15.11 and 2.1.5.15.6): new names for an open file."""

from smbd.ntstatus import NtError, NtStatus
from smbd.request import Request
from smbd.service import Service
from smbd.state import Open
from smbd.vfs import File, Root, information, name_to_path
from smbd.wire.fscc import FileAttribute, Rename


async def rename(request: Request, open_: Open, value: Rename) -> None:
    """Give the file another name, over an existing one if `replace` says so and nobody has it."""
    service, file = request.service, open_.file
    if not file.path:
        raise NtError(NtStatus.ACCESS_DENIED)  # the root of the share
    target = _target(value)
    await _check_target(service, open_, target, value)
    if file.is_directory and any(one.file.path for one in service.files.below(open_)):
        raise NtError(NtStatus.ACCESS_DENIED)  # [MS-FSA]: a directory in which something is open
    old = file.path
    await service.blocking(file.root.rename, file, target, value.replace)
    state = service.files.of(file)
    if state is not None:  # else a CLOSE came meanwhile
        state.renamed(old, file.path)


async def link(request: Request, open_: Open, value: Rename) -> None:
    """Give the file one more name."""
    target = _target(value)
    await _check_target(request.service, open_, target, value)
    await request.service.blocking(open_.file.root.link, open_.file, target, value.replace)


def _target(value: Rename) -> str:
    """The new path; from the share's root, whether or not the client says so."""
    path = name_to_path(value.name.removeprefix("\\"))
    if not path:
        raise NtError(NtStatus.OBJECT_NAME_INVALID)
    return path


async def _check_target(service: Service, open_: Open, target: str, value: Rename) -> None:
    """What stands at the new name must be nobody's open file, nor READONLY."""
    there = await service.blocking(_look, open_.file.root, target)
    if there is None:
        return
    attributes, file = there
    if file.identity == open_.file.identity:
        return  # another spelling of its own name, or another link: storage decides
    if not value.replace:
        raise NtError(NtStatus.OBJECT_NAME_COLLISION)
    state = service.files.of(file)
    if attributes & FileAttribute.READONLY or (state is not None and state.opens):
        raise NtError(NtStatus.ACCESS_DENIED)


def _look(root: Root, path: str) -> tuple[int, File] | None:
    """Attributes and identity (closed already) of what has a name, or None.  Blocks."""
    try:
        with root.open(path, read=False, write=False) as file:
            return information(file).attributes, file
    except NtError as error:
        if error.status == NtStatus.OBJECT_NAME_NOT_FOUND:
            return None
        raise
