"""Private files: created whole with mode 0600, whatever the umask, and refused when others may use
them.
"""

from __future__ import annotations

import errno
import os
import stat

import pytest

from tlskit.stores import files

from ...support.pairs import Background

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes and owners are POSIX's")


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "file")


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o277, 0o777], ids=oct)
def umask(request):
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.mark.usefixtures("umask")
def test_a_new_file_is_private_whatever_the_umask(path):
    files.private_file(path, b"content")
    assert mode(path) == 0o600
    with open(path, "rb") as file:
        assert file.read() == b"content"
    assert os.listdir(os.path.dirname(path)) == ["file"]


def test_a_file_that_is_there_stays_as_it_is(path):
    files.private_file(path, b"first")
    files.private_file(path, b"second")
    with open(path, "rb") as file:
        assert file.read() == b"first"


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o660, 0o610, 0o666, 0o777], ids=oct)
def test_what_others_may_use_is_refused(path, bits):
    files.private_file(path)
    os.chmod(path, bits)
    with pytest.raises(PermissionError, match="other users may read or write the file"):
        files.private_file(path)
    assert mode(path) == bits


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away"
)
def test_what_belongs_to_somebody_else_is_refused(path):
    files.private_file(path)
    os.chown(path, 12345, -1)
    with pytest.raises(PermissionError, match="belongs to user 12345"):
        files.private_file(path)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(OSError, match="not a regular file"):
        files.private_file(str(tmp_path))


def test_a_folder_that_is_not_there_is_not_made(path):
    with pytest.raises(FileNotFoundError):
        files.private_file(path + "/file")


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_file_system_without_links(path, monkeypatch, number):
    def link(*args):
        raise OSError(number, "no links here")

    monkeypatch.setattr(os, "link", link)
    files.private_file(path, b"content")
    assert mode(path) == 0o600
    assert os.listdir(os.path.dirname(path)) == ["file"]


def test_a_full_disk_leaves_nothing_behind(path, monkeypatch):
    def link(*args):
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(OSError, match="no room"):
        files.private_file(path, b"content")
    assert os.listdir(os.path.dirname(path)) == []


def test_a_secret_is_made_once(path):
    first = files.secret_file(path)
    assert [len(secret) for secret in first] == [32]
    assert files.secret_file(path) == first
    assert mode(path) == 0o600


def test_threads_that_begin_at_once_agree_on_one_secret(path):
    threads = [Background(lambda: files.secret_file(path)) for _ in range(8)]
    assert len({tuple(one.result()) for one in threads}) == 1


def test_secrets_rotate_by_lines(path):
    files.private_file(path, b"# the new one\n" + b"11" * 32 + b"\n\n" + b"22" * 32 + b"\n")
    assert files.secret_file(path) == [b"\x11" * 32, b"\x22" * 32]


@pytest.mark.parametrize(
    "content", [b"", b"\n# nothing\n", b"not hexadecimal", b"abc", b"\xff\xfe", b"11" * 32 + b"\nx"]
)
def test_a_file_that_holds_no_secrets_is_refused_without_being_shown(path, content):
    files.private_file(path, content)
    with pytest.raises(ValueError, match="secret") as caught:
        files.secret_file(path)
    assert "1111" not in str(caught.value)
