"""Programs under test: functions whose bodies run elsewhere, with assertions that show values there.

A program is written as a function, so that editors, linters and readers see code. It is never called: its body becomes
the text of a program of its own. Its parameters are names that whoever runs it gives or defines first.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Program: TypeAlias = Callable[..., object] | str


def source_of(program: Program, **given: object) -> str:
    """Return what runs: the names that are given, then the body of the function, or the text, dedented."""
    if isinstance(program, str):
        return textwrap.dedent(program)
    lines = inspect.getsource(program).splitlines(keepends=True)
    function = ast.parse(textwrap.dedent("".join(lines))).body[0]
    assert isinstance(function, ast.FunctionDef)
    body = textwrap.dedent("".join(lines[function.body[0].lineno - 1 :]))
    return "".join(f"{name} = {value!r}\n" for name, value in given.items()) + _with_values(body)


def _with_values(source: str) -> str:
    """Make each `assert a == b, why` show both sides when it fails; the rest of the text stays as it is written.

    The sides are evaluated once, where they always were, and let go at once, since programs count references.
    """
    text = source.encode()  # the columns of a syntax tree count bytes
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assert)]
    for node in sorted(found, key=lambda node: (-node.lineno, -node.col_offset)):
        if isinstance(node.test, ast.Compare) and len(node.test.ops) == 1:
            begin = starts[node.lineno - 1] + node.col_offset
            end = starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
            text = text[:begin] + _shown(node, node.test).encode() + text[end:]
    return text.decode()


def _shown(node: ast.Assert, test: ast.Compare) -> str:
    left, right = ast.Name("_left", ast.Store()), ast.Name("_right", ast.Store())
    sides = ast.Compare(ast.NamedExpr(left, test.left), test.ops, [ast.NamedExpr(right, test.comparators[0])])
    why = [node.msg] if node.msg else []
    values = ast.Tuple([*why, ast.Name("_left", ast.Load()), ast.Name("_right", ast.Load())], ast.Load())
    return ast.unparse(ast.Assert(sides, values)) + "; _left = _right = None"
