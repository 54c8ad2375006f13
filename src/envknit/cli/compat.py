"""Try whether a package with extension modules can be loaded beside another version of it, in one process.

Both are locked and installed into the store, in a folder that is removed again, and a child process imports one as the
resident and the other as a native guest. What it finds is remembered in the store; `use(..., native=True)` goes by it.
The exit status is 1 where it cannot.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from envknit.errors import ProjectError
from envknit.files.requested import read_requirement
from envknit.files.values import Value

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from envknit.cli.screen import Screen

EXAMPLE = "envknit compat numpy==1.26.4 --beside 2.0.2"

_PROGRAM = """
import envknit, importlib.metadata, json, sys
name, version = sys.argv[1:]
try:
    envknit.use(name, version, env="guest", native=True)
    why = ""
except envknit.CExtensionError as error:
    why = str(error.facts.get("reason", error))
print(json.dumps([importlib.metadata.version(name), why]))
"""


def configure(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("pin", metavar="PACKAGE==VERSION", help="the version to load as a guest")
    parser.add_argument(
        "--with", metavar="REQUIREMENT", dest="more", action="append", default=[],
        help="what else the guest's environment holds, such as an older dependency (may be repeated)",
    )  # fmt: skip
    parser.add_argument("--beside", metavar="VERSION", help="the version that plain imports get (default: the newest)")


def main(arguments: Namespace, screen: Screen) -> int:
    """Run the verb."""
    name, _, version = arguments.pin.partition("==")
    if not version:
        raise ProjectError(
            "a package and its version are needed", argument=arguments.pin, hint=f"for instance: {EXAMPLE}"
        )
    beside = f"{name}=={arguments.beside}" if arguments.beside else f"{name}!={version}"
    guest = [f"{name}=={version}", *arguments.more]
    for text in (*guest, beside):
        read_requirement(Value(data=text, file="the command line", error=ProjectError, kind="argument"))
    with tempfile.TemporaryDirectory(prefix="envknit-compat-") as folder:
        environments = {"default": {"packages": [beside]}, "guest": {"packages": guest}}
        Path(folder, "envknit.yaml").write_text(
            json.dumps({"environments": environments}), encoding="utf-8"
        )  # it is YAML
        for verb, stage in (("lock", "Locking both versions"), ("install", "Installing them")):
            screen.stage(stage)
            status = _run(["-m", "envknit", verb], folder).returncode
            if status:
                return status
        screen.stage("Importing both in a child process")
        done = _run(["-c", _PROGRAM, name, version], folder, stdout=subprocess.PIPE)
    if done.returncode:
        return 1
    resident, why = json.loads(done.stdout.splitlines()[-1])
    screen.show(f"{name} {version} beside {resident}: {why or 'it can be loaded'}")
    return int(bool(why))


def _run(arguments: list[str], folder: str, *, stdout: int = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
    environ = {each: os.environ[each] for each in os.environ if each not in {"ENVKNIT_LOCK", "ENVKNIT_ENV", "ENVKNIT"}}
    return subprocess.run([sys.executable, *arguments], cwd=folder, env=environ, stdout=stdout, text=True, check=False)
