"""A build backend in a few lines, so that tests build projects without an index: `[project]` in, wheels out."""

from __future__ import annotations

from pathlib import Path

import tomli

# `FINDER` makes the editable wheel as setuptools does for layouts that no path describes: a module that finds names
BACKEND = '''
import base64, hashlib, os, sys, zipfile
sys.path.append("TOMLI")
if sys.version_info >= (3, 11): import tomllib
else: import tomli as tomllib

def read():
    with open("pyproject.toml", "rb") as file: tables = tomllib.load(file)
    project = dict(tables["project"])
    for field in project.get("dynamic", ()):
        with open(f"{field}.txt") as file: text = file.read()
        project[field] = text.strip() if field == "version" else text.split()
    return project, tables.get("tool", {}).get("backend", {})

def metadata(project):
    rows = ["Metadata-Version: 2.1", f"Name: {project['name']}", f"Version: {project['version']}"]
    rows += [f"Requires-Dist: {text}" for text in project.get("dependencies", ())]
    for extra, texts in project.get("optional-dependencies", {}).items():
        rows += [f"Provides-Extra: {extra}", *(f"Requires-Dist: {text} ; extra == '{extra}'" for text in texts)]
    return "\\n".join(rows) + "\\n"

def stem(project): return f"{project['name'].replace('-', '_')}-{project['version']}"

def info(project):
    points = {"console_scripts": project.get("scripts", {}), **project.get("entry-points", {})}
    rows = [[f"[{group}]", *(f"{k} = {v}" for k, v in found.items())] for group, found in points.items()]
    text = "".join(line + "\\n" for lines in rows for line in lines)
    folder = f"{stem(project)}.dist-info"
    wheel = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    return {f"{folder}/METADATA": metadata(project), f"{folder}/WHEEL": wheel, f"{folder}/entry_points.txt": text}

def pack(folder, project, files):
    files = {name: data.encode() for name, data in {**files, **info(project)}.items()}
    digest = lambda data: base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    record = "".join(f"{name},sha256={digest(data)},{len(data)}\\n" for name, data in files.items())
    files[f"{stem(project)}.dist-info/RECORD"] = (record + f"{stem(project)}.dist-info/RECORD,,\\n").encode()
    name = f"{stem(project)}-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
        for path, data in files.items(): archive.writestr(path, data)
    return name

def source(): return "src" if os.path.isdir("src") else "."

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    project, _ = read()
    files = {}
    for parent, folders, names in os.walk(source()):
        for name in names:
            if name.endswith(".py") and name != "backend.py":
                path = os.path.join(parent, name)
                with open(path) as file: files[os.path.relpath(path, source())] = file.read()
    return pack(wheel_directory, project, files)

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    project, settings = read()
    with open("built.log", "a") as file: file.write("editable\\n")
    name, place = project["name"].replace("-", "_"), os.path.abspath(source())
    if not settings.get("finder"):
        return pack(wheel_directory, project, {f"_{name}.pth": place + "\\n"})
    finder = f"""
import importlib.util, os, sys
class Finder:
    @staticmethod
    def find_spec(fullname, path=None, target=None):
        if fullname == {name!r}:
            folder = os.path.join({place!r}, "code")
            file = os.path.join(folder, "__init__.py")
            return importlib.util.spec_from_file_location(fullname, file, submodule_search_locations=[folder])
def install(): sys.meta_path.append(Finder)
"""
    line = f"import __editable___{name}_finder; __editable___{name}_finder.install()\\n"
    return pack(wheel_directory, project, {f"__editable__{name}.pth": line, f"__editable___{name}_finder.py": finder})
'''


def write_backend(folder: Path) -> str:
    """Write the backend into a project; returns the table that makes it the project's."""
    folder.mkdir(parents=True, exist_ok=True)
    text = BACKEND.replace("TOMLI", str(Path(tomli.__file__).parents[1]))
    (folder / "backend.py").write_text(text, encoding="utf-8")
    return '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def builds(folder: Path) -> int:
    """Count the editable builds of a project so far."""
    log = folder / "built.log"
    return len(log.read_text(encoding="utf-8").splitlines()) if log.exists() else 0
