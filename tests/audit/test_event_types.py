"""Every type of record that the sources can write stands in docs/audit.md, and every type there is written somewhere.

The sources are read, not run: what is given to `AuditEvent` as its type is followed through names, parameters and
tables to the words that it can be. What cannot be followed is a failure: a type is a word that can be searched for.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from proxy.audit.formats.events import OTHER, kind_of

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Scope:
    """A place in the sources: a module, and the function in it, if any."""

    module: ast.Module
    function: _Function | None


@dataclass(frozen=True)
class Site:
    """A call, and where it stands."""

    call: ast.Call
    scope: Scope


def _sites(node: ast.AST, scope: Scope) -> Iterator[Site]:
    for child in ast.iter_child_nodes(node):
        inner = Scope(scope.module, child) if isinstance(child, _Function) else scope
        if isinstance(child, ast.Call):
            yield Site(child, inner)
        yield from _sites(child, inner)


@cache
def modules() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "proxy").rglob("*.py"))}


@cache
def calls() -> dict[str, list[Site]]:
    """What is called → where."""
    found: dict[str, list[Site]] = {}
    for module in modules().values():
        for site in _sites(module, Scope(module, None)):
            callee = site.call.func
            name = callee.id if isinstance(callee, ast.Name) else getattr(callee, "attr", "")
            found.setdefault(name, []).append(site)
    return found


def _words(value: ast.expr | None, scope: Scope) -> set[str]:
    """What the expression can be."""
    match value:
        case ast.Constant(value=str(word)):
            return {word}
        case ast.IfExp(body=one, orelse=other):
            return _words(one, scope) | _words(other, scope)
        case ast.Subscript(value=ast.Name(id=table)):
            return {word for each in _values_of(_assigned(table, scope)) for word in _words(each, scope)}
        case ast.Name(id=name):
            return _of_name(name, scope)
    raise AssertionError(
        f"the type of a record cannot be told from the sources: {ast.unparse(value) if value else None}"
    )


def _of_name(name: str, scope: Scope) -> set[str]:
    function = scope.function
    if function is not None:
        parameters = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
        if name in parameters:
            own = function.name.startswith("_")
            sites = [site for site in calls()[function.name] if site.scope.module is scope.module or not own]
            return {word for site in sites for word in _words(_argument(site, name, parameters), site.scope)}
    return {word for each in _assigned(name, scope) for word in _words(each, scope)}


def _argument(site: Site, name: str, parameters: list[str]) -> ast.expr | None:
    given = {keyword.arg: keyword.value for keyword in site.call.keywords}
    method = parameters[0] == "self" and isinstance(site.call.func, ast.Attribute)
    at = parameters.index(name) - method
    return given.get(name) or (site.call.args[at] if at < len(site.call.args) else None)


def _assigned(name: str, scope: Scope) -> list[ast.expr]:
    """All that is assigned to ``name`` in the function, or else in the module."""
    inside = list(ast.walk(scope.function)) if scope.function is not None else []
    for nodes in (inside, scope.module.body):
        found = [value for node in nodes for value in _from(node, name)]
        if found:
            return found
    for node in scope.module.body:
        if isinstance(node, ast.ImportFrom) and name in {alias.name for alias in node.names}:
            return _assigned(name, Scope(_module_called(node.module or ""), None))
    raise AssertionError(f"{name} has no value in the sources")


def _module_called(name: str) -> ast.Module:
    return modules()[ROOT / Path(*name.split(".")).with_suffix(".py")]


def _from(node: ast.AST, name: str) -> list[ast.expr]:
    if isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
        targets, value = [node.target], node.value
    elif isinstance(node, ast.Assign):
        targets, value = node.targets, node.value
    else:
        return []
    found: list[ast.expr] = []
    for target in targets:
        if isinstance(target, ast.Name) and target.id == name:
            found.append(value)
        elif isinstance(target, ast.Tuple):
            names = [each.id if isinstance(each, ast.Name) else "" for each in target.elts]
            if name in names:
                found += _unpacked(value, names.index(name))
    return found


def _unpacked(value: ast.expr, at: int) -> list[ast.expr]:
    if isinstance(value, ast.IfExp):
        return _unpacked(value.body, at) + _unpacked(value.orelse, at)
    assert isinstance(value, ast.Tuple), ast.unparse(value)
    return [value.elts[at]]


def _values_of(tables: list[ast.expr]) -> list[ast.expr]:
    return [value for table in tables if isinstance(table, ast.Dict) for value in table.values]


def written() -> set[str]:
    """The types that the sources can write."""
    found: set[str] = set()
    for site in [*calls()["AuditEvent"], *calls()["replace"]]:
        given = {keyword.arg: keyword.value for keyword in site.call.keywords}
        made = ast.unparse(site.call.func) == "AuditEvent"
        if made or "type" in given:  # or made of another one
            found |= _words(given.get("type") or site.call.args[0], site.scope)
    return found


def documented() -> set[str]:
    """The types in the table of docs/audit.md."""
    table = DOCS.partition("| `type` | when |")[2].partition("\n\n")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    return {word for row in rows for word in re.findall(r"`([a-z-]+)`", row)}


def test_the_sources_write_what_is_documented_and_nothing_else() -> None:
    assert sorted(written() - documented()) == [], "written, and not in docs/audit.md"
    assert sorted(documented() - written()) == [], "in docs/audit.md, and never written"
    assert len(documented()) > 40


def test_every_type_is_told_to_others_as_what_it_is() -> None:
    assert [each for each in documented() if kind_of(each) is OTHER] == []
