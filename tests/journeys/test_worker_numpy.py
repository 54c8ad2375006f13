"""Workers with the packages that they are for: numpy, pandas, pydantic, cryptography, of several versions at once."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from kit import Machine
from kit.programs import source_of

if TYPE_CHECKING:
    from kit import Project

pytestmark = pytest.mark.network

OLD, NEW = ("2.1.3", "2.3.5") if sys.version_info >= (3, 13) else ("1.26.4", "2.0.2")
# The oldest that has a wheel for this Python: pandas 2.0 stops at 3.11
PANDAS = "2.2.3" if sys.version_info >= (3, 13) else "2.1.4" if sys.version_info >= (3, 12) else "2.0.3"


@pytest.fixture(name="project", scope="session")
def _project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    machine = Machine(tmp_path_factory.mktemp("machine"), None)
    return machine.project(
        environments={
            "old": [f"numpy=={OLD}", f"pandas=={PANDAS}", "pydantic==1.10.24", "cryptography==42.0.8"],
            "plots": ["matplotlib==3.9.4"],
            "new": [f"numpy=={NEW}", "pandas==2.2.3", "pydantic==2.10.6", "cryptography==44.0.1"],
        }
    ).ready()


PRELUDE = f"""
import envknit
try:
    import numpy
except ModuleNotFoundError:
    pass
else:
    raise SystemExit("this host is to have no numpy")
OLD, NEW, PANDAS = {OLD!r}, {NEW!r}, {PANDAS!r}
"""


def test_numpy_in_a_host_without_numpy(project: Project) -> None:
    def program():
        import envknit

        with envknit.worker("numpy", OLD) as np:
            assert np.__version__ == OLD
            zeros = np.zeros(1000)
            assert (zeros.shape, len(zeros), float(zeros.sum())) == ((1000,), 1000, 0.0)
            u, s, v = np.linalg.svd(np.random.randn(500, 500))
            assert (u.shape, s.shape, v.shape) == ((500, 500), (500,), (500, 500))
            assert np.array([1, 2, 3]).tolist() == [1, 2, 3]
            a, b = np.arange(12).reshape(3, 4), np.ones((4, 2))
            assert (a @ b + 1).tolist() == [[7, 7], [23, 23], [39, 39]]
            assert a[1:3, ::2].tolist() == [[4, 6], [8, 10]]
            assert [int(x) for x in np.arange(3)] == [0, 1, 2]
            a[0, 0] = 99
            assert a.max() == 99 and 99 in a
            assert np.zeros(3, dtype=float).dtype == np.float64
            assert isinstance(a, np.ndarray) and np.ndarray is np.ndarray
            try:
                np.testing.assert_allclose(a, a + 1)
            except AssertionError as error:
                assert "Not equal to tolerance" in str(error)
            else:
                raise SystemExit("it should have raised")
            try:
                np.linalg.inv(np.zeros((2, 2)))
            except np.linalg.LinAlgError as error:
                assert isinstance(error, ValueError) and "Singular" in str(error)
            with np.errstate(divide="raise"):
                try:
                    np.ones(1) / 0
                except FloatingPointError:
                    print("state of the thread is kept")
            if hasattr(memoryview(b"").__class__, "__buffer__"):  # PEP 688
                view = memoryview(zeros)
                assert (view.format, view.shape, view.readonly) == ("d", (1000,), False)
                view[3] = 7.0
                assert zeros[3] == 7.0
            assert sum(np.vectorize(lambda x: x * 2)(np.arange(4)).tolist()) == 12
            print("done")

    ran = project.code(PRELUDE + source_of(program))
    assert ran.out == "state of the thread is kept\ndone\n"


def test_pandas_in_a_host_without_pandas(project: Project) -> None:
    project.write("data.csv", "k,v\na,1\nb,2\na,3\n")
    ran = project.run("-c", PRELUDE + PANDAS_SOURCE)
    assert ran.out == "k,v,w\n"


PANDAS_SOURCE = """
for version in dict.fromkeys([PANDAS, "2.2.3"]):
    with envknit.worker("pandas", version) as pd, open("data.csv") as file:
        assert pd.__version__ == version
        frame = pd.read_csv(file)
        assert frame.groupby("k")["v"].sum().to_dict() == {"a": 4, "b": 2}
        assert frame["v"].apply(lambda x: x + 1).tolist() == [2, 3, 4]
        assert frame.loc[frame["v"] > 1, "k"].tolist() == ["b", "a"]
        frame["w"] = frame["v"] * 2
        assert list(frame.columns) == ["k", "v", "w"]
        assert len(frame) == 3 and "3" in str(frame)
        frame.to_csv("out.csv", index=False)
