"""What a module imports, directly or not, and which parameters a stage reads: from the source, without running it."""

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent


def imported_names(path: Path) -> set[str]:
    """Every module that the file imports, at its top or inside a function; `from a import b` gives a and a.b."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def project_files(name: str) -> set[Path]:
    """The project's files that importing the module `name` runs: its own and those of the packages above it."""
    parts = name.split(".")
    files = set()
    for depth in range(1, len(parts) + 1):
        place = ROOT.joinpath(*parts[:depth])
        files |= {file for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file()}
    return files


def closure(name: str) -> set[Path]:
    """Every file of the project that running the module `name` may import."""
    done: set[Path] = set()
    waiting = project_files(name)
    while waiting:
        path = waiting.pop()
        done.add(path)
        for imported in imported_names(path):
            waiting |= project_files(imported) - done
    return done


def parameters_read(path: Path) -> set[str]:
    """The longest attribute chains on a variable called `params` in a stage: `params.data.source` gives data.source."""
    tree = ast.parse(path.read_text())
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    chains = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and id(node) not in inner:
            parts = []
            while isinstance(node, ast.Attribute):
                parts.append(node.attr)
                node = node.value
            if isinstance(node, ast.Name) and node.id == "params":
                chains.add(".".join(reversed(parts)))
    return chains
