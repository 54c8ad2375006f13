"""A lock against a virtual environment of the very same packages: what a program can ask Python about itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kit import LoopbackIndex, Machine

pytestmark = pytest.mark.ends

PACKAGES = ("alpha", "beta-ns", "gamma.ns", "joint-a", "joint-b", "single", "typed")

# name of a probe -> code that leaves its answer in `answer`; folders are compared by what they are relative to
PROBES = {
    "sys.path": "answer = [p for p in sys.path if not p.endswith('/store/packages/site-packages')]",
    "sys.prefix": "answer = sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix",
    "sysconfig": "import sysconfig; "
    "answer = sysconfig.get_paths(), sysconfig.get_config_vars('base', 'platbase', 'prefix')",
    "sysconfig schemes": "import sysconfig; "
    "answer = sysconfig.get_default_scheme() if sys.version_info > (3, 10) else 0",
    "site": "import site; answer = site.PREFIXES, site.getsitepackages(), site.ENABLE_USER_SITE",
    "the names of distributions": "answer = sorted(d.metadata['Name'] for d in m.distributions())",
    "versions": "answer = [m.version(n) for n in ('alpha', 'Beta.NS', 'gamma-ns', 'gamma_ns')]",
    "entry points": "answer = sorted((e.name, e.value, e.dist.name) for e in m.entry_points(group='plugins'))",
    "files": "answer = sorted(str(f.locate()) for f in m.files('alpha') if f.parts[0] == 'alpha')",
    "requirements": "answer = m.requires('single')",
    "where a distribution lies": "answer = str(m.distribution('typed').locate_file(''))",
    "packages of distributions": "f = getattr(m, 'packages_distributions', dict); answer = sorted(f().items())",
    "other entries do not win": "sys.path.append(OTHER); answer = m.version('alpha'), __import__('alpha').VERSION",
    "earlier entries win": "sys.path.insert(0, OTHER); answer = m.version('alpha'), __import__('alpha').VERSION",
    "metadata by path": "answer = sorted(d.metadata['Name'] for d in m.distributions(path=[SITE]))",
    "iter_modules": "import pkgutil; "
    "answer = [(n.name, n.ispkg) for n in pkgutil.iter_modules([SITE]) if 'envknit' not in n.name]",
    "walk_packages": "import pkgutil, space; "
    "answer = sorted(n.name for n in pkgutil.walk_packages(space.__path__, 'space.'))",
    "files of modules": "import alpha.late, single, space.beta; "
    "answer = alpha.__path__, alpha.late.__file__, single.__file__, list(space.__path__), "
    "space.beta.__spec__.origin, alpha.__spec__.submodule_search_locations",
    "real paths": "import alpha, joint.b, os; "  # coverage and debuggers resolve links, and know a library so
    "answer = ['/site-packages/' in os.path.realpath(m.__file__) for m in (alpha, joint.b)]",
    "inspect": "import alpha.late, inspect; answer = inspect.getsourcefile(alpha.late), inspect.getsource(alpha.late)",
    "code objects": "import alpha.late; answer = alpha.late.name.__code__.co_filename",
    "resources": "import importlib.resources as r; answer = (r.files('alpha') / 'data.txt').read_text()",
    "pkgutil.get_data": "import pkgutil; answer = pkgutil.get_data('alpha', 'data.txt').decode()",
    "loaders": "import importlib.machinery as im, alpha; answer = isinstance(alpha.__loader__, im.SourceFileLoader)",
    "finders": "import importlib.machinery as im, pkgutil; "
    "answer = isinstance(pkgutil.get_importer(SITE), im.FileFinder)",
    "find_spec": "import importlib.util as u; answer = u.find_spec('single').origin, u.find_spec('nothing')",
    "the folder itself": "import os; "
    "answer = sorted(n for n in os.listdir(SITE) if 'envknit' not in n and n != '__pycache__')",
    "data files": "import os; answer = open(os.path.join(sys.prefix, 'share', 'alpha', 'x.txt')).read()",
    "headers": "import os; answer = os.path.exists(os.path.join(sys.prefix, 'share', 'nothing'))",
    "modules": "import alpha; answer = [n for n in sys.modules if n.startswith('alpha')]",
}

_ASK = """
import importlib.metadata as m, json, sys
OTHER = sys.argv[1]
SITE = next(p for p in sys.path if p.startswith(sys.prefix) and p.endswith("site-packages"))
answers = {}
for name, code in json.load(open(sys.argv[2])).items():
    path, modules = list(sys.path), set(sys.modules)
    space = {"m": m, "sys": sys, "SITE": SITE, "OTHER": OTHER}
    try:
        exec(code, space)
        answers[name] = space["answer"]
    except Exception as error:
        answers[name] = repr(error)
    sys.path[:] = path
    for module in set(sys.modules) - modules:
        if module.partition(".")[0] in {"alpha", "single", "space"}:
            del sys.modules[module]
