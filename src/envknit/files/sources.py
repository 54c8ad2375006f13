"""Sources: where a pin comes from when a person names the place: a path, a git repository, a URL, or one index."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

if TYPE_CHECKING:
    from envknit.files.values import Value

ANY_INDEX = "index+default"  # whichever index has it: of a name that is bound, but not on all platforms
_OTHER_SYSTEMS = ("hg+", "svn+", "bzr+")
_KEPT = "/:@!$&'()*+,=~-._%[]{}"  # what stays readable in a path; a blank would end the URL of a requirement (PEP 508)


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Source:
    """A place that a person named; `str()` writes it as one URL without blanks, and `parse_source` reads that.

    Args:
        kind: `path` (a folder, wheel or sdist), `git`, `url` or `index`.
        location: a path with `/`, relative to the folder of the lock or absolute; or the URL without `git+`, `index+`.
        rev: what to take from git: a branch, tag or commit; `""`: the default branch.
        commit: the commit that `rev` was resolved to, in a lock.
        sha256: of the file that a URL leads to, in a lock or as the person wrote it.
        subdirectory: where in the repository or archive the project lies.
        editable: whether the folder is used in place, so that an edit needs no install.
    """

    kind: str
    location: str
    rev: str = ""
    commit: str = ""
    sha256: str = ""
    subdirectory: str = ""
    editable: bool = False

    def __str__(self) -> str:
        facts = [
            "editable" if self.editable else "",
            f"commit={self.commit}" if self.commit else "",
            f"sha256={self.sha256}" if self.sha256 else "",
            f"subdirectory={quote(self.subdirectory, safe=_KEPT)}" if self.subdirectory else "",
        ]
        fragment = "&".join(filter(None, facts))
        start = {"path": "file:", "git": "git+", "url": "", "index": "index+"}[self.kind]
        place = quote(self.location, safe=_KEPT) if self.kind == "path" else self.location
        rev = f"@{self.rev}" if self.rev else ""
        return f"{start}{place}{rev}{'#' + fragment if fragment else ''}"

    @property
    def is_here(self) -> bool:
        """Whether it is a file or folder of this machine."""
        return self.kind == "path"


def parse_source(text: str, value: Value, *, base: str = "") -> Source:
    """Read a source from a URL or path.

    Args:
        text: what stands behind the `@` of a requirement, or what `str(source)` gave.
        value: for complaints.
        base: the folder that a relative path is relative to, itself relative to the lock's folder.

    Raises:
        the value's own error: it is in a form that envknit does not understand.
    """
    try:
        for url in (text, text.removeprefix("git+")):  # a blank behind `git+` makes another URL of it
            urlsplit(url)
    except ValueError as cause:
        raise value.bad(f"`{text}` is not a URL: {cause}") from cause
    if text.startswith(_OTHER_SYSTEMS):
        raise value.bad(f"`{text}`: of version control systems, only git is understood")
    body, _, fragment = text.partition("#")
    facts = _fragment(fragment)
    subdirectory, sha256 = facts.get("subdirectory", ""), facts.get("sha256", "")
    if body.startswith("index+"):
        return Source(kind="index", location=body.removeprefix("index+"))
    if wanted := _of_ssh(body):
        raise value.bad(f"`{text}` is no URL", hint=f"write it as in: {wanted}")
    if body.startswith("git+"):
        location, rev = _revision(body.removeprefix("git+"))
        commit = facts.get("commit", "")
        return Source(kind="git", location=location, rev=rev, commit=commit, subdirectory=subdirectory)
    if "://" in body and not body.startswith("file:"):
        if urlsplit(body).scheme not in ("http", "https"):
            raise value.bad(
                f"`{text}` is no source that envknit understands", hint="write https://, git+https:// or a path"
            )
        return Source(kind="url", location=body, sha256=sha256, subdirectory=subdirectory)
    location = path_from(_path(body, value), base)
    return Source(kind="path", location=location, editable="editable" in facts, subdirectory=subdirectory)


def is_of_ssh(text: str) -> bool:
    """Whether a text is a repository as scp writes it, `git@host:path`: without a scheme, it could be anything."""
    return bool(_of_ssh(text.partition("#")[0]))


def _of_ssh(body: str) -> str:
    """Write the URL of what is meant as a repository by ssh, and is none; `""` for anything else."""
    if body.startswith("ssh://"):
        return f"git+{body}"
    found = re.fullmatch(r"(?:git\+)?(?:ssh://)?([\w.-]+@(?!file:)[\w.-]+):(?!\d+/|//)(.+)", body)
    return f"git+ssh://{found[1]}/{found[2].lstrip('/')}" if found else ""


def _fragment(text: str) -> dict[str, str]:
    pairs = (fact.partition("=") for fact in text.split("&") if fact)
    return {key: unquote(value) for key, _, value in pairs}


def _revision(url: str) -> tuple[str, str]:
    """Part `https://user@host/repository@rev` at the `@` of its path."""
    path = urlsplit(url).path
    rev = path.rpartition("@")[2] if "@" in path else ""
    return (url.removesuffix(f"@{rev}"), rev) if rev else (url, "")


def _path(body: str, value: Value) -> str:
    body = body.replace("{root:uri}", ".", 1) if body.startswith("{root:uri}") else body  # hatch
    if "{" in body.replace("${PROJECT_ROOT}", ""):
        raise value.bad(f"`{body}`: this placeholder is not understood")
    if not body.startswith("file:"):
        return body
    parts = urlsplit(body)
    if parts.netloc not in ("", "localhost"):
        raise value.bad(f"`{body}` names a file of another machine")
    path = unquote(body.removeprefix("file:") if not body.startswith("file://") else parts.path)
    for root in ("/${PROJECT_ROOT}", "${PROJECT_ROOT}"):  # pdm and uv
        if path.startswith(root):
            return path.removeprefix(root).lstrip("/") or "."
    return path


def path_from(path: str, base: str) -> str:
    """Write a path relative to the lock's folder, normalised; absolute ones and `~` stay as they are."""
    if "\\" not in path and (path.startswith(("/", "~")) or path[1:2] == ":"):
        return posixpath.normpath(path)
    return posixpath.normpath(posixpath.join(base, path.replace("\\", "/")))
