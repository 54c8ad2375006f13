"""Objects of the other side: what a proxy does, what it is, and how long its object lives."""

from __future__ import annotations

import copy
import gc
import io
import pickle
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from envknit.errors import WorkerError
from envknit.remote.proxy import Proxy
from envknit.wire.failures import RemoteError, RemoteTraceback

if TYPE_CHECKING:
    from kit.pair import Pair


class Vector:
    """Two numbers."""

    kind = "plane"

    def __init__(self, x: float, y: float) -> None:
        self.x, self.y = x, y

    def __repr__(self) -> str:
        return f"Vector({self.x}, {self.y})"

    def __str__(self) -> str:
        return f"<{self.x}|{self.y}>"

    def __format__(self, spec: str) -> str:
        return f"{self.x:{spec}}|{self.y:{spec}}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vector) and (self.x, self.y) == (other.x, other.y)

    def __hash__(self) -> int:
        return hash((self.x, self.y))

    def __add__(self, other: Any) -> Any:
        return Vector(self.x + other.x, self.y + other.y) if isinstance(other, Vector) else NotImplemented

    def __radd__(self, other: Any) -> Vector:
        return Vector(self.x + other, self.y + other)

    def __iadd__(self, other: Any) -> Vector:
        self.x += other.x
        return self

    def __mul__(self, factor: float) -> Vector:
        return Vector(self.x * factor, self.y * factor)

    def __matmul__(self, other: Vector) -> float:
        return self.x * other.x + self.y * other.y

    def __neg__(self) -> Vector:
        return Vector(-self.x, -self.y)

    def __abs__(self) -> float:
        return (self.x**2 + self.y**2) ** 0.5

    def __lt__(self, other: Vector) -> bool:
        return abs(self) < abs(other)

    def __bool__(self) -> bool:
        return bool(self.x or self.y)

    def __len__(self) -> int:
        return 2

    def __getitem__(self, at: Any) -> Any:
        return (self.x, self.y)[at]

    def __setitem__(self, at: int, value: float) -> None:
        setattr(self, "xy"[at], value)

    def __iter__(self) -> Any:
        yield self.x
        yield self.y

    def __contains__(self, value: object) -> bool:
        return value in (self.x, self.y)

    def __call__(self, *args: object, **options: object) -> object:
        return args, options

    def __int__(self) -> int:
        return int(self.x)

    def __float__(self) -> float:
        return float(self.x)

    def __index__(self) -> int:
        return int(self.y)

    def __round__(self, digits: int = 0) -> float:
        return round(self.x, digits)

    def __enter__(self) -> Vector:
        self.x = 100
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        self.y = repr(error)  # type: ignore[assignment]
        return isinstance(error, LookupError)

    def turned(self, *, times: int = 1) -> Vector:
        return self if not times % 4 else Vector(-self.y, self.x).turned(times=times - 1)

    @property
    def both(self) -> tuple[float, float]:
        return self.x, self.y

    @classmethod
    def unit(cls) -> Vector:
        return cls(1, 0)


@pytest.fixture(name="vector")
def _vector(pair: Pair) -> Any:
    return pair.ask(Vector(3, 4))


def test_attributes_are_read_written_and_deleted_there(pair: Pair, vector: Any) -> None:
    assert (vector.x, vector.both, vector.kind, vector.__doc__) == (3, (3, 4), "plane", "Two numbers.")
    vector.x = 7
    assert pair.shelf["value"].x == 7
    vector.extra = [1]
    del vector.extra
    with pytest.raises(AttributeError, match="extra"):
        _ = vector.extra


def test_operators_give_what_they_give_there(vector: Any) -> None:
    assert repr(vector + vector) == "Vector(6, 8)"
    assert repr(10 + vector) == "Vector(13, 14)"
    assert repr(-vector * 2) == "Vector(-6, -8)"
    assert vector @ vector == 25
    assert abs(vector) == 5.0
    with pytest.raises(TypeError, match="unsupported operand"):
        vector + "text"


def test_in_place_operators_keep_the_object(pair: Pair, vector: Any) -> None:
    before = vector
    vector += vector
    assert vector is before
    assert pair.shelf["value"].x == 6


def test_comparison_and_hash_are_those_of_the_object(pair: Pair, vector: Any) -> None:
    other = pair.ask(Vector(3, 4))
    assert other is not vector
    assert (other == vector, other != vector, vector < -vector * 2, hash(other) == hash(vector)) == (
        True,
        False,
        True,
        True,
    )
    assert {vector: 1}[other] == 1


def test_the_container_protocol_works(vector: Any) -> None:
    assert (len(vector), vector[0], vector[-1], vector[0:2], list(vector), 3 in vector) == (
        2,
        3,
        4,
        (3, 4),
        [3, 4],
        True,
    )
    vector[1] = 9
    first, second = vector
    assert (first, second, bool(vector)) == (3, 9, True)
    with pytest.raises(IndexError):
        vector[5]


