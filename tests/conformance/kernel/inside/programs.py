"""Checks of whole programs: git, a compiler and make, tar, rsync. What they leave must be right.

`--large` gives them this checkout and all of smbd to work on, not just a little.
"""

import os
import shutil
import subprocess
from pathlib import Path

from .harness import MOUNT, SkipError, check, fresh, here, same
from .tree import differences, tree

_HOME = Path("/tmp/programs")  # the guest's own memory
_CHECKOUT = Path(__file__).resolve().parents[4]
_GIT = ["-c", "user.name=test", "-c", "user.email=test", "-c", "safe.directory=*"]
_MANY_OBJECTS = 60


def _large() -> bool:
    return "SMB_PROGRAMS" in os.environ


def _run(*words: str | Path, cwd: Path | None = None) -> str:
    """Run a program to its good end, and return its output; skip if this machine has it not."""
    if not shutil.which(str(words[0])):
        raise SkipError(f"no {words[0]} on this machine")
    ended = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"{words}: {ended.stderr[-300:]}{ended.stdout[-300:]}"
    return ended.stdout


def _git(*words: str | Path, cwd: Path | None = None) -> str:
    return _run("git", *_GIT, *words, cwd=cwd)


def _source() -> Path:
    """Return a directory of ordinary files in the guest's own memory, made at the first call."""
    source = _HOME / "source"
    if not source.exists():
        source.parent.mkdir(exist_ok=True)
        origin = _CHECKOUT / ("smbd" if _large() else "tests/conformance/kernel")
        shutil.copytree(origin, source, ignore=shutil.ignore_patterns("__pycache__"))
        (source / "empty").touch()
        (source / "large").write_bytes(os.urandom(3_000_001))
        (source / "two words").mkdir()
        (source / "two words/inner").write_text("x")
    return source


def _there(path: Path) -> Path:
    """Return the same file as the disk of the server's machine has it."""
    return Path(os.environ["SMB_FOLDER"]) / path.relative_to(MOUNT)


def _equal(copy: Path, want: Path) -> None:
    """Demand the same files with the same contents: on the mount, read anew, and on the disk."""
    fresh()
    same(differences(tree(copy), tree(want)), [])
    same(differences(tree(_there(copy)), tree(want)), [])


def _repository() -> Path:
    """Return a repository to clone: of this checkout if it is large, or a made one."""
    repository = _HOME / "repository"
    if repository.exists():
        return repository
    if _large():
        _git("clone", "--quiet", "--no-hardlinks", _CHECKOUT, repository)
        return repository
    shutil.copytree(_source(), repository)
    _git("init", "--quiet", repository)
    for number in range(3):
        (repository / "changing").write_text(f"{number}\n" * 1000)
        _git("add", ".", cwd=repository)
        _git("commit", "--quiet", "--message", f"change {number}", cwd=repository)
    return repository


@check
def git() -> None:
    repository, clone = _repository(), here("clone")
    _git("clone", "--quiet", "--no-hardlinks", repository, clone)
    same(_git("status", "--porcelain", cwd=clone), "")
    fresh()
    same(_git("status", "--porcelain", cwd=clone), "")
    head = _git("rev-parse", "HEAD", cwd=repository)
    same(_git("rev-parse", "HEAD", cwd=clone), head)
    (clone / "of ours").write_text("ours\n")
    _git("checkout", "--quiet", "-b", "branch", cwd=clone)
    _git("add", ".", cwd=clone)
    _git("commit", "--quiet", "--message", "ours", cwd=clone)
    if _large():
        _git("gc", "--quiet", cwd=clone)
    _git("checkout", "--quiet", head.strip(), cwd=clone)
    assert not (clone / "of ours").exists()
    _git("fsck", "--full", cwd=clone)
    without = shutil.ignore_patterns(".git")
    for where, name in ((repository, "want"), (clone, "got")):
        shutil.rmtree(_HOME / name, ignore_errors=True)
        shutil.copytree(where, _HOME / name, ignore=without)
    # Where there are no symbolic links git makes a file of each.
    links = {str(p.relative_to(repository)) for p in repository.rglob("*") if p.is_symlink()}
    wrong = differences(tree(_HOME / "got"), tree(_HOME / "want"))
    same([line for line in wrong if line.partition(":")[0] not in links], [])
    shutil.rmtree(clone)


@check
def compile_() -> None:
    """Compile many files by make, link them, and run what came out from the mount."""
    here("program").mkdir()
    numbers = range(_MANY_OBJECTS if _large() else 4)
    head = "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n"
    for n in numbers:
        code = f'int f{n}(int x) {{ return (int)strlen(getenv("WORD")) * x + {n}; }}\n'
        here(f"program/f{n}.c").write_text(f'#include "all.h"\n{code}')
    declared = "".join(f"int f{n}(int);\n" for n in numbers)
    here("program/all.h").write_text(head + declared)
    sums = " + ".join(f"f{n}(2)" for n in numbers)
    main = f'#include "all.h"\nint main(void) {{ printf("%d\\n", {sums}); return 0; }}\n'
    here("program/main.c").write_text(main)
    here("program/Makefile").write_text(
        "program: $(patsubst %.c,%.o,$(wildcard *.c))\n\tcc -o $@ $^\n"
        "%.o: %.c all.h\n\tcc -O1 -c -o $@ $<\n"
    )
    _run("make", "-j", "2", "-C", here("program"))
    want = sum(2 * 4 + n for n in numbers)
    same(_run("env", "WORD=four", here("program/program")), f"{want}\n")
    assert "up to date" in _run("make", "-C", here("program")), "make finds it older than it is"
    fresh()
    same(_run("env", "WORD=four", here("program/program")), f"{want}\n")
    shutil.rmtree(here("program"))


@check
def tar() -> None:
    source = _source()
    _run("tar", "-cf", here("all.tar"), "-C", source, ".")
    here("untarred").mkdir()
    _run("tar", "-xf", here("all.tar"), "-C", here("untarred"))
    _equal(here("untarred"), source)
    _run("tar", "-cf", "/tmp/back.tar", "-C", here("untarred"), ".")
    (_HOME / "back").mkdir()
    _run("tar", "-xf", "/tmp/back.tar", "-C", _HOME / "back")
    same(differences(tree(_HOME / "back"), tree(source)), [])
    shutil.rmtree(here("untarred"))


@check
def rsync() -> None:
    source, copy = _source(), here("copy")
    sync = ["rsync", "--recursive", "--times", "--delete", "--itemize-changes"]
    _run(*sync, f"{source}/", copy)
    _equal(copy, source)
    same(_run(*sync, f"{source}/", copy), "")
    same(_run(*sync, "--checksum", f"{source}/", copy), "")
    changed = _HOME / "changed"
    shutil.rmtree(changed, ignore_errors=True)
    shutil.copytree(source, changed)
    (changed / "empty").unlink()
    with (changed / "large").open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"changed")
    (changed / "new").write_text("new")
    _run(*sync, "--no-whole-file", "--inplace", f"{changed}/", copy)
    _equal(copy, changed)
    _run(*sync, f"{copy}/", _HOME / "again")
    same(differences(tree(_HOME / "again"), tree(changed)), [])
    shutil.rmtree(copy)
