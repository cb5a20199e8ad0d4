"""What `smbd check` says of this machine and of a folder."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import aio
from aio.dontcache import try_dontcache


def test_the_engines_and_features_are_offered_with_reasons() -> None:
    offers = {offer.name: offer for offer in aio.offers()}
    assert all(offers[name].available for name in ("sync", "threads", "nowait"))
    assert {*aio.ENGINES, "RWF_NOWAIT", "mincore", "cachestat", "openat2"} <= set(offers)
    assert all(offer.reason for offer in offers.values())


def test_an_engine_that_is_missing_says_why(no_uring: str) -> None:
    assert aio.Offer("uring", False, no_uring) in aio.offers()  # noqa: FBT003


def test_a_list_is_described_by_what_there_is_and_why_not_by_the_rest(
    no_uring: str, tmp_path: Path
) -> None:
    description = aio.describe(tmp_path, "uring,threads")
    assert description.engine == "threads"
    assert description.notes == (f"uring is not available: {no_uring}",)
    assert str(description).endswith(f"; uring is not available: {no_uring}")
    assert aio.describe(tmp_path, "nowait+uring,sync").engine == "nowait+sync"
    with pytest.raises(OSError, match=f"uring is not available: {no_uring}"):
        aio.describe(tmp_path, "nowait+uring")


def test_a_feature_that_is_missing_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> int:
        raise OSError(38, "Function not implemented")

    monkeypatch.delattr(os, "RWF_NOWAIT")
    monkeypatch.setattr("aio.survey.openat2", missing)
    monkeypatch.setattr("aio.survey.cachestat", missing)
    monkeypatch.setattr("aio.residency.tells_the_truth", lambda _fd, _vector: False)
    offers = {offer.name: offer for offer in aio.offers()}
    assert not offers["RWF_NOWAIT"].available
    assert "where aio is installed" in offers["RWF_NOWAIT"].reason
    assert offers["openat2"] == aio.Offer("openat2", False, "Function not implemented")  # noqa: FBT003
    assert not offers["cachestat"].available
    assert "not there" in offers["mincore"].reason


def test_a_disk_with_rwf_nowait(disk: Path) -> None:
    description = aio.describe(disk, "nowait")
    assert description.engine == "nowait+threads"
    assert description.reads == "by RWF_NOWAIT; misses go to worker threads"
    assert "inline if page-aligned" in description.writes
    assert str(description).startswith(f"{description.file_system}: reads by RWF_NOWAIT")
    assert list(disk.iterdir()) == []


def test_memory(tmpfs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aio.file_systems._has_swap", lambda: False)
    description = aio.describe(tmpfs, "nowait+sync")
    assert description.file_system == "tmpfs"
    assert description.reads.startswith("inline")
    assert description.writes.startswith("inline")


def test_memory_that_may_be_swapped_out(tmpfs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aio.file_systems._has_swap", lambda: True)
    assert "mincore" in aio.describe(tmpfs, "nowait").reads


def test_an_overlay(overlay: Path) -> None:
    description = aio.describe(overlay, "nowait")
    assert description.file_system == "overlayfs"
    assert "mincore" in description.reads
    assert "others" in description.writes
    assert list(overlay.iterdir()) == []


def test_without_the_probe_every_request_goes_one_way(tmp_path: Path) -> None:
    description = aio.describe(tmp_path, "threads")
    assert description.reads == description.writes == "all go to worker threads"
    assert aio.describe(tmp_path, "sync").reads == "all block the event loop"


def test_libaio_for_buffered_files_is_said_to_block(tmp_path: Path) -> None:
    assert "blocks the event loop" in aio.describe(tmp_path, "libaio").reads
    assert "misses go to libaio, which" in aio.describe(tmp_path, "nowait+libaio").reads


def test_direct_requests_are_described_by_their_alignment(disk: Path) -> None:
    description = aio.describe(disk, "libaio", direct=1)
    assert description.reads.startswith("by O_DIRECT and libaio in blocks of ")
    assert "parts of them go to worker threads" in description.writes
    assert "parts of them go to io_uring" in aio.describe(disk, "uring", direct=1).writes
    assert list(disk.iterdir()) == []


def test_where_there_is_no_o_direct_the_description_says_what_is_done_instead(
    tmpfs: Path,
) -> None:
    way = "all go to worker threads and the page cache, since O_DIRECT is not to be had: tmpfs is "
    description = aio.describe(tmpfs, "libaio", direct=1)
    assert description.reads.startswith(way)
    assert description.writes.startswith(way)


def test_long_requests_that_are_not_to_be_cached_are_described(disk: Path) -> None:
    with tempfile.TemporaryFile(dir=disk) as file:
        try:
            try_dontcache(file.fileno(), writing=True)
        except OSError as error:
            pytest.skip(f"RWF_DONTCACHE: {error}")
    large = "; those of 1048576 bytes and more"
    alone = aio.describe(disk, "threads", dontcache=1 << 20)
    assert alone.reads == f"all go to worker threads{large} with RWF_DONTCACHE"
    probed = aio.describe(disk, "nowait", dontcache=1 << 20)
    for way in (probed.reads, probed.writes):
        assert way.endswith(f"{large} go to worker threads with RWF_DONTCACHE")
    assert "DONTCACHE" not in aio.describe(disk, "nowait").reads
    assert "DONTCACHE" not in aio.describe(disk, "libaio", direct=1, dontcache=1 << 20).reads
    assert list(disk.iterdir()) == []


def test_where_nothing_is_left_uncached_the_description_says_so(
    tmpfs: Path, no_uring: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    description = aio.describe(tmpfs, "nowait", dontcache=1 << 20)
    for way in (description.reads, description.writes):
        assert way.endswith("; RWF_DONTCACHE is not to be had: Operation not supported")
    assert "DONTCACHE" not in aio.describe(tmpfs, "uring,sync", dontcache=1 << 20).reads
    monkeypatch.setattr("aio.survey._temporary_file", lambda _: None)
    (tmpfs / "file").write_bytes(b"here")
    description = aio.describe(tmpfs, "nowait", dontcache=1 << 20)
    assert "DONTCACHE" in description.reads
    assert description.writes == "not tried: nothing can be made"


def test_where_no_nameless_file_can_be_made_one_with_a_name_is_and_is_gone(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.open

    def no_tmpfile(path: str, flags: int, *args: int, **options: int) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(95, "Operation not supported")
        return whole(path, flags, *args, **options)

    monkeypatch.setattr(os, "open", no_tmpfile)
    assert "RWF_NOWAIT" in aio.describe(disk, "nowait").reads
    assert list(disk.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_tried_on_what_is_in_it(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aio.survey._temporary_file", lambda _: None)
    assert "not known before the first open" in aio.describe(disk, "nowait").reads
    (disk / "folder").mkdir()
    (disk / "link").symlink_to("/etc/passwd")
    assert "not known before the first open" in aio.describe(disk, "nowait").reads
    (disk / "file").write_bytes(b"here")
    description = aio.describe(disk, "nowait")
    assert description.reads.startswith("by RWF_NOWAIT")
    assert description.writes.startswith("not tried")


def test_a_file_system_that_takes_writes_without_waiting_is_said_to(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "pwritev", lambda _fd, data, *_: len(data[0]))
    assert aio.describe(disk, "nowait").writes.startswith("by RWF_NOWAIT, and inline if")


def test_what_may_ask_others_goes_to_the_engine(
    tmpfs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aio.file_systems._ASKS_OTHERS", {"tmpfs"})
    monkeypatch.setattr("aio.file_systems._has_swap", lambda: True)
    description = aio.describe(tmpfs, "nowait")
    assert description.reads.startswith("all go to worker threads, since tmpfs may ask others")
    assert description.writes.startswith("all go to worker threads, since tmpfs may ask others")


def test_files_of_others_through_an_overlay_are_said_to_be_unknown(overlay: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    (overlay / "file").write_bytes(b"of root")
    code = (
        "import os, sys, aio; aio.describe;"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534);"
        "print(aio.describe(sys.argv[1], 'nowait').reads)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(overlay)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "mincore cannot be trusted" in done.stdout


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        aio.describe(tmp_path / "nowhere", "nowait")
    with pytest.raises(ValueError, match="did you mean"):
        aio.describe(tmp_path, "nowiat")
