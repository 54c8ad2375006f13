"""The arguments of the command line; a verb's module is imported when that verb is parsed, and no sooner."""

from __future__ import annotations

import argparse
import keyword
import shlex
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from envknit import __version__
from envknit.plan import USER

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

VERBS = {
    "init": "write a project file",
    "add": "ask for packages: edit the project file, lock and install",
    "remove": "ask for packages no more: edit the project file, lock and install",
    "import": "take over the requirements and pins that another tool wrote down",
    "export": "write the lock in a form that other tools read",
    "lock": "choose a version of everything, and write them to the lock",
    "install": "put what the lock says into the store, and let this folder's Python see it",
    "sync": "lock where the lock is out of date, then install",
    "bundle": "write a file that installs the lock where there is no network",
    "unbundle": "install what a bundle holds",
    "run": "run a command as in an activated virtual environment",
    "shell": "start a shell in which an environment is active",
    "env": "print what a shell evaluates to activate an environment; list, create, remove and show environments",
    "view": "let .venv be an environment, for editors and type checkers",
    "python": "list and find the interpreters of this machine, and pin the one that a project uses",
    "status": "show how project file, lock and this interpreter stand to each other",
    "list": "list the packages of an environment",
    "tree": "show what depends on what",
    "why": "show why a package is in the lock",
    "outdated": "show which packages have newer versions",
    "compat": "try whether a package with extension modules can be loaded beside another version of it",
    "verify": "check every installed file against its hash",
    "doctor": "look for what keeps a lock from working, and say what to do",
    "store": "look at the store, and free what no lock needs",
    "hook": "see, write or remove what starts envknit in an interpreter",
}

EXIT_STATUSES = {
    0: "done",
    1: "what was asked about is not so: damage, an outdated lock, a failed check",
    2: "the command line, the project file or the lock is wrong",
    3: "no set of versions satisfies the requirements",
    4: "the index, the network, a build, the store or the disk is in the way",
    5: "a fault of envknit itself",
    130: "interrupted",
}

# What people of pip, uv, Poetry and conda type -> what it is called here
_HABITS = {
    "freeze": "export",
    "show": "why PACKAGE",
    "uninstall": "remove PACKAGE",
    "update": "lock --update PACKAGE, then envknit install",
    "upgrade": "lock --upgrade, then envknit install",
    "activate": "shell",
    "check": "verify",
    "pip": "add PACKAGE",
    "pin": "add PACKAGE==VERSION",
    "new": "init",
    "exec": "run",
    "venv": "view",
    "graph": "tree",
    "clean": "store gc",
    "prune": "store gc",
    "cache": "store stats",
}

_NOWHERE = frozenset(
    {"bundle", "compat", "doctor", "hook", "import", "init", "python", "store", "unbundle"}
)  # verbs of no project

_EPILOG = "exit status:\n" + "\n".join(f"  {status:<3}  {meaning}" for status, meaning in EXIT_STATUSES.items())


class Parser(argparse.ArgumentParser):
    """A parser that does not guess abbreviated options, and tells errors in the one shape that all have."""

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the command line, and end the process with status 2."""
        hint = "" if "\nhint: " in message else f"\nhint: {self.prog} --help"
        usage = " ".join(self.format_usage().split()).removeprefix("usage: ")
        message, newline, rest = message.partition("\n")
        sys.stderr.write(f"error: {message}\n  usage: {usage}{newline}{rest}{hint}\n")
        raise SystemExit(2)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; what is left over is an error of the verb that was given it, not of `envknit` as a whole."""
        found, rest = super().parse_known_args(args, namespace)
        if rest:
            near = _nearest(rest[0].partition("=")[0], self._option_string_actions)
            hint = f"\nhint: did you mean {near}?" if near else ""
            if self.prog.endswith((" install", " sync")) and rest[0][:1] not in ("", "-"):  # of pip and conda
                hint = f"\nhint: {self.prog.rpartition(' ')[0]} add {shlex.join(rest)}"
            self.error(f"unknown argument: {' '.join(rest)}{hint}")
        return found, rest

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if isinstance(action.choices, dict) and value not in action.choices:  # a verb
            meant = _HABITS.get(value) or _nearest(value, action.choices) or "--help"
            self.error(f"there is no `{self.prog} {value}`\nhint: {self.prog} {meant}")
        super()._check_value(action, value)


def _nearest(word: str, known: Iterable[str]) -> str:
    import difflib  # 2 ms, for wrong command lines alone

    return next(iter(difflib.get_close_matches(word, known, n=1)), "")


