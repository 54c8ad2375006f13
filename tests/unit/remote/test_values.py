"""What crosses by value, in both directions, and what does not."""

from __future__ import annotations

import array
import collections
import collections.abc
import datetime as dt
import decimal
import enum
import fractions
import http
import ipaddress
import math
import operator
import pathlib
import re
import socket
import sys
import typing
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from envknit.errors import WorkerError
from envknit.remote.arrays import Shared
from envknit.remote.proxy import Proxy
from envknit.remote.values import LARGE
from kit.machine import lent_descriptors

if TYPE_CHECKING:
    from kit.pair import Pair

UTC = dt.timezone.utc
PLAIN = [
    None,
    True,
    False,
    ...,
    0,
    -(10**40),
    2.5,
    float("inf"),
    3 + 4j,
    "",
    "text \N{SNOWMAN} \udc80",
    b"",
    b"\0\xff",
    (),
    [],
    {},
    (1, "a", (2.0, None)),
    [[1], [2]],
    {"a": [1], 2: (3,)},
    {1, 2},
    frozenset({"a"}),
    [True, 1.0],
]
RICH = [
    slice(1, None, 2),
    range(3, 30, 4),
    bytearray(b"abc"),
    (slice(0, 2), ...),
    {"k": slice(1)},
    {1: [bytearray(b"x")]},
    [range(2), {range(1)}, frozenset({range(2)})],
    b"x" * LARGE,
    [b"y" * LARGE, b"z" * (LARGE + 1)],
    {"big": (b"x" * LARGE,)},
    dt.date(2024, 2, 29),
    dt.datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=UTC, fold=1),
    dt.time(1, 2, fold=1),
    dt.timedelta(-1, 2, 3),
    dt.timezone(dt.timedelta(hours=2), "X"),
    UTC,
    decimal.Decimal("1.50"),
    fractions.Fraction(1, 3),
    uuid.UUID(int=5),
    pathlib.PurePosixPath("/a/b"),
    pathlib.Path("c"),
    re.compile("a(b)", re.IGNORECASE),
    re.compile(b"x"),
    ipaddress.ip_address("1.2.3.4"),
    ipaddress.ip_address("::1"),
    ipaddress.ip_network("10.0.0.0/8"),
    ipaddress.ip_interface("10.0.0.1/8"),
    http.HTTPStatus.OK,
    socket.AF_INET,
]
Pair2 = collections.namedtuple("Pair2", "a b")
CHANGEABLE = [
    collections.OrderedDict([("b", 1), ("a", [2])]),
    collections.defaultdict(list, a=[1]),
    collections.Counter("aab"),
    collections.deque([1, "b"], maxlen=3),
    [collections.OrderedDict(a=collections.deque())],
]


@pytest.mark.parametrize("value", [*PLAIN, *RICH], ids=lambda value: repr(value)[:40])
def test_a_value_arrives_equal_and_of_the_same_type_in_both_directions(pair: Pair, value: Any) -> None:
    for arrived in (pair.ask(value), pair.hand(value)):
        assert (value, type(value)) == (arrived, type(arrived))


@pytest.mark.parametrize("value", CHANGEABLE, ids=repr)
def test_containers_of_the_host_arrive_as_what_they_are_and_the_workers_stay_there(pair: Pair, value: Any) -> None:
    arrived = pair.hand(value)
    assert (value, type(value)) == (arrived, type(arrived))
    assert arrived is not value
    if type(value) is not list:
        assert isinstance(pair.ask(value), Proxy)


def test_named_tuples_of_the_host_arrive_as_such_and_come_home_as_their_own(pair: Pair) -> None:
    for value in (Pair2(1, [2]), Point(3)):
        arrived = pair.hand(value)
        assert isinstance(arrived, tuple)
        assert (arrived, arrived._fields, type(arrived).__name__) == (value, value._fields, type(value).__name__)
        assert type(pair.hand(value)) is type(arrived) is not type(value)
        home = pair.ask(arrived)
        assert (home, type(home)) == (value, type(value))


@pytest.mark.parametrize("value", [int, list, Exception, KeyError, type(None) if sys.version_info < (3, 10) else dict])
def test_builtin_types_are_the_same_object_on_both_sides(pair: Pair, value: type) -> None:
    assert pair.ask(value) is value
    assert pair.hand(value) is value


@pytest.mark.parametrize("value", [len, sum, math.sqrt, operator.add, collections.OrderedDict, decimal.Decimal])
def test_pure_functions_and_types_of_the_standard_library_are_found_by_name_there(pair: Pair, value: object) -> None:
    assert pair.hand(value) is value


@pytest.mark.parametrize("value", [print, open, globals])
def test_functions_that_act_on_their_process_stay_the_hosts(pair: Pair, value: object) -> None:
    assert isinstance(pair.hand(value), Proxy)


@pytest.mark.parametrize("value", [collections.OrderedDict, len])
def test_what_a_worker_offers_is_used_there(pair: Pair, value: object) -> None:
    assert isinstance(pair.ask(value), Proxy)


class Text(str):
    __slots__ = ()


class Point(NamedTuple):
    x: int


class Colour(enum.IntEnum):
    RED = 1


@pytest.mark.parametrize("value", [Text("a"), Colour.RED, collections.Counter("aa"), Point(1)])
def test_a_subclass_of_a_value_stays_where_it_is(pair: Pair, value: object) -> None:
    proxy = pair.ask(value)
    assert isinstance(proxy, Proxy)
    assert str(proxy) == str(value)
    assert pair.hand(proxy) is value


