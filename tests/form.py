"""Counts of what makes code hard to enter; `python -m tests.form [FOLDER]` prints them, with each place.

Counted in src/: uses of `Any`; functions that return a tuple of more than two parts; functions with more than five
positional parameters; public functions of two or more parameters whose docstring has no `Args:` section.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
MOST_POSITIONAL = 5
MOST_PARTS = 2  # of a returned tuple; more are a dataclass
Function = ast.FunctionDef | ast.AsyncFunctionDef


def uses_of_any(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == "Any":
            yield f"{node.lineno}: Any"


def long_tuples(tree: ast.Module) -> Iterator[str]:
    for function, _ in functions(tree):
        parts = _parts(function.returns)
        if parts > MOST_PARTS:
            yield f"{function.lineno}: {function.name} returns {parts} parts"


def long_signatures(tree: ast.Module) -> Iterator[str]:
    for function, _ in functions(tree):
        number = len([name for name in _positional(function) if name not in ("self", "cls")])
        if number > MOST_POSITIONAL:
            yield f"{function.lineno}: {function.name} takes {number} positional parameters"


def undocumented(tree: ast.Module) -> Iterator[str]:
    for function, public in functions(tree):
        names = [*_positional(function), *(arg.arg for arg in function.args.kwonlyargs)]
        takes = [name for name in names if name not in ("self", "cls")]
        if public and len(takes) > 1 and "Args:" not in (ast.get_docstring(function) or ""):
            yield f"{function.lineno}: {function.name} has no Args:"


def functions(tree: ast.Module) -> Iterator[tuple[Function, bool]]:
    """Every function and method of the module, and whether it is public: neither it nor its class starts with _."""
    for node in tree.body:
        if isinstance(node, Function):
            yield node, not node.name.startswith("_")
        elif isinstance(node, ast.ClassDef):
            for part in node.body:
                if isinstance(part, Function):
                    yield part, not (node.name.startswith("_") or part.name.startswith("_"))


def _positional(function: Function) -> list[str]:
    return [arg.arg for arg in (*function.args.posonlyargs, *function.args.args)]


def _parts(returns: ast.expr | None) -> int:
    if not isinstance(returns, ast.Subscript) or ast.unparse(returns.value) != "tuple":
        return 0
    parts = returns.slice.elts if isinstance(returns.slice, ast.Tuple) else [returns.slice]
    return 0 if any(ast.unparse(part) == "..." for part in parts) else len(parts)


COUNTED = {
    "Any": uses_of_any,
    "tuples of more than 2 parts": long_tuples,
    "more than 5 positional parameters": long_signatures,
    "public functions without Args:": undocumented,
}


def places(folder: Path) -> dict[str, list[str]]:
    """Each thing counted → its places, as `path:line: what`."""
    found: dict[str, list[str]] = {name: [] for name in COUNTED}
    for path in sorted(folder.glob("**/*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for name, count in COUNTED.items():
            found[name] += [f"{path.relative_to(ROOT)}:{place}" for place in count(tree)]
    return found


def main(folder: str = "src") -> None:
    found = places(ROOT / folder)
    for name, lines in found.items():
        print(f"{name}: {len(lines)}", *lines, sep="\n  ")
    print(*(f"{len(lines):5}  {name}" for name, lines in found.items()), sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
