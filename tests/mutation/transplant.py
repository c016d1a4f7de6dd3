"""Puts a changed source into a module that is in use: functions get the new code, constants the new values.

What was imported from the module by name stays the object it was, so that everything that uses it meets the change.
What cannot be changed in place (a class with other fields, machine code) raises `Rigid`.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import re
import sys
import types
from collections.abc import Callable, Iterable
from typing import Any


class Rigid(Exception):
    """This change needs a fresh process."""


def transplant(module: types.ModuleType, source: str) -> None:
    """Make ``module`` behave as if it had been imported from ``source``."""
    fresh = types.ModuleType(module.__name__)
    fresh.__dict__.update({key: value for key, value in vars(module).items() if key.startswith("__")})
    try:
        exec(compile(source, module.__file__ or "", "exec"), fresh.__dict__)
    except Exception as error:  # as an import would
        raise ImportError(f"{module.__name__}: {type(error).__name__}") from error
    _Graft(module, fresh).all()


def forget(modules: Iterable[str], keep: Iterable[str] = ()) -> None:
    """Empty every cache of these modules but those that are kept."""
    kept = set(keep)
    for name in modules:
        for key, value in list(vars(sys.modules.get(name, types)).items()):
            if isinstance(value, functools._lru_cache_wrapper) and f"{name}.{key}" not in kept:
                value.cache_clear()


class _Graft:
    def __init__(self, module: types.ModuleType, fresh: types.ModuleType) -> None:
        self._module, self._old, self._new = module, vars(module), vars(fresh)

    def all(self) -> None:
        for name, new in list(self._new.items()):
            if name.startswith("__") and name.endswith("__"):
                continue
            old = self._old.get(name)
            if isinstance(old, type) and isinstance(new, type) and self._is_own(new):
                self._class(old, new)
            elif self._function(old, new):
                continue
            elif not self._is_own(new):
                self._constant(name, old, self._home(new))

    def _is_own(self, value: object) -> bool:
        return isinstance(value, type) and value.__module__ == self._module.__name__

    def _function(self, old: object, new: object) -> bool:
        """True where both are a function, or a wrapper of one, and the old one has the code of the new one now."""
        before, after = _plain(old), _plain(new)
        if before is None or after is None:
            if type(new).__module__.startswith("numba"):
                if _bytes(old) != _bytes(new):
                    raise Rigid("machine code")
                return True
            return False
        if after.__module__ != self._module.__name__ or before is after:
            return True
        if len(before.__code__.co_freevars) != len(after.__code__.co_freevars):
            raise Rigid("a closure")
        before.__code__ = after.__code__
        before.__defaults__ = self._home(after.__defaults__)
        before.__kwdefaults__ = self._home(after.__kwdefaults__)
        return True

    def _class(self, old: type, new: type) -> None:
        if _shape(old) != _shape(new):
            raise Rigid("a class of another shape")
        for name, value in vars(new).items():
            before = vars(old).get(name)
            if name in ("__dict__", "__weakref__", "__doc__", "__module__", "__dataclass_fields__", "__annotations__"):
                continue
            if isinstance(value, property) and isinstance(before, property):
                self._function(before.fget, value.fget)
            elif isinstance(value, classmethod | staticmethod) and isinstance(before, classmethod | staticmethod):
                self._function(before.__func__, value.__func__)
            elif isinstance(value, types.MemberDescriptorType) or self._function(before, value):
                continue
            elif _key(before) != _key(self._home(value)):
                try:
                    setattr(old, name, self._home(value))
                except (AttributeError, TypeError) as error:
                    raise Rigid("an attribute of a class") from error

    def _constant(self, name: str, old: object, new: object) -> None:
        if _key(old) == _key(new):
            return
        for module in list(sys.modules.values()):
            if getattr(module, "__name__", "").startswith(("proxy", "tests")) and vars(module).get(name) is old:
                setattr(module, name, new)

    def _home(self, value: Any) -> Any:
        """``value`` with the functions and classes of the fresh module replaced by those in use."""
        if isinstance(value, types.FunctionType) and value.__module__ == self._module.__name__:
            return self._named(value.__qualname__, value)
        if self._is_own(value):
            return self._named(value.__qualname__, value)
        if isinstance(value, dict):
            return type(value)((self._home(key), self._home(each)) for key, each in value.items())
        if isinstance(value, tuple | list | set | frozenset) and type(value).__module__ == "builtins":
            return type(value)(self._home(each) for each in value)
        if dataclasses.is_dataclass(value) and not isinstance(value, type) and self._is_own(type(value)):
            copy = object.__new__(self._named(type(value).__qualname__, type(value)))
            for field in dataclasses.fields(value):
                object.__setattr__(copy, field.name, self._home(getattr(value, field.name)))
            return copy
        return value

    def _named(self, path: str, otherwise: Any) -> Any:
        found: Any = self._module
        for step in path.split("."):
            found = vars(found).get(step)
            if found is None:
                return otherwise
        return _plain(found) or found


def _plain(value: object) -> types.FunctionType | None:
    inner: object = getattr(value, "__wrapped__", value) if isinstance(value, functools._lru_cache_wrapper) else value
    inner = inner.func if isinstance(inner, functools.cached_property) else inner
    return inner if isinstance(inner, types.FunctionType) else None


def _key(value: Any) -> Any:
    """Equal for what is the same to those who use it; objects that cannot be compared are taken to be the same."""
    if isinstance(value, re.Pattern):
        return "pattern", value.pattern, value.flags
    if isinstance(value, dict):
        return "dict", [(_key(key), _key(each)) for key, each in value.items()]
    if isinstance(value, tuple | list):
        return type(value).__name__, [_key(each) for each in value]
    if isinstance(value, set | frozenset):
        return "set", sorted(map(repr, value))
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def _bytes(value: object) -> tuple[Any, ...]:
    code: types.CodeType = getattr(value, "py_func").__code__  # noqa: B009
    return code.co_code, _without_code(code.co_consts), code.co_names


def _without_code(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(value for value in values if not isinstance(value, types.CodeType))


def _shape(kind: type) -> tuple[Any, ...]:
    fields: dict[str, Any] = getattr(kind, "__dataclass_fields__", {})
    if issubclass(kind, enum.Enum):
        fields = {name: dataclasses.field(default=member.value) for name, member in kind.__members__.items()}
    defaults = [(name, repr(field.default), _name(field.default_factory)) for name, field in fields.items()]
    return [base.__qualname__ for base in kind.__mro__], defaults, issubclass(kind, BaseException)


def _name(function: Callable[..., Any] | Any) -> str:
    code = getattr(function, "__code__", None)
    return repr((code.co_code, _without_code(code.co_consts), code.co_names)) if code else repr(function)