def test_two_sides_that_know_nothing_of_each_other_differ_and_do_not_ask_for_ever(pair: Pair) -> None:
    assert pair.ask(object()) != object()
    with pytest.raises(TypeError):
        _ = pair.ask(object()) < fractions.Fraction(1)
    with pytest.raises(TypeError):
        _ = pair.ask(object()) + object()


def test_a_large_buffer_of_the_host_arrives_as_a_copy_that_is_written_without_surprise(pair: Pair) -> None:
    data = bytearray(b"a" * LARGE)
    arrived = pair.hand(memoryview(data))
    arrived[0] = ord("b")
    assert (data[0], bytes(arrived[:2])) == (ord("a"), b"ba")


def test_a_typed_view_and_an_array_keep_their_type(pair: Pair) -> None:
    numbers = array.array("d", range(20000))
    assert pair.hand(numbers) == numbers
    view = pair.hand(memoryview(numbers).cast("B").cast("d", [100, 200]))
    assert (view.format, view.shape, view[1, 0]) == ("d", (100, 200), 200.0)


def test_many_large_buffers_cross_in_one_call(pair: Pair) -> None:
    parts = [bytes([number]) * LARGE for number in range(100)]
    assert pair.hand(parts) == parts


def test_a_value_over_the_limit_is_refused_and_the_channel_goes_on(pair: Pair) -> None:
    pair.near.limit = pair.far.limit = 100_000
    for value in (b"x" * 200_000, "x" * 200_000, [b"x" * 200_000]):
        with pytest.raises(WorkerError, match="over the limit"):
            pair.ask(value)
        with pytest.raises(WorkerError, match="over the limit"):
            pair.hand(value)
    assert pair.ask(1) == 1


def test_a_value_that_contains_itself_is_refused_and_the_channel_goes_on(pair: Pair) -> None:
    value: list[object] = []
    value.append(value)
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    for bad in (value, [*value, slice(1)], deep):
        with pytest.raises(RecursionError, match="contains itself or nests too deeply"):
            pair.ask(bad)
        with pytest.raises(RecursionError, match="contains itself or nests too deeply"):
            pair.hand(bad)
    assert pair.ask(1) == 1
    while deep:  # (a deep list is freed by recursion otherwise)
        deep = deep.pop()  # type: ignore[assignment]


def test_what_was_received_never_changes_under_later_values(pair: Pair) -> None:
    kept = [pair.hand(memoryview(bytes([number]) * 300_000)) for number in range(10)]
    pair.ask(b"x" * 300_000)
    assert [bytes(view) for view in kept] == [bytes([number]) * 300_000 for number in range(10)]
    kept[3][0] = 99
    assert kept[4][0] == 4


def test_memory_that_was_read_is_used_for_the_next_value(pair: Pair) -> None:
    for number in range(20):
        assert pair.hand(bytes([number]) * 300_000) == bytes([number]) * 300_000
    assert len(pair.near.arena._free) + len(pair.near.arena._leases) <= 2


def test_a_receiver_that_keeps_many_values_needs_few_descriptors(pair: Pair) -> None:
    before = lent_descriptors()
    kept = [pair.hand(memoryview(bytes([number]) * 100_000)) for number in range(200)]
    assert lent_descriptors() - before < 140  # both ends are in this process
    assert [view[50_000] for view in kept] == list(range(200))


def test_many_large_values_in_one_frame_share_one_piece_of_memory(pair: Pair) -> None:
    values = [bytes([number]) * (70_000 + number) for number in range(100)]
    arrived = pair.hand([bytearray(value) for value in values])
    assert arrived == values


class Mine:
    pass


ANNOTATIONS = [
    "list[int]",
    "dict[str, list[int | None]]",
    "int | None",
    "tuple[int, ...]",
    "abc.Callable[[int], str]",
    "abc.Sequence[int]",
    "typing.Optional[int]",
    "typing.Union[int, str]",
    "typing.List[int]",
    "typing.Literal['a', 1]",
    "typing.Annotated[int, 'x', 3]",
    "typing.Callable[[int], str]",
    "typing.Tuple[int, ...]",
    "typing.ClassVar[typing.Any]",
    "typing.Any",
    "typing.Optional",
    "typing.List",
]


@pytest.mark.parametrize("source", ANNOTATIONS)
def test_annotations_of_the_host_arrive_as_what_they_are(pair: Pair, source: str) -> None:
    annotation = eval(source, {"abc": collections.abc, "typing": typing})
    assert pair.hand(annotation) == annotation


def test_an_annotation_that_names_a_class_of_the_host_arrives_with_its_proxy(pair: Pair) -> None:
    arrived = pair.hand(list[Mine])
    assert arrived.__origin__ is list
    assert isinstance(arrived.__args__[0], Proxy)


def test_pieces_of_memory_in_one_frame_keep_their_order(pair: Pair) -> None:
    def piece(byte: bytes) -> Shared:
        facts: dict[str, object] = {"size": 100_000, "writable": True}
        return Shared(facts, pair.far.arena.lend([byte * 100_000], 100_000))

    one, two, large = pair.ask([piece(b"1"), piece(b"2"), b"3" * 100_000])
    assert (one[1][:2], two[1][:2], large[:2]) == (b"11", b"22", b"33")
