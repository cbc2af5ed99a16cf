"""Which keys of the sections of params.yaml does code read? Found from types in the source, without running it.

A variable has a type if it is a parameter with an annotation, or if it is assigned an expression with a type: a
constructor, a function with an annotated result, or an attribute of a class whose type is annotated or follows from an
assignment in `__init__`. Names of variables do not matter. `x.key` reads `key` if `x` is a section. `x.model_dump()`
reads nothing: what counts is what is read of the section that is made from it.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from src import params
from src.section import Section

SECTIONS = {name: kind for name, kind in vars(params).items() if isinstance(kind, type) and issubclass(kind, Section)}
COPYING = ("replace", "copy", "deepcopy")  # functions whose result has the type of their first argument
Function = ast.FunctionDef | ast.AsyncFunctionDef
Types = dict[str, str]  # name → name of its class


@dataclass
class Code:
    """The types in some source files.

    Attributes:
        attributes: Name of a class → its attributes and methods with the classes that they have or return.
        bases: Name of a class → the names of its base classes.
        returns: Name of a function of a module → the class that it returns.
    """

    attributes: dict[str, Types] = field(default_factory=dict)
    bases: dict[str, list[str]] = field(default_factory=dict)
    returns: Types = field(default_factory=dict)

    def attribute(self, kind: str, name: str) -> str:
        """The class of an attribute, or of a method's result; "" if unknown."""
        if kind in SECTIONS and name in SECTIONS[kind].model_fields:
            annotation = SECTIONS[kind].model_fields[name].annotation
            return annotation.__name__ if isinstance(annotation, type) else ""
        if found := self.attributes.get(kind, {}).get(name):
            return found
        return next((found for base in self.bases.get(kind, []) if (found := self.attribute(base, name))), "")

    def type_of(self, value: ast.expr, names: Mapping[str, str]) -> str:
        """The class of an expression, or of the result of a function or method that it names; "" if unknown."""
        if isinstance(value, ast.Name):
            return names.get(value.id, "")
        if isinstance(value, ast.Attribute):
            return self.attribute(self.type_of(value.value, names), value.attr)
        if isinstance(value, ast.IfExp):
            return self.type_of(value.body, names) or self.type_of(value.orelse, names)
        if not isinstance(value, ast.Call):
            return ""
        called = value.func
        if isinstance(called, ast.Name):
            if called.id in COPYING and value.args:
                return self.type_of(value.args[0], names)
            return (
                called.id if called.id in self.attributes or called.id in SECTIONS else self.returns.get(called.id, "")
            )
        if isinstance(called, ast.Attribute):
            owner = self.type_of(called.value, names)
            if isinstance(called.value, ast.Name) and not owner:
                owner = called.value.id  # a class method, such as Data.model_validate
            return owner if called.attr in ("model_copy", "model_validate") else self.attribute(owner, called.attr)
        return ""


def section_reads(paths: Iterable[Path]) -> set[tuple[str, str]]:
    """Find the reads of sections in source files.

    Args:
        paths: The files.

    Returns:
        Pairs of a section's class name and a key, such as ("PlannedData", "crop").
    """
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in paths]
    code = _code(trees)
    reads = set()
    for tree in trees:
        for node, names in _expressions(tree, {}, code):
            if isinstance(node, ast.Attribute):
                kind = code.type_of(node.value, names)
                if kind in SECTIONS and node.attr in SECTIONS[kind].model_fields:
                    reads.add((kind, node.attr))
    return reads


def chains(path: Path, kind: str) -> set[tuple[str, ...]]:
    """The longest attribute chains in a file that start at a variable of a class, such as ("data", "source")."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    code, found = _code([tree]), set()
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node, names in _expressions(tree, {}, code):
        if isinstance(node, ast.Attribute) and id(node) not in inner:
            parts, value = list[str](), node
            while isinstance(value, ast.Attribute) and code.type_of(value, names) != kind:
                parts.append(value.attr)
                value = value.value
            if code.type_of(value, names) == kind:
                found.add(tuple(reversed(parts)))
    return found


def _code(trees: Iterable[ast.Module]) -> Code:
    code, classes = Code(), []
    for tree in trees:
        for node in tree.body:
            if isinstance(node, Function):
                code.returns[node.name] = _class_of(node.returns)
            elif isinstance(node, ast.ClassDef):
                classes.append(node)
                code.bases.setdefault(node.name, []).extend(ast.unparse(base) for base in node.bases)
                known = code.attributes.setdefault(node.name, {})
                for part in node.body:
                    if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                        known[part.target.id] = _class_of(part.annotation)
                    elif isinstance(part, Function):
                        returned = _class_of(part.returns)
                        known[part.name] = node.name if returned == "Self" else returned
    for node in classes:  # when all classes are known
        for part in node.body:
            if isinstance(part, Function) and part.name == "__init__":
                names = _parameters(part)
                for target, value in _assignments(part):
                    own = isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self"
                    if own and (kind := code.type_of(value, names)):
                        code.attributes[node.name].setdefault(target.attr, kind)
    return code


def _expressions(node: ast.AST, names: Types, code: Code, owner: str = "") -> Iterator[tuple[ast.AST, Types]]:
    """Every node below `node` with the classes of the names that are visible there."""
    if isinstance(node, ast.ClassDef):
        owner = node.name
    elif isinstance(node, Function | ast.Lambda):
        names = names | _parameters(node)
        if owner and "self" not in names:
            names["self"] = owner
    if isinstance(node, Function | ast.Module):
        for target, value in _assignments(node):
            if isinstance(target, ast.Name) and (kind := code.type_of(value, names)):
                names = names | {target.id: kind}
    for child in ast.iter_child_nodes(node):
        yield child, names
        yield from _expressions(child, names, code, owner)


def _assignments(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Target and value of each assignment below `node`, those of tuples one by one."""
    for part in ast.walk(node):
        if isinstance(part, ast.Assign):
            for target in part.targets:
                if isinstance(target, ast.Tuple) and isinstance(part.value, ast.Tuple):
                    yield from zip(target.elts, part.value.elts, strict=False)
                else:
                    yield target, part.value
        elif isinstance(part, ast.AnnAssign | ast.NamedExpr) and part.value:
            yield part.target, part.value


def _parameters(function: Function | ast.Lambda) -> Types:
    arguments = function.args
    every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    return {argument.arg: _class_of(argument.annotation) for argument in every if argument.arg != "self"}


def _class_of(annotation: ast.expr | None) -> str:
    """The class that an annotation names; of `X | None` it is X; "" for anything else, such as a list."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return _class_of(ast.parse(annotation.value, mode="eval").body)
    if isinstance(annotation, ast.BinOp):
        return _class_of(annotation.left) or _class_of(annotation.right)
    if isinstance(annotation, ast.Attribute):  # params.Data
        return annotation.attr
    return annotation.id if isinstance(annotation, ast.Name) else ""
