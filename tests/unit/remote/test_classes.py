"""Classes and functions of the other side: what others ask of them, and what is done to them, is as with local ones."""

from __future__ import annotations

import asyncio
import collections
import collections.abc
import dataclasses
import enum
import functools
import gc
import inspect
import json
import math
import numbers
import statistics
import sys
import typing
import weakref
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from envknit.remote.proxy import Proxy

if TYPE_CHECKING:
    from kit.pair import Pair


class Base:
    def hook(self) -> str:
        return "base"

    def call_hook(self) -> str:
        return self.hook()


class Text(str):  # noqa: SLOT000 - as most are
    def shout(self) -> str:
        return self.upper() + "!"

    def lower(self) -> str:
        return "own"

    def __str__(self) -> str:
        return "as text"


class Number(float):
    unit = "m"


class Count(int):
    pass


class Color(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    HIGH = 3


@dataclasses.dataclass
class Point:
    x: int
    y: int = 2


class Open(Base):
    """Answers for itself."""

    def __call__(self) -> int:
        return 1


def call(function: Any, *args: Any, **options: Any) -> Any:
    return function(*args, **options)


async def coroutine() -> None: ...


def annotated(first: int, /, *rest: str, flag: bool = True, **more: Base) -> list[int]:
    raise NotImplementedError


def test_a_function_that_is_set_on_a_class_there_is_a_method(pair: Pair) -> None:
    base = pair.ask(Base)
    instance = base()
    instance.hook = lambda: "instance"
    assert instance.call_hook() == "instance"

    with mock.patch.object(base, "hook", lambda self: f"patched {type(self).__name__}"):
        assert base().call_hook() == "patched Base"
    assert base().call_hook() == "base"


def test_a_function_of_the_other_side_is_a_method_of_a_class_here(pair: Pair) -> None:
    here = type("Here", (), {"call": pair.ask(lambda self, *args: (type(self).__name__, *args)), "name": "x"})

    assert here().call(1) == ("Here", 1)
    assert isinstance(here.call, Proxy)


@pytest.mark.parametrize("thing", [Base, Base(), Open(), call, Color.RED, len, Text("a"), json])
def test_the_module_of_a_proxys_class_is_text(pair: Pair, thing: object) -> None:
    proxy = pair.hand(thing)

    assert type(proxy).__module__ == type(thing).__module__
    assert type(proxy).__qualname__ == type(thing).__qualname__


def test_what_classes_tell_of_themselves(pair: Pair) -> None:
    assert dict(pair.ask(Color).__members__)["RED"].value == 1
    assert [each.__name__ for each in pair.ask(Open).__mro__] == ["Open", "Base", "object"]
    assert [each.__name__ for each in pair.ask(Base).__subclasses__()] == ["Open"]
    assert set(pair.ask(Point).__dataclass_fields__) == {"x", "y"}
    assert pair.ask(Point).__annotations__ == {"x": "int", "y": "int"}
    assert pair.ask(Base).__annotations__ == {}
    assert pair.ask(annotated).__annotations__["return"] == "list[int]"
    assert typing.get_type_hints(pair.ask(Point)) is not None


def test_classes_and_instances_count_as_what_they_are(pair: Pair) -> None:
    assert inspect.isclass(pair.ask(Point))
    assert isinstance(pair.ask(Point), type)
    assert not isinstance(pair.ask(Point(1)), type)
    assert dataclasses.is_dataclass(pair.ask(Point))
    assert dataclasses.asdict(pair.ask(Point(1))) == {"x": 1, "y": 2}
    assert [field.name for field in dataclasses.fields(pair.ask(Point(1)))] == ["x", "y"]
    ordered = pair.ask(collections.OrderedDict(a=1))
    assert isinstance(ordered, Proxy)
    assert isinstance(ordered, collections.abc.MutableMapping)
    assert not isinstance(ordered, collections.abc.Sequence)
    assert isinstance(pair.ask(collections.UserList()), collections.abc.MutableSequence)
    assert isinstance(pair.ask(Number(1)), numbers.Real)
    functools.singledispatch(lambda _: 0).register(pair.ask(Base), lambda _: 1)


def test_signatures_are_those_of_the_functions(pair: Pair) -> None:
    assert str(inspect.signature(pair.ask(annotated))) == str(inspect.signature(annotated))
    assert str(inspect.signature(pair.ask(Point))) == str(inspect.signature(Point))
    assert inspect.signature(pair.ask(Base).hook).parameters["self"].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    with pytest.raises(ValueError, match="signature"):
        inspect.signature(pair.ask(type))


def test_what_gives_coroutines_says_so(pair: Pair) -> None:
    assert asyncio.iscoroutinefunction(pair.ask(coroutine))
    assert not asyncio.iscoroutinefunction(pair.ask(call))
    if sys.version_info >= (3, 12):  # before, inspect takes functions of this process only
        assert inspect.iscoroutinefunction(pair.ask(coroutine))
        assert not inspect.iscoroutinefunction(pair.ask(Open()))


def test_a_keyword_may_have_any_name(pair: Pair) -> None:
    assert pair.ask(call)(dict, self=1, name=2, args=3) == {"self": 1, "name": 2, "args": 3}
    assert pair.ask(Base()).hook.__class__
    assert pair.ask(collections.UserDict).fromkeys("a", value=1)["a"] == 1


def test_text_and_numbers_of_a_kind_are_text_and_numbers(pair: Pair) -> None:
    text, number, count = pair.ask(Text("Ab")), pair.ask(Number(1.5)), pair.ask(Count(7))

    assert isinstance(text, Proxy)
    assert "".join([text, "c"]) == "Abc"  # noqa: FLY002 - C code, which takes text only
    assert (text.shout(), text.lower(), text.upper(), str(text), len(text)) == ("AB!", "own", "AB", "as text", 2)
    assert {"Ab": 1}[text] == 1
    assert json.dumps({"m": number, "n": count, "t": text}) == '{"m": 1.5, "n": 7, "t": "Ab"}'
    assert statistics.mean([number, pair.ask(Number(2.5))]) == 2.0
    assert (math.floor(number), number + 1, number.unit, [1, 2][pair.ask(Count(1))]) == (1, 2.5, "m", 2)
    assert (pair.ask(Level.HIGH).name, pair.ask(Level.HIGH) + 1, pair.hand(Level.HIGH) | 4) == ("HIGH", 4, 7)
    assert pair.hand(text) == "Ab"
    assert type(pair.hand(text)) is Text
    assert type(pair.hand(count)) is Count


def test_they_are_released_as_others_are(pair: Pair) -> None:
    for value in (Text("a"), Number(1), Count(1)):
        proxies = [pair.ask(value), pair.ask(value)]
        assert len(pair.far.exports) == 1
        del proxies
        pair.ask(1)
        assert len(pair.far.exports) == 0


def test_a_class_that_was_made_at_run_time_goes_with_its_objects(pair: Pair) -> None:
    def make() -> Any:
        return collections.namedtuple("T", "a b")(1, 2)

    there = make()
    gone_there, proxy = weakref.ref(type(there)), pair.ask(there)
    pair.shelf.clear()
    del there
    gone_here = weakref.ref(type(proxy))
    assert (proxy.a, proxy[1], gone_there() is not None) == (1, 2, True)

    del proxy
    pair.ask(1)
    gc.collect()
    assert gone_here() is None
    assert gone_there() is None
    assert not pair.far.exports._instances


def test_a_class_that_can_be_imported_is_described_once(pair: Pair) -> None:
    first = type(pair.ask(Base()))
    pair.ask(1)
    gc.collect()

    assert type(pair.ask(Base())) is first