def test_conversions_work(vector: Any) -> None:
    assert (str(vector), repr(vector), f"{vector:.1f}") == ("<3|4>", "Vector(3, 4)", "3.0|4.0")
    assert (int(vector), float(vector), [0, 1, 2, 3, 4][vector], round(vector, 1)) == (3, 3.0, 4, 3)


def test_calls_take_positional_and_keyword_arguments(vector: Any) -> None:
    assert vector(1, *(2, 3), key=[4]) == ((1, 2, 3), {"key": [4]})
    assert repr(vector.turned(times=2)) == "Vector(-3, -4)"


def test_names_of_parameters_arrive_as_the_very_strings_that_are_interned(pair: Pair) -> None:
    """orjson, for one, knows its parameters by the identity of their names."""
    names = pair.ask(lambda **options: [sys.intern(name) is name for name in options])
    assert names(default=1, option=2) == [True, True]


def test_a_class_there_is_a_subclass_here_of_what_it_is_there(pair: Pair) -> None:
    kind = pair.ask(OwnError)
    assert issubclass(pair.ask(Vector), object)
    assert not issubclass(pair.ask(Vector), dict)
    assert issubclass(kind, LookupError)


def test_a_context_manager_hears_of_the_exception_and_may_swallow_it(pair: Pair, vector: Any) -> None:
    with vector as entered:
        assert entered is vector
        raise KeyError("swallowed")
    assert pair.shelf["value"].y == "KeyError('swallowed')"
    with pytest.raises(ValueError, match="not swallowed"), vector:
        raise ValueError("not swallowed")


def test_what_a_type_lacks_its_proxy_lacks(pair: Pair) -> None:
    proxy = pair.ask(object())
    for act in (len, iter, next, float, abs, lambda p: p(), lambda p: p[0], lambda p: p + 1, lambda p: p < 1):
        with pytest.raises(TypeError):
            act(proxy)
    assert bool(proxy)
    assert proxy == proxy  # noqa: PLR0124 - identity is the point
    assert hash(proxy) == hash(proxy)


def test_an_unhashable_object_has_an_unhashable_proxy(pair: Pair) -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(pair.ask(type("Stack", (list,), {})()))


def test_the_same_object_is_the_same_proxy(pair: Pair) -> None:
    value = Vector(1, 2)
    first = pair.ask(value)
    assert pair.ask(value) is first
    assert pair.ask([value, (value,)]) == [first, (first,)]
    assert pair.ask({"a": value})["a"] is first


def test_a_proxy_handed_back_is_the_object_itself(pair: Pair) -> None:
    value = Vector(1, 2)
    proxy = pair.ask(value)
    assert pair.hand(proxy) is value
    assert pair.hand([proxy, {"k": proxy}]) == [value, {"k": value}]
    assert pair.hand(proxy.turned)() is not None


def test_a_dropped_proxy_frees_its_object_without_a_round_trip(pair: Pair) -> None:
    value = Vector(1, 2)
    watch = weakref.ref(value)
    proxy = pair.ask(value)
    pair.shelf.clear()
    del value
    assert watch() is not None
    time.sleep(0.02)
    del proxy
    deadline = time.monotonic() + 5
    while watch() is not None and time.monotonic() < deadline:
        time.sleep(0.001)
    assert watch() is None
    assert len(pair.far.exports) == 0


def test_many_dropped_proxies_are_released_with_the_next_call(pair: Pair) -> None:
    proxies = [pair.ask(Vector(number, 0)) for number in range(300)]
    assert len(pair.far.exports) == 300
    proxies.clear()
    gc.collect()
    pair.ask(None)
    assert len(pair.far.exports) <= 1


def test_a_proxy_dropped_while_it_comes_again_stays_alive(pair: Pair) -> None:
    value = Vector(1, 2)
    for _ in range(200):
        proxy = pair.ask(value)
        assert proxy.x == 1
        del proxy
    assert pair.ask(value).y == 2


def test_generators_are_iterated_and_closed_there(pair: Pair) -> None:
    done = []

    def count() -> Any:
        try:
            yield from range(1000)
        finally:
            done.append(True)

    proxy = pair.ask(count())
    assert [next(proxy), next(proxy)] == [0, 1]
    assert proxy.send(None) == 2
    proxy.close()
    assert done == [True]
    assert list(pair.ask(iter(range(5)))) == [0, 1, 2, 3, 4]


def test_dir_and_the_type_name_are_the_objects(vector: Any) -> None:
    assert {"turned", "both", "x", "kind"} <= set(dir(vector))
    assert (type(vector).__name__, isinstance(vector, Proxy)) == ("Vector", True)


def test_a_class_makes_instances_and_knows_them(pair: Pair) -> None:
    kind = pair.ask(Vector)
    vector = kind(1, 2)
    assert isinstance(vector, kind)
    assert not isinstance(5, kind)
    assert issubclass(kind, kind)
    assert (kind.__name__, kind.__qualname__, kind.__module__) == ("Vector", "Vector", Vector.__module__)
    assert repr(kind.unit()) == "Vector(1, 0)"
    assert pair.ask(Vector) is kind


def test_a_class_cannot_be_subclassed_across(pair: Pair) -> None:
    kind = pair.ask(Vector)
    with pytest.raises(TypeError, match=r"cannot be subclassed here.*run_in"):

        class Mine(kind):  # type: ignore[misc,valid-type]
            pass


