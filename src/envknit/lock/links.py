"""The pages of an index: PEP 503 HTML and PEP 691 JSON, read into links."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

from envknit.errors import PackageIndexError
from envknit.lock.filenames import is_component, version_in

if TYPE_CHECKING:
    from packaging.version import Version

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
HTML_TYPES = frozenset({"application/vnd.pypi.simple.v1+html", "text/html", "application/xhtml+xml"})
ACCEPT = f"{JSON_TYPE}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"


@dataclass(frozen=True, kw_only=True, eq=False)
class Link:
    """One file that an index offers for a project.

    Args:
        name: canonical name of the project.
        filename: a single path component that is a wheel's or sdist's name and belongs to the project.
        url: where its bytes are; credentials are not part of it.
        sha256: as the index states it; None where it does not.
        size: bytes, where the index states it (PEP 700).
        requires_python: `Requires-Python` of the file, or `""`.
        yanked: why the file was yanked (PEP 592); None where it was not, `""` where no reason is given.
        metadata: whether `<url>.metadata` is there (PEP 658, 714).
        metadata_sha256: what that file hashes to, where the index states it.
        upload_time: ISO 8601, where the index states it (PEP 700).
    """

    name: str
    filename: str
    url: str
    sha256: str | None = None
    size: int | None = None
    requires_python: str = ""
    yanked: str | None = None
    metadata: bool = False
    metadata_sha256: str | None = None
    upload_time: str = ""

    @property
    def is_wheel(self) -> bool:
        """Whether this is a wheel; otherwise it is an sdist."""
        return self.filename.endswith(".whl")

    @cached_property
    def version(self) -> Version:
        """The version in the file name."""
        version = version_in(self.filename, self.name)
        if version is None:
            raise PackageIndexError("not a file of that project", file=self.filename, name=self.name)
        return version
