"""Real packages with extension modules as native guests: numpy and pandas of two versions in one process."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from kit import Machine
from kit.programs import source_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.network,
    pytest.mark.ends,
    pytest.mark.skipif(sys.platform != "linux", reason="native guests are for Linux"),
]

# The newest two of each that have wheels for the oldest and the newest Python that we test
OLD, NEW = {
    True: (("2.0.3", "1.26.4"), ("2.2.0", "1.26.4")),
    False: (("2.2.3", "2.1.3"), ("2.3.3", "2.2.6")),
}[sys.version_info < (3, 12)]


@pytest.fixture(name="real")
def _real(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    machine = Machine(tmp_path, None)
    # One store for the module: the wheels are large, and unpacked once
    machine.env["ENVKNIT_HOME"] = str(tmp_path_factory.getbasetemp() / "native-store")
    return machine


def _depends(machine: Machine, name: str, pandas: str) -> str:
    folder = machine.root / name
    folder.mkdir()
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\nversion = "1.0"\ndependencies = ["pandas=={pandas}"]\n'
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        f'[tool.setuptools]\npy-modules = ["{name}"]\n'
    )
    (folder / f"{name}.py").write_text(
        "import pandas\ndef frame():\n    return pandas.DataFrame({'a': [1, 2, 1], 'b': [0.5, 1, 2]})\n"
        "def version():\n    return pandas.__version__\n"
    )
    return f"{name} @ file:{folder}"


def test_two_dependencies_see_their_own_pandas_in_plain_python(real: Machine) -> None:
    def program():
        import io
        import pickle
        import threading

        import dep_a
        import dep_b

        wrong = []

        def work(module):
            for _ in range(10):
                frame = module.frame()
                kind = type(frame)
                sums = frame.groupby("a").b.sum().to_dict()
                if (
                    sums != {1: 2.5, 2: 1.0}
                    or len(frame.merge(frame, on="a")) != 5
                    or frame.query("a > 1").shape != (1, 2)
                ):
                    wrong.append((module.version(), sums))
                again = pickle.loads(pickle.dumps(frame))
                read = module.pandas.read_csv(io.StringIO(frame.to_csv(index=False)))
                if type(again) is not kind or not again.equals(frame) or not read.equals(frame):
                    wrong.append((module.version(), again, read))

        threads = [threading.Thread(target=work, args=(module,)) for module in (dep_a, dep_b) * 4]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(dep_a.version(), dep_b.version(), wrong[:3])

    needs = [_depends(real, "dep_a", NEW[0]), _depends(real, "dep_b", OLD[0])]
    project = real.project(needs, more="native: [pandas, numpy]\nsplit: auto\n").ready()

    assert project.code(program, timeout=300).out == f"{NEW[0]} {OLD[0]} []\n"


def test_each_numpy_computes_saves_and_pickles_by_itself(real: Machine) -> None:
    def program(old):
        import io
        import pickle

        import numpy as new

        import envknit

        with envknit.use("numpy", old, native=True) as numpy:
            pass
        assert numpy.__version__ == old
        for np in (numpy, new):
            array = np.arange(6.0).reshape(2, 3)
            assert np.allclose(np.linalg.inv(array[:, :2]) @ array[:, :2], np.eye(2))
            for thing in (
                array,
                array.dtype,
                np.float64(2),
                np.add,
                np.ndarray,
                np.random.default_rng(1),
                np.linalg.svd,
            ):
                assert type(pickle.loads(pickle.dumps(thing))) is type(thing)
            file = io.BytesIO()
            np.save(file, array)
            file.seek(0)
            assert type(np.load(file)) is np.ndarray
        other = new.asarray(memoryview(numpy.arange(3.0)))
        assert type(other) is new.ndarray
        assert other.sum() == 3
        for mine, foreign in ((numpy, new), (new, numpy)):  # it would be a recursion in C without an end
            for array in (foreign.arange(3.0), foreign.arange(3).astype("M8[D]")):
                assert type(mine.isfinite(array)) is mine.ndarray
            assert mine.add.reduce(foreign.arange(3)) == 3
            out = foreign.zeros(3)
            mine.add(foreign.arange(3), 1, out=out)
            assert list(out) == [1, 2, 3]
            assert mine.isfinite(mine.arange(3)).all()

    project = real.project(
        [f"numpy=={NEW[1] if NEW[1] != OLD[1] else '2.0.2'}"], environments={"old": [f"numpy=={OLD[1]}"]}
    ).ready()

    project.code(source_of(program, old=OLD[1]), timeout=300)


def test_types_that_pybind11_registers_for_the_whole_process_do_not_meet(real: Machine) -> None:
    def program():
        import contourpy as new

        import envknit

        old = envknit.import_version("contourpy", "1.3.0", native=True)
        for contourpy in (old, new):
            generator = contourpy.contour_generator(z=[[0, 1], [1, 0]])
            assert type(generator) is contourpy.SerialContourGenerator
            assert len(generator.lines(0.5)) == 2
        assert old.SerialContourGenerator is not new.SerialContourGenerator

    pinned = f"numpy=={NEW[1]}"
    real.project(["contourpy==1.3.1", pinned], environments={"old": ["contourpy==1.3.0", pinned]}).ready().code(program)