class VerbParser(Parser):
    """The parser of one verb, which gets its arguments from the verb's module when it is first used."""

    def __init__(self, *, verb: str, **options: Any) -> None:
        super().__init__(**options)
        self.verb = verb
        self.loaded = False

    def load(self) -> None:
        """Import the verb's module and let it declare its arguments; more calls do nothing."""
        if not self.loaded:
            self.loaded = True
            module = import_module(f"envknit.cli.{self.verb}{'_' if keyword.iskeyword(self.verb) else ''}")
            self.description = (module.__doc__ or "").strip()
            self.epilog = f"example:\n  {module.EXAMPLE}"
            module.configure(self)
            common = self.add_argument_group("common options")
            add_common(common)
            if self.verb not in _NOWHERE:
                add_shared(common)
            self.set_defaults(main=module.main, verb=self.verb)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, with the verb's own arguments."""
        self.load()
        return super().parse_known_args(args, namespace)


class ActionParser(Parser):
    """The parser of an action below a verb, as in `store gc`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        add_common(self.add_argument_group("common options"))


def add_common(group: Any) -> None:
    """Declare what every verb understands, before its name or after it."""
    group.add_argument("-C", "--project", metavar="DIR", help="work on the project of this folder, not of the current")
    group.add_argument("--python", metavar="PATH", help="do it for this interpreter, which needs no envknit")
    group.add_argument("-q", "--quiet", action="store_true", help="print only what was asked for, warnings and errors")
    group.add_argument("-v", "--verbose", action="store_true", help="print more, and the traceback of an error")
    for action in group._group_actions:  # noqa: SLF001 - a default here would undo what stood before the verb
        action.default = argparse.SUPPRESS


def add_shared(group: Any) -> None:
    """Declare how an environment of the person's own is named."""
    which = group.add_mutually_exclusive_group()
    which.add_argument("--shared", metavar="NAME", help="work on this shared environment of yours")
    which.add_argument(
        "--user", dest="shared", action="store_const", const=USER, help="the one that plain Python falls back to"
    )


def repeated(arguments: argparse.Namespace) -> list[str]:
    """Return the common options that a command in a hint must repeat, to be about the same project and interpreter."""
    given = {
        "-C": arguments.project if arguments.project != "." else "",
        "--shared": getattr(arguments, "shared", None),
        "--python": arguments.python,
    }
    return [f"{option} {shlex.quote(value)}" for option, value in given.items() if value]


def make_parser() -> Parser:
    """Build the parser of the whole command line, its verbs still empty; cost: about 1 ms."""
    parser = Parser(
        prog="envknit",
        description="One shared store of packages, a lock per project, and plain `python app.py`.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"envknit {__version__}")
    add_common(parser.add_argument_group("common options"))
    parser.set_defaults(project=".", python=None, quiet=False, verbose=False, json=False)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True, parser_class=VerbParser)
    for verb, summary in VERBS.items():
        verbs.add_parser(verb, help=summary, verb=verb)
    return parser


def add_environment(parser: argparse.ArgumentParser, text: str, *, many: bool = False) -> None:
    """Declare `--env`, once or as often as wished."""
    action: dict[str, Any] = {"action": "append"} if many else {"action": _Once, "default": "default"}
    parser.add_argument("-e", "--env", metavar="NAME", help=text, **action)


class _Once(argparse.Action):
    """`--env` of verbs that work in one environment: a second one is an error, and does not replace the first."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, value: Any, option: str | None = None
    ) -> None:
        """Take the value."""
        before = getattr(namespace, self.dest)
        if before is not self.default:  # the very object: `--env default` was given, too
            parser.error(
                f"{option} is given twice ({before}, {value}), and a process sees one environment\n"
                f"hint: let a third have what both have: environments: {{both: {{include: [{before}, {value}]}}}}"
            )
        setattr(namespace, self.dest, value)


def add_script(parser: argparse.ArgumentParser) -> None:
    """Declare `--script`."""
    parser.add_argument("--script", metavar="FILE", help="work on this script, which says in a comment what it needs")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Declare `--json`."""
    # A default of an action would undo what stood before its name: the whole parser has it
    parser.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="print JSON for a script to read"
    )


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parse a command line; ends the process with status 2 where it is wrong, or says nothing."""
    if not argv:
        make_parser().print_help()
        raise SystemExit(2)
    return make_parser().parse_args(argv)
