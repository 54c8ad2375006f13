"""What numpy and pandas cost as native guests, beside the same versions as residents: nothing, says the ratio."""

from __future__ import annotations

import json
import subprocess
from statistics import geometric_mean

from harness import FOUND, ROOT, environment, fresh, interpreter, versions

GUESTS = {"numpy": "2.1.3", "pandas": "2.2.3"}
RESIDENTS = {"numpy": "2.2.6", "pandas": "2.3.3"}

_AS_GUEST = "\n".join(
    f"with envknit.use({name!r}, {version!r}, native=True) as {name}: pass" for name, version in GUESTS.items()
)
_PROGRAM = """
import envknit, io, json, pickle, time, timeit
{first}
array, square = numpy.random.default_rng(1).random(1000), numpy.random.default_rng(1).random((120, 120))
frame = pandas.DataFrame({{"a": (array * 10).astype(int), "b": array}})
text = frame.to_csv(index=False)
work = {{
    "make an array": lambda: numpy.array([1, 2, 3]),
    "sum": lambda: array.sum(),
    "sort": lambda: numpy.sort(array),
    "multiply matrices": lambda: square @ square,
    "group": lambda: frame.groupby("a").b.sum(),
    "merge": lambda: frame.head(50).merge(frame.head(50), on="a"),
    "query": lambda: frame.query("a > 3"),
    "read csv": lambda: pandas.read_csv(io.StringIO(text)),
    "pickle": lambda: pickle.loads(pickle.dumps(frame)),
}}
def best(function):
    timer = timeit.Timer(function, timer=time.process_time)
    number = max(1, int(0.02 / (timer.timeit(3) / 3)))
    return min(timer.repeat(5, number)) / number
print(json.dumps({{name: best(function) for name, function in work.items()}}))
"""


def main(rounds: int) -> None:
    versions()
    store, folder = fresh("native-store"), fresh("native")
    knit = interpreter("envknit", ROOT)
    environments = {"default": RESIDENTS, "old": GUESTS}
    wanted = {name: {"packages": [f"{k}=={v}" for k, v in pins.items()]} for name, pins in environments.items()}
    (folder / "envknit.yaml").write_text(json.dumps({"environments": wanted}))
    env = environment(ENVKNIT_HOME=str(store), OPENBLAS_NUM_THREADS="1")
    for verb in ("lock", "install"):
        subprocess.run([knit, "-m", "envknit", verb], cwd=folder, env=env, check=True, capture_output=True)
    rivals = {
        "resident": (_PROGRAM.format(first="import numpy, pandas"), {**env, "ENVKNIT_ENV": "old"}),
        "guest": (_PROGRAM.format(first=_AS_GUEST), env),
    }
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in rivals}
    for _ in range(max(3, rounds // 4)):
        for name, (program, env_of) in rivals.items():
            done = subprocess.run([knit, "-c", program], cwd=folder, env=env_of, check=True, capture_output=True)
            runs[name].append(json.loads(done.stdout))
    ratios = []
    print(f"\n{'processor microseconds':24}{'resident':>12}{'guest':>12}{'ratio':>8}")
    for key in runs["resident"][0]:
        before, after = (min(run[key] for run in runs[name]) for name in rivals)  # whatever else ran only adds
        FOUND.append({"table": "native", "row": key, "seconds": after, "ratio": after / before})
        ratios.append(after / before)
        print(f"{key:24}{before * 1e6:12.1f}{after * 1e6:12.1f}{after / before:8.2f}")
    print(f"{'geometric mean':48}{geometric_mean(ratios):8.2f}")
