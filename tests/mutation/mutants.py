"""Small changes of a Python source, one at a time: what a careless edit of the gate or of the profile would be.

Works on the syntax tree and splices the text, so that everything else stays as it was. Not changed: docstrings,
annotations, decorators, what is said in an exception, and arguments that only concern how something is shown.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

_COMPARE = {
    ast.Eq: "!=", ast.NotEq: "==", ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.In: "not in",
    ast.NotIn: "in", ast.Is: "is not", ast.IsNot: "is",
}  # fmt: skip
_BINARY = {
    ast.Add: "-", ast.Sub: "+", ast.Mult: "//", ast.BitOr: "&", ast.BitAnd: "|", ast.LShift: ">>", ast.RShift: "<<",
}  # fmt: skip
_SHOWN = {"repr", "slots", "frozen", "maxsize", "hint", "rule", "section"}
#: what they are told is a message
_MESSAGES = {"InstanceHeld", "ConfigError", "_refusal", "ValueError"}


@dataclass(frozen=True)
class Mutant:
    """``source`` with the change; ``line`` and ``what`` say where and which."""

    line: int
    what: str
    source: str


class _Finder(ast.NodeVisitor):
    def __init__(self, source: str) -> None:
        self._lines = [line.encode() for line in source.splitlines(keepends=True)]
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))
        self._raw = source.encode()
        self.found: list[Mutant] = []

    def _span(self, node: ast.AST) -> tuple[int, int]:
        at = self._starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
        return at, self._starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]

    def _text(self, node: ast.AST) -> str:
        begin, end = self._span(node)
        return self._raw[begin:end].decode()

    def _change(self, node: ast.AST, new: str) -> None:
        begin, end = self._span(node)
        old = self._raw[begin:end].decode()
        source = (self._raw[:begin] + new.encode() + self._raw[end:]).decode()
        try:
            ast.parse(source)
        except SyntaxError:
            return
        line: int = node.lineno  # type: ignore[attr-defined]
        self.found.append(Mutant(line, f"{' '.join(old.split())[:60]} -> {' '.join(new.split())[:60]}", source))

    def _between(self, left: ast.AST, right: ast.AST, old: str, new: str) -> None:
        """Replace an operator between two operands."""
        begin, end = self._span(left)[1], self._span(right)[0]
        gap = self._raw[begin:end].decode()
        if old not in gap:
            return
        source = self._raw[:begin].decode() + gap.replace(old, new, 1) + self._raw[end:].decode()
        try:
            ast.parse(source)
        except SyntaxError:
            return
        what = f"{' '.join(self._text(left).split())[-25:]} {old} -> {new} {' '.join(self._text(right).split())[:25]}"
        self.found.append(Mutant(left.lineno, what, source))  # type: ignore[attr-defined]

    def visit_Compare(self, node: ast.Compare) -> None:
        left = node.left
        for op, right in zip(node.ops, node.comparators, strict=True):
            self._between(left, right, _SYMBOL[type(op)], _COMPARE[type(op)])
            left = right
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self._between(left, right, old, new)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if type(node.op) in _BINARY:
            self._between(node.left, node.right, _SYMBOL[type(node.op)], _BINARY[type(node.op)])
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self._change(node, f"({self._text(node.operand)})")
        self.generic_visit(node)

    def _condition(self, node: ast.AST) -> None:
        self._change(node, "True")
        self._change(node, "False")

    def visit_If(self, node: ast.If) -> None:
        self._condition(node.test)
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._condition(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self._change(test, "True")
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None and not (isinstance(node.value, ast.Constant) and not node.value.value):
            self._change(node.value, "None")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, bool):
            self._change(node, str(not value))
        elif isinstance(value, int):
            self._change(node, str(value + 1))
        elif isinstance(value, str | bytes) and value:
            self._change(node, repr(value[1:] + (b"\x7f" if isinstance(value, bytes) else "\x7f")))  # type: ignore[operator]
        elif isinstance(value, str | bytes):
            self._change(node, repr(value + (b"x" if isinstance(value, bytes) else "x")))  # type: ignore[operator]

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant):
            return  # a docstring
        self._change(node, "pass")
        self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._change(node, "pass")  # what it says is a message

    def visit_Continue(self, node: ast.Continue) -> None:
        self._change(node, "break")

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._change(node, "pass")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name == "Decision":  # (action, rule, section, ...): the rule and its section are shown
            for argument in (*node.args[:1], *node.args[3:], *node.keywords):
                self.visit(argument)
        elif name not in _MESSAGES:
            self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg not in _SHOWN:
            self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        pass  # messages and paths

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                self.visit(default)
        for statement in node.body:
            self.visit(statement)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for statement in node.body:
            self.visit(statement)

    def visit_Assign(self, node: ast.Assign) -> None:
        if not any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets):
            self.visit(node.value)


_SYMBOL: dict[type[ast.AST], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.In: "in",
    ast.NotIn: "not in", ast.Is: "is", ast.IsNot: "is not", ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.BitOr: "|",
    ast.BitAnd: "&", ast.LShift: "<<", ast.RShift: ">>",
}  # fmt: skip


def mutants(source: str) -> Iterator[Mutant]:
    """Every change of ``source``, in the order of the text."""
    finder = _Finder(source)
    finder.visit(ast.parse(source))
    seen: set[str] = set()
    for mutant in sorted(finder.found, key=lambda m: m.line):
        if mutant.source not in seen:
            seen.add(mutant.source)
            yield mutant
