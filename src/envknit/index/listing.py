"""What a page lists of one project, by version; links are made of those versions alone that somebody looks at.

The pages of a hundred pins list some seventy thousand files, and a resolution asks about a few hundred of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, overload

from envknit.files.filenames import parse_version
from envknit.index.links import JSON_TYPE, Link, is_json, links_of, read_page
from envknit.index.page_json import joined, text_of, walk_json

if TYPE_CHECKING:
    from packaging.version import Version

    from envknit.index.cache import CachedPage

_LONGEST_NAME = 255  # characters


class Listing(Sequence[Link]):
    """The files of one project on a page; a sequence of links in no particular order.

    Args:
        name: canonical name of the project.
        page: a page that was `placed` for it.
    """

    def __init__(self, name: str, page: CachedPage) -> None:
        self._name = name
        self._url = page.url
        self._text = text_of(page.body)
        self._places = page.places or {}

    @cached_property
    def versions(self) -> dict[Version, list[str]]:
        """Every version, with the ways in which names of files write it."""
        found: dict[Version, list[str]] = {}
        for text in self._places:
            if (version := parse_version(text)) is not None:
                found.setdefault(version, []).append(text)
        return found

    def of(self, version: Version) -> tuple[Link, ...]:
        """Make the links of one version; of files of one name, the first counts."""
        spans = [iter(self._places[text]) for text in self.versions[version]]
        objects = ",".join(self._text[start:end] for each in spans for start, end in zip(each, each, strict=True))
        entries = [{**entry, "url": joined(self._url, entry.get("url"))} for entry in json.loads(f"[{objects}]")]
        links = links_of(entries, self._name, self._url)
        return tuple({link.filename: link for link in reversed(links)}.values())

    @cached_property
    def _all(self) -> tuple[Link, ...]:
        return tuple(chain.from_iterable(map(self.of, self.versions)))

    def __bool__(self) -> bool:
        return bool(self.versions)

    def __len__(self) -> int:
        return len(self._all)

    @overload
    def __getitem__(self, at: int) -> Link: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Link, ...]: ...
    def __getitem__(self, at: int | slice) -> Link | tuple[Link, ...]:
        return self._all[at]


def placed(page: CachedPage, name: str) -> CachedPage:
    """Return a page as PEP 691 JSON, and where on it the files of each version of a project are.

    Raises:
        PackageIndexError: as `read_page`.
    """
    if not is_json(page.content_type):
        files = read_page(page.body, page.content_type, page.url)
        body = json.dumps({"meta": {"api-version": "1.0"}, "files": files}).encode()
        page = replace(page, body=body, content_type=JSON_TYPE)
    places = _Places(name, page.url)
    walk_json(page.body, page.url, places.take)
    rising = sorted(places.found, key=places.versions.__getitem__)  # so they need not be sorted again
    return replace(page, places={text: places.found[text] for text in rising})


class _Places:
    """Finds where the files of each version are: the version as it is written to the starts and ends of their objects.

    Args:
        name: canonical name of the project.
        url: of the page.
    """

    def __init__(self, name: str, url: str) -> None:
        self.found: dict[str, list[int]] = {}
        self.versions: dict[str, Version] = {}
        self._name = name
        self._url = url
        self._usual = _usual_names(name)
        self._hosts: tuple[str, ...] = ()
        self._before = 0  # where the object before this one ended

    def take(self, entry: Any, start: int, end: int) -> None:  # noqa: ANN401 - whatever a page lists
        """Look at one object of a page."""
        version = self._version(entry) if isinstance(entry, dict) else ""
        if version:
            spans = self.found.setdefault(version, [])
            if spans and spans[-1] == self._before:  # with the comma between them
                spans[-1] = end
            else:
                spans += start, end
        self._before = end

    def _version(self, entry: dict[str, Any]) -> str:
        """Return the version in the name of a file, where a link can be made of it; else `""`."""
        filename, url = entry.get("filename"), entry.get("url")
        if isinstance(url, str) and url.startswith(self._hosts) and isinstance(filename, str):
            usual = self._usual(filename)
            if usual and len(filename) <= _LONGEST_NAME:
                return self._known(usual[1] or usual[2])
        for link in links_of([{**entry, "url": joined(self._url, url)}], self._name, self._url):
            # What goes for one file of a host goes for all; one that anybody on the way could change needs a hash
            if isinstance(url, str) and (url.startswith("https://") or not self._url.startswith("https:")):
                self._hosts = (*self._hosts[-3:], "/".join([*url.split("/", 3)[:3], ""]))
            return self._known(str(link.version))
        return ""

    def _known(self, text: str) -> str:
        if text not in self.versions and (version := parse_version(text)) is not None:
            self.versions[text] = version
        return text if text in self.versions else ""


@lru_cache(maxsize=4096)
def _usual_names(name: str) -> Any:  # noqa: ANN401 - a method of a pattern
    """Return what matches nearly all names of files of a project, read as by `version_in`, in a tenth of its time."""
    parts = list(map(re.escape, name.split("-")))
    wheel = rf"(?i:{'[_.]+'.join(parts)})-([\w.!+]+)(?:-\d[\w.+]*)?-[\w.+]+-[\w.+]+-[\w.+]+\.whl"
    sdist = rf"(?i:{'[-_.]+'.join(parts)})-([\w.!+]+)(?:\.tar\.gz|\.zip)"
    return re.compile(f"{wheel}|{sdist}", re.ASCII).fullmatch
