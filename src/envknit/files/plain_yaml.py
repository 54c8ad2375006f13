"""YAML read as plain data: mappings, lists and strings, and nothing that YAML can do besides.

Implicit types turn `1.10` into `1.1` and `no` into False; aliases and merges explode; tags run code; nesting
crashes libyaml. None of it is needed to say which packages a project uses, so none of it is accepted.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from envknit.files.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envknit.errors import EnvknitError

MOST_BYTES = 4 << 20
MOST_NODES = 200_000
MOST_DEPTH = 12
_MOST_BRACKETS = 100  # a rough bound for the scan of bytes: brackets in comments and quotes are counted with the rest
_MOST_INDENT = 200
_CONFLICT = re.compile(r"^(?:<{7}|>{7}|\|{7}) |^={7}$", re.MULTILINE)
_DEEP_LINE = re.compile(rb"^[ \t?-]{%d}" % _MOST_INDENT, re.MULTILINE)


def read_plain_yaml(data: bytes, file: str, error: type[EnvknitError], kind: str) -> Value:
    """Read one YAML document as plain data.

    Args:
        data: the file's bytes, at most 4 MiB.
        file: its path, for messages.
        error: the class of error to raise.
        kind: the fact that names the file in it: `lock` or `project`.

    Raises:
        error: it is not UTF-8, not YAML, or uses more of YAML than plain data needs.
    """
    whole = Value(data=None, file=file, error=error, kind=kind)
    if len(data) > MOST_BYTES:
        raise whole.bad(f"the file is larger than {MOST_BYTES >> 20} MiB")
    _bound_nesting(data, whole)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        raise whole.bad(f"the file is not UTF-8 (byte {cause.start})") from cause
    if _CONFLICT.search(text):
        raise whole.bad("the file holds the marks of an unresolved merge conflict", hint="resolve the merge first")
    return Value(data=_Builder(whole).build(text), file=file, error=error, kind=kind)


def _bound_nesting(data: bytes, whole: Value) -> None:
    # Before libyaml sees a byte: 100,000 nested `[` end the process with SIGSEGV (libyaml#107, pyyaml#895).
    depth = 0
    for bracket in re.findall(rb"[\[\]{}]", data):
        depth = depth + 1 if bracket in b"[{" else max(0, depth - 1)
        if depth > _MOST_BRACKETS:
            raise whole.bad("the file is nested too deeply")
    if _DEEP_LINE.search(data):
        raise whole.bad("the file is nested too deeply")


class _Builder:
    """Builds plain data from parser events, so that nothing is resolved, shared or constructed on the way."""

    def __init__(self, whole: Value) -> None:
        self._whole = whole
        self._nodes = 0

    def build(self, text: str) -> object:
        import yaml  # commands that read no YAML start without it

        events = yaml.parse(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))
        try:
            return self._document(events)
        except yaml.MarkedYAMLError as cause:
            line = f" (line {cause.problem_mark.line + 1})" if cause.problem_mark else ""
            raise self._whole.bad(f"the file is not YAML: {cause.problem}{line}") from cause
        except yaml.YAMLError as cause:
            raise self._whole.bad(f"the file is not YAML: {cause}") from cause

    def _document(self, events: Iterator[Any]) -> object:
        next(events)  # the start of the stream
        start = next(events)
        if _kind(start) == "StreamEnd":
            return ""
        if start.version or start.tags:
            raise self._refuse("a % directive", start)
        root = self._node(next(events), events, 1)
        next(events)  # the end of the document
        following = next(events)
        if _kind(following) != "StreamEnd":
            raise self._refuse("a second document", following)
        return root

    def _node(self, event: Any, events: Iterator[Any], depth: int) -> object:  # noqa: ANN401 - PyYAML's events
        self._nodes += 1
        kind = _kind(event)
        if kind == "Alias":
            raise self._refuse("an alias", event)
        if event.anchor:
            raise self._refuse("an anchor", event)
        if event.tag:
            raise self._refuse("a tag", event)
        if depth > MOST_DEPTH or self._nodes > MOST_NODES:
            raise self._refuse("too deep a nesting" if depth > MOST_DEPTH else "too many values", event)
        if kind == "Scalar":
            return str(event.value)
        if kind == "SequenceStart":
            return self._sequence(events, depth)
        return self._mapping(events, depth)

    def _sequence(self, events: Iterator[Any], depth: int) -> list[object]:
        items: list[object] = []
        for event in events:
            if _kind(event) == "SequenceEnd":
                break
            items.append(self._node(event, events, depth + 1))
        return items

    def _mapping(self, events: Iterator[Any], depth: int) -> dict[str, object]:
        mapping: dict[str, object] = {}
        for event in events:
            if _kind(event) == "MappingEnd":
                break
            key = self._node(event, events, depth + 1)
            if not isinstance(key, str):
                raise self._refuse("a key that is no text", event)
            if key in mapping:
                raise self._refuse(f"the key `{key}` twice", event)
            if key == "<<":
                raise self._refuse("a merge key", event)
            mapping[key] = self._node(next(events), events, depth + 1)
        return mapping

    def _refuse(self, what: str, event: Any) -> EnvknitError:  # noqa: ANN401 - PyYAML's events
        line = event.start_mark.line + 1
        return self._whole.bad(f"the file uses {what} (line {line})", hint="write plain mappings, lists and texts")


def _kind(event: object) -> str:
    return type(event).__name__.removesuffix("Event")