print(json.dumps([sys.prefix, answers]))
"""


@pytest.fixture(name="answers", scope="module")
def _answers(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    """What all probes answer under the lock, and in the virtual environment."""
    root = tmp_path_factory.mktemp("parity")
    with LoopbackIndex() as index:
        _publish(index)
        machine = Machine(root / "machine", index)
        project = machine.project(PACKAGES).ready()
        venv = machine.root / "venv"
        machine.run("-m", "venv", "--without-pip", venv)
        pip = ("-m", "pip", "--python", venv / "bin" / "python", "install", "-q", "--no-compile")
        machine.run(*pip, *PACKAGES, env={"ENVKNIT": "0"})
        other = machine.root / "other"
        machine.run("-m", "pip", "install", "-q", "--no-deps", "-t", other, "alpha==0.5", env={"ENVKNIT": "0"})
    (project.root / "probes.json").write_text(json.dumps(PROBES))
    script = project.write("ask.py", _ASK)
    found = []
    for python in (machine.python, venv / "bin" / "python"):
        prefix, said = json.loads(project.run(python, script, other, "probes.json").out)
        lines = project.run(python, "-m", "site").out.splitlines()
        said["python -m site"] = [line for line in lines if "/store/packages/" not in line]
        found.append(json.loads(json.dumps(said).replace(prefix, "PREFIX")))
    return found[0], found[1]


def _publish(index: LoopbackIndex) -> None:
    plugins = {"plugins": {"one": "alpha.late:name"}, "console_scripts": {"alpha": "alpha:main"}}
    files = {
        "alpha/__init__.py": "VERSION = '1.0'\n",
        "alpha/late.py": "def name():\n    return __name__\n",
        "alpha/data.txt": "some data\n",
    }
    index.publish("alpha", "1.0", files, entry_points=plugins, data={"data/share/alpha/x.txt": "x"})
    index.publish("alpha", "0.5", {"alpha/__init__.py": "VERSION = '0.5'\n"})
    index.publish("beta-ns", "1.0", {"space/beta/__init__.py": "", "space/shared/b.py": ""})
    index.publish("gamma.ns", "1.0", {"space/gamma.py": "", "space/shared/g.py": ""})
    index.publish("joint-a", "1.0", {"joint/__init__.py": ""})
    index.publish("joint-b", "1.0", {"joint/b.py": ""})
    index.publish("single", "1.0", {"single.py": ""}, requires=["alpha>=0.1"])
    index.publish("typed", "1.0", {"typed/__init__.py": "", "typed/py.typed": "", "typed/__init__.pyi": "x: int\n"})


@pytest.mark.parametrize("probe", [*PROBES, "python -m site"])
def test_a_probe_answers_as_in_a_virtual_environment(
    probe: str, answers: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    under_the_lock, in_the_venv = answers

    assert under_the_lock[probe] == in_the_venv[probe]
    assert "Error" not in str(in_the_venv[probe])