def test_a_proxy_is_neither_pickled_nor_copied_by_accident(vector: Any) -> None:
    for act in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match=r"lives in another process; envknit\.fetch"):
            act(vector)


def test_bound_methods_compare_and_describe_themselves(vector: Any) -> None:
    assert vector.turned == vector.turned
    assert hash(vector.turned) == hash(vector.turned)
    assert vector.turned != vector.unit
    assert vector.turned.__name__ == "turned"
    assert "turned" in repr(vector.turned)


def test_functions_of_the_host_are_called_back(pair: Pair) -> None:
    apply = pair.ask(lambda function, *args: function(*args))
    here = threading.get_ident()
    assert apply(lambda x: (x, threading.get_ident()), 5) == (5, here)
    assert apply(apply, apply, lambda x: x + 1, 1) == 2


def test_calls_nest_in_both_directions(pair: Pair) -> None:
    bounce = pair.ask(lambda function, depth: function(depth))

    def down(depth: int) -> int:
        return 0 if depth == 0 else 1 + bounce(down, depth - 1)

    assert down(30) == 30


def test_a_file_of_the_host_is_read_there(pair: Pair) -> None:
    read = pair.ask(lambda file: [line for line in file])  # noqa: C416 - iterates there
    assert read(io.StringIO("a\nb\n")) == ["a\n", "b\n"]


@pytest.mark.parametrize(
    "error",
    [
        ValueError("v", 1),
        KeyError("k"),
        StopIteration(3),
        FileNotFoundError(2, "none", "x"),
        ZeroDivisionError(),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        SystemExit(3),
        ImportError("i", name="mod"),
        RecursionError("deep"),
    ],
    ids=repr,
)
def test_builtin_exceptions_arrive_as_what_they_were_in_both_directions(pair: Pair, error: BaseException) -> None:
    def fail(*_: object) -> None:
        raise error

    for act in (pair.ask(fail), lambda: pair.ask(lambda f: f())(fail)):
        with pytest.raises(type(error)) as caught:
            act()
        assert (type(caught.value), caught.value.args, str(caught.value)) == (type(error), error.args, str(error))


@pytest.mark.parametrize("kind", [ValueError, LookupError, WorkerError, OSError])
def test_notes_cross_with_their_exception(pair: Pair, kind: type[Exception]) -> None:
    def fail(*_: object) -> None:
        error: Any = kind("bad")
        error.__notes__ = ["look here", "and there"]  # `add_note` came with Python 3.11
        raise error

    for act in (pair.ask(fail), lambda: pair.ask(lambda f: f())(fail)):
        with pytest.raises(kind, match="bad") as caught:
            act()
        assert vars(caught.value)["__notes__"] == ["look here", "and there"]


def test_the_remote_traceback_is_the_cause(pair: Pair) -> None:
    def fail_in_the_worker() -> None:
        raise ValueError("v")

    with pytest.raises(ValueError, match="v") as caught:
        pair.ask(fail_in_the_worker)()
    assert isinstance(caught.value.__cause__, RemoteTraceback)
    assert "fail_in_the_worker" in str(caught.value.__cause__)
    assert "channel.py" not in str(caught.value.__cause__)


class OwnError(LookupError):
    def __init__(self, code: int) -> None:
        super().__init__(f"code {code}")
        self.code = code
        self.response = Vector(code, 0)


def test_a_packages_exception_keeps_its_name_bases_and_attributes(pair: Pair) -> None:
    def fail() -> None:
        raise OwnError(5)

    with pytest.raises(LookupError) as caught:
        pair.ask(fail)()
    error: Any = caught.value
    assert isinstance(error, WorkerError)
    assert (type(error).__name__, str(error), error.code, error.response.x) == ("OwnError", "code 5", 5, 5)
    with pytest.raises(AttributeError):
        _ = error.nothing
    stand_in = pair.ask(OwnError)
    assert type(error) is stand_in
    with pytest.raises(stand_in):
        pair.ask(fail)()
    assert pickle.loads(pickle.dumps(error)).args == (f"{OwnError.__module__}.OwnError: code 5",)


def test_an_exception_of_the_host_comes_back_from_the_worker_as_itself(pair: Pair) -> None:
    error = OwnError(6)

    def fail() -> None:
        raise error

    with pytest.raises(OwnError) as caught:
        pair.ask(lambda function: function())(fail)
    assert caught.value is error


def test_an_exception_that_cannot_be_told_is_told_anyway(pair: Pair) -> None:
    class Mute(Exception):  # noqa: N818 - not a real error
        def __str__(self) -> str:
            raise RuntimeError("no words")

    def fail() -> None:
        raise Mute

    with pytest.raises(RemoteError):
        pair.ask(fail)()


def test_a_deep_recursion_there_is_a_recursion_error_here(pair: Pair) -> None:
    def recurse() -> None:
        recurse()

    with pytest.raises(RecursionError):
        pair.ask(recurse)()
    assert pair.ask(1) == 1
