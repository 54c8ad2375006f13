"""Git repositories as sources."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from envknit.errors import InstallError, PackageIndexError
from envknit.http.settings import PipSettings
from envknit.index.build import Builder
from envknit.index.cache import Cache
from envknit.index.git import Repositories
from envknit.index.index import open_index

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from envknit.index.index import Index

pytestmark = pytest.mark.ends

BACKEND = """
import subprocess, zipfile
VERSION = subprocess.run(["git", "describe", "--tags"], capture_output=True, text=True).stdout.strip() or "0"

def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = f"x-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(folder + "/" + name, "w") as archive:
        archive.writestr(f"x-{VERSION}.dist-info/METADATA", f"Name: x\\nVersion: {VERSION}\\n")
    return name
"""


def git(folder: Path, *command: str) -> str:
    identity = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b.example"}
    identity |= {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b.example"}
    done = subprocess.run(
        ["git", "-C", str(folder), *command], env=os.environ | identity, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def repositories(tmp_path: Path, *, offline: bool = False) -> Repositories:
    cache = Cache(tmp_path / "cache", pytest.fail)
    return Repositories(tmp_path / "cache/git", cache, Builder(PipSettings()), offline=offline)


@pytest.fixture(name="repository")
def _repository(tmp_path: Path) -> Path:
    """A repository whose project lies in `lib`, tagged `1.0`; the commit behind it is on the branch `next`."""
    root = tmp_path / "repository"
    project = root / "lib"
    project.mkdir(parents=True)
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n', encoding="utf-8"
    )
    (project / "backend.py").write_text(BACKEND, encoding="utf-8")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    git(root, "tag", "-a", "-m", "a tag with a text", "1.0")
    git(root, "switch", "-q", "-c", "next")
    git(root, "commit", "-q", "--allow-empty", "-m", "second")
    git(root, "switch", "-q", "main")
    return root


@pytest.fixture(name="index")
def _index(tmp_path: Path) -> Iterator[Index]:
    (tmp_path / "wheels").mkdir()
    with open_index(["wheels"], tmp_path, home=tmp_path / "store") as index:
        yield index


def test_branches_tags_and_commits_are_resolved_to_commits(tmp_path: Path, repository: Path) -> None:
    url = repository.as_uri()
    first, second = git(repository, "rev-parse", "main"), git(repository, "rev-parse", "next")
    opened = repositories(tmp_path)

    assert opened.commit(url) == first
    assert opened.commit(url, "next") == second
    assert opened.commit(url, "1.0") == first, "the commit, not the object of an annotated tag"
    assert opened.commit(url, "refs/tags/1.0") == first
    assert opened.commit(url, second) == second
    assert opened.commit(url, second[:9]) == second


@pytest.mark.parametrize("rev", ["nothing", "--upload-pack=touch evil", "abcdef012"])
def test_a_revision_that_is_not_there_is_told(tmp_path: Path, repository: Path, rev: str) -> None:
    with pytest.raises(PackageIndexError, match="no such branch"):
        repositories(tmp_path).commit(repository.as_uri(), rev)


@pytest.mark.parametrize("url", ["file:///nowhere", "ext::sh -c touch% evil", "--upload-pack=touch evil"])
def test_a_repository_that_cannot_be_read_is_told(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PackageIndexError, match="git failed"):
        repositories(tmp_path).commit(url)
    assert not (tmp_path / "evil").exists()


def test_messages_hold_no_login(tmp_path: Path) -> None:
    with pytest.raises(PackageIndexError) as caught:
        repositories(tmp_path).commit("http://user:s3cr3t@127.0.0.1:9/x.git")
    assert "s3cr3t" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


def test_without_git_it_is_said_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PackageIndexError, match="`git` is not there"):
        repositories(tmp_path).commit("file:///x")


def test_a_commit_that_came_later_is_fetched_and_then_offline_will_do(tmp_path: Path, repository: Path) -> None:
    url = repository.as_uri()
    repositories(tmp_path).check_out(url, git(repository, "rev-parse", "main"), tmp_path / "one")
    git(repository, "commit", "-q", "--allow-empty", "-m", "third")
    third = git(repository, "rev-parse", "main")
    offline = repositories(tmp_path, offline=True)

    with pytest.raises(PackageIndexError, match="offline"):
        offline.check_out(url, third, tmp_path / "two")
    repositories(tmp_path).check_out(url, third, tmp_path / "three")
    offline.check_out(url, third, tmp_path / "four")

    assert git(tmp_path / "four", "rev-parse", "HEAD") == third
    assert git(tmp_path / "four", "describe", "--tags").startswith("1.0-1-"), "tags and history are there"


def test_offline_asks_no_repository(tmp_path: Path, repository: Path) -> None:
    offline = repositories(tmp_path, offline=True)
    with pytest.raises(PackageIndexError, match="offline"):
        offline.commit(repository.as_uri(), "main")
    with pytest.raises(PackageIndexError, match="offline"):
        offline.check_out(repository.as_uri(), "0" * 40, tmp_path / "out")


@pytest.mark.usefixtures("repository")
def test_submodules_come_with_a_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "protocol.file.allow")  # git takes local submodules from their owner alone
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "always")
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q")
    git(outer, "submodule", "add", "-q", "../repository", "inner")
    git(outer, "commit", "-q", "-m", "with a submodule")

    out = repositories(tmp_path).check_out(outer.as_uri(), git(outer, "rev-parse", "HEAD"), tmp_path / "out")

    assert (out / "inner/lib/pyproject.toml").is_file()


def test_a_filter_such_as_git_lfs_sees_where_the_files_are(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / ".gitattributes").write_text("*.bin filter=large\n", encoding="utf-8")
    (repository / "x.bin").write_text("a pointer\n", encoding="utf-8")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "large")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "filter.large.smudge")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "git config remote.origin.url")

    url = repository.as_uri()
    out = repositories(tmp_path).check_out(url, git(repository, "rev-parse", "HEAD"), tmp_path / "out")
    assert url == (out / "x.bin").read_text(encoding="utf-8").strip()


def test_a_repository_is_cloned_over_ssh(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\nwhile [ "$1" != git@host.example ]; do shift; done\nshift; exec sh -c "$*"\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("GIT_SSH", str(ssh))
    monkeypatch.setenv("GIT_SSH_VARIANT", "simple")

    url = f"ssh://git@host.example{repository}"
    its = repositories(tmp_path)
    out = its.check_out(url, its.commit(url, "1.0"), tmp_path / "out")
    assert (out / "lib/pyproject.toml").is_file()
    assert git(out, "config", "remote.origin.url") == url.replace("git@", "")


def test_a_repository_from_elsewhere_has_no_submodules_of_this_machine(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q")
    git(outer, "-c", "protocol.file.allow=always", "submodule", "add", "-q", repository.as_uri(), "inner")
    git(outer, "commit", "-q", "-m", "with a submodule")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")  # which plays a server
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{outer.as_uri()}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://git.example/outer")

    with pytest.raises(PackageIndexError, match="transport 'file' not allowed"):
        repositories(tmp_path).check_out("https://git.example/outer", git(outer, "rev-parse", "HEAD"), tmp_path / "out")


@pytest.mark.parametrize(
    "url", ["--upload-pack=touch PWNED", "ext::sh -c touch% PWNED", "-x", "fd::7", "ssh://-oProxyCommand=x/y"]
)
def test_a_url_is_no_option_and_names_no_command(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for work in (
        lambda: repositories(tmp_path).commit(url),
        lambda: repositories(tmp_path).check_out(url, "0" * 40, tmp_path / "out"),
    ):
        with pytest.raises(PackageIndexError, match="git failed"):
            work()
    assert not (tmp_path / "PWNED").exists()


def test_metadata_and_wheel_of_a_commit_are_built_where_its_history_tells_the_version(
    tmp_path: Path, repository: Path, index: Index
) -> None:
    url = repository.as_uri()
    commit = index.git.commit(url, "1.0")

    assert b"Version: 1.0\n" in index.git.metadata(url, commit, subdirectory="lib")
    assert index.git.wheel(url, commit, tmp_path, subdirectory="lib") == tmp_path / "x-1.0-py3-none-any.whl"


def test_metadata_of_a_commit_is_built_once(tmp_path: Path, repository: Path, index: Index) -> None:
    url = repository.as_uri()
    commit = index.git.commit(url)
    first = index.git.metadata(url, commit, subdirectory="lib")

    with open_index(["wheels"], tmp_path, home=tmp_path / "store", offline=True) as offline:
        (tmp_path / "store/cache/git").rename(tmp_path / "gone")
        assert offline.git.metadata(url, commit, subdirectory="lib") == first


@pytest.mark.parametrize("inside", ["nothing", "..", "/etc"])
def test_a_folder_that_is_not_in_the_commit_is_told(repository: Path, index: Index, inside: str) -> None:
    with pytest.raises(InstallError, match="has no folder"):
        index.git.metadata(repository.as_uri(), index.git.commit(repository.as_uri()), subdirectory=inside)


def test_a_hook_of_git_does_not_lead_to_its_own_repository(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    git(tmp_path / "other", "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other/.git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "other"))
    opened = repositories(tmp_path)

    out = opened.check_out(repository.as_uri(), opened.commit(repository.as_uri()), tmp_path / "out")

    assert (out / "lib").is_dir()


def test_a_cache_that_cannot_be_written_does_not_stop_a_clone(tmp_path: Path, repository: Path) -> None:
    (tmp_path / "store").write_text("in the way", encoding="utf-8")
    (tmp_path / "wheels").mkdir()
    with open_index(["wheels"], tmp_path, home=tmp_path / "store") as it:
        assert b"Name: x" in it.git.metadata(
            repository.as_uri(), it.git.commit(repository.as_uri()), subdirectory="lib"
        )