print(open("out.csv").read().split()[0])
"""


def test_two_versions_of_each_interleaved_in_one_host(project: Project) -> None:
    def program():
        import envknit

        with envknit.worker("numpy", OLD) as np1, envknit.worker("numpy", NEW) as np2:
            for number in range(5):
                one, two = np1.arange(number), np2.arange(number)
                assert one.sum() == two.sum()
                assert np2.asarray(one).tolist() == two.tolist()  # one worker's array in the other
            print(np1.__version__ == OLD, np2.__version__ == NEW)
        with envknit.worker("pydantic", "1.10.24") as p1, envknit.worker("pydantic", "2.10.6") as p2:
            for pydantic in (p1, p2, p1):
                model = pydantic.create_model("Model", x=(int, ...))
                assert model(x="5").x == 5
                assert pydantic.create_model("Lists", x=(list[int | None], ...))(x=["1", None]).x == [1, None]
                try:
                    model(x="no")
                except pydantic.ValidationError as error:
                    assert isinstance(error, ValueError)
            print(p1.VERSION, p2.VERSION)
        with envknit.worker("cryptography", "42.0.8") as c1, envknit.worker("cryptography", "44.0.1") as c2:
            key = c1.fernet.Fernet.generate_key()
            token = c1.fernet.Fernet(key).encrypt(b"secret")
            print(c2.fernet.Fernet(key).decrypt(token), c1.__version__, c2.__version__)

    ran = project.code(PRELUDE + source_of(program))
    assert ran.out == "True True\n1.10.24 2.10.6\nb'secret' 42.0.8 44.0.1\n"


def test_a_host_with_numpy_shares_memory_with_the_worker(project: Project) -> None:
    project.write("app.py", "")

    def program(old, pandas):
        import collections
        import time

        import numpy as host

        import envknit

        with envknit.worker("numpy", old, env="old") as np:
            far = np.zeros((1000, 1000))
            near = host.asarray(far)
            assert near.shape == (1000, 1000) and near.dtype == float and near.flags.writeable
            far[5, 6] = 7.0  # there
            assert near[5, 6] == 7.0  # is here
            near[8, 9] = 11.0  # and here
            assert far[8, 9] == 11.0  # is there
            again = host.asarray(far)
            assert again.__array_interface__["data"][0] == near.__array_interface__["data"][0]
            kept = np.ones(100_000)
            holder = np.array([None])
            holder[0] = kept
            picture = host.asarray(kept)  # somebody there holds it: a picture, read-only
            assert not picture.flags.writeable and picture[5] == 1.0
            fortran = host.asarray(np.asfortranarray(np.arange(12.0).reshape(3, 4)))
            assert fortran.tolist() == host.arange(12.0).reshape(3, 4).tolist()
            big = host.random.rand(100_000_000 // 8)
            began = time.perf_counter()
            there = np.asarray(big)
            assert there.sum() == big.sum() or abs(there.sum() - big.sum()) < 1e-3
            back = host.asarray(there * 2)
            assert (back == big * 2).all()
            there[0] = -1.0
            assert big[0] != -1.0  # what went over is a copy of its own
            assert time.perf_counter() - began < 10
            for value in (
                host.float32(1.5),
                host.array(3),
                host.array(["a", "bc"]),
                host.zeros(0),
                host.arange(6)[::2],
                host.array([(1, 2.0)], dtype=[("a", int), ("b", float)]),
                host.datetime64("2024-01-01"),
            ):
                assert host.array_equal(host.asarray(np.asarray(value)), host.asarray(value)), value
            for shape in (0,), (0, 3), (3, 0), (2, 0, 4):  # empty ones keep shape and type, too
                for kind in "f8", "i2", "?":
                    near = host.asarray(np.zeros(shape, kind))
                    assert (near.shape, near.dtype) == (shape, host.dtype(kind)), (shape, near)
            assert host.concatenate([np.zeros((0, 3)), host.ones((2, 3))]).shape == (2, 3)
        with envknit.worker("pandas", pandas, env="old") as pd:
            mine = pd.DataFrame([collections.OrderedDict(a=1, b=2), collections.Counter(a=3)])
            assert mine.columns.tolist() == ["a", "b"] and mine[mine.a > 9].a.to_numpy().tolist() == []
            pairs = pd.DataFrame([collections.namedtuple("Pair", "x y")(1, 2)])
            assert pairs.columns.tolist() == ["x", "y"]
            sent = envknit.send(envknit.fetch(pairs["x"].to_numpy()), to=pd)
            assert pairs.assign(z=sent).z.tolist() == [1]
            frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
            assert host.asarray(frame).tolist() == [[1.0, 3.0], [2.0, 4.0]]
            assert host.asarray(frame["a"]).tolist() == [1.0, 2.0]
            assert envknit.fetch(frame["a"].to_numpy()).tolist() == [1.0, 2.0]
        print("done")

    ran = project.run(
        "-c",
        source_of(program, old=OLD, pandas=PANDAS),
        env={"ENVKNIT_ENV": "new"},
    )
    assert ran.out == "done\n"


def test_a_worker_saves_a_figure(project: Project) -> None:
    def program():
        import io

        import envknit

        with envknit.worker("matplotlib", "3.9.4", env="plots") as matplotlib:
            matplotlib.use("Agg")
            figure, axes = matplotlib.pyplot.subplots()
            axes.plot([1, 2, 3], [1, 4, 9])
            figure.savefig("figure.png")
            here = io.BytesIO()
            figure.savefig(here, format="png")
        print(open("figure.png", "rb").read(8) == here.getvalue()[:8] == b"\x89PNG\r\n\x1a\n")

    ran = project.run("-c", program)
    assert ran.out == "True\n"


def test_use_gives_a_worker_where_extension_modules_stand_in_the_way(project: Project) -> None:
    def program(old, new):
        import numpy as host

        import envknit

        with envknit.use("numpy", old, auto_worker=True) as np:
            print(np.__version__ == old, np.arange(4).sum() == 6)
        print(host.__version__ == new)

    ran = project.run(
        "-c",
        source_of(program, old=OLD, new=NEW),
        env={"ENVKNIT_ENV": "new"},
    )
    assert ran.out == "True True\nTrue\n"
