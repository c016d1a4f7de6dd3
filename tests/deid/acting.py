"""The actions on values under a policy, asked without a walk: `Asked`, with a cleaner that knows one name."""

from __future__ import annotations

from functools import lru_cache
from types import ModuleType
from typing import Any

from proxy.deid.actions import Inapplicable
from proxy.deid.date_actions import DateActions
from proxy.deid.decisions import Decision
from proxy.deid.encode import Element
from proxy.deid.place import Place, Subject
from proxy.deid.profile import Policy
from proxy.deid.text import Cleaned
from proxy.deid.values import DEFAULT, Charset

TAG, DATE, TIME, BIRTH, AGE = 0x00080070, 0x00080020, 0x00080030, 0x00100030, 0x00101010


class Values:
    """A level with these values; a sequence is a list."""

    def __init__(self, values: dict[int, Any]) -> None:
        self._values = values

    def __contains__(self, tag: int) -> bool:
        return tag in self._values

    def value(self, tag: int) -> tuple[str, Any]:
        return "", self._values[tag]


class Cleaner:
    """Takes names out; a text of question marks cannot be judged."""

    def clean(self, text: str, limit: int) -> Cleaned:
        judged = "?" not in text
        return Cleaned(text.replace("Quendel", "").strip()[:limit] if judged else "", 0, 0, judged)

    def identifies(self, text: str) -> bool:
        return "QUENDEL" in text


@lru_cache(maxsize=64)
def _policy(make: ModuleType, *options: str, **dates: Any) -> Policy:
    found: Policy = make.worded(*options, **dates)
    return found


class Asked:
    """Actions under one policy."""

    def __init__(self, make: ModuleType, *options: str, **dates: Any) -> None:
        policy = _policy(make, *options, **dates)
        subject = Subject("4711", -10, "", minutes=-60)
        self.actions = DateActions(policy, policy.pseudonyms(), subject, Cleaner())  # type: ignore[arg-type]  # a stub

    def does(
        self, action: str, vr: str, value: Any, tag: int = TAG, argument: str = "", skeleton: bool = False,
        charset: Charset = DEFAULT, beside: dict[int, Any] | None = None,
    ) -> bytes | tuple[Any, ...] | Inapplicable | None:  # fmt: skip
        level: Any = Values({**(beside or {}), **({} if value is None else {tag: value})})
        place = Place(level, (), charset, skeleton)
        done = getattr(self.actions, action)(tag, vr, place, Decision(action, "a rule", argument=argument))
        if not isinstance(done, Element):
            answer: Inapplicable | None = done
            return answer
        assert (done.tag, done.vr) == (tag, vr)
        left: bytes | tuple[Any, ...] = done.value  # type: ignore[assignment]  # no slice comes from an action
        return left
