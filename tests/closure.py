"""What a module imports, directly or indirectly, and which parameters a stage reads; from the source alone."""

import ast
from pathlib import Path

from src.params import Params
from src.section import Section
from tests.parameter_reads import SECTIONS, chains, section_reads

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


def code_dependencies(name: str) -> set[str]:
    """What dvc.yaml should declare of the code that the module `name` imports.

    A module in a package of src, such as src/data/store/store.py, stands for its package, src/data/store. Modules of
    src itself and of stages stand for themselves, as does an __init__.py above packages that runs code.
    """
    found = set()
    for path in closure(name):
        place = path.relative_to(ROOT)
        if path.name == "__init__.py" and _holds_only_a_docstring(path):
            continue
        own = len(place.parts) == 2 or (path.name == "__init__.py" and len(place.parts) == 3)
        found.add(str(place if own else place.parent))
    return found


def _holds_only_a_docstring(path: Path) -> bool:
    body = ast.parse(path.read_text()).body
    return all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body)


def parameters_read(name: str) -> set[str]:
    """The parameters that the module of a stage reads, as dvc.yaml should list them.

    All of them if it writes down the whole of its `Params`. Otherwise what it takes from its `Params` itself, such as
    split.seed. If it passes on a section as a whole, the keys of this section that its closure reads; where these are
    all keys, the section.
    """
    own = ROOT.joinpath(*name.split(".")).with_suffix(".py")
    # stages/__init__.py reads data.source for a check: nothing that a stage writes depends on it.
    passed_over = {ROOT / "src/params.py", ROOT / "stages/__init__.py"}
    reads = section_reads(sorted(closure(name) - passed_over))
    found = set()
    for chain in chains(own, "Params"):
        if chain == ("model_dump",):
            return set(Params.model_fields)
        section = Params.model_fields[chain[0]].annotation
        if len(chain) > 1 or not (isinstance(section, type) and issubclass(section, Section)):
            found.add(".".join(chain))
            continue
        keys = {key for kind, key in reads if issubclass(SECTIONS[kind], section)}  # of the plan's numbers, too
        found |= {chain[0]} if keys == set(section.model_fields) else {f"{chain[0]}.{key}" for key in keys}
    return {key for key in found if not any(key.startswith(f"{other}.") for other in found)}
