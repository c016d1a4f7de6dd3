"""The searches of one output for what is left of its input: of everything, and without what an option retains.

Made when something has to be searched; knows which values say nothing about any input. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from proxy.deid.allowed import CONSTANTS, Rules, is_pseudonym
from proxy.deid.documents import CONSTANTS as DOCUMENTS
from proxy.deid.identifiers import Identifiers
from proxy.deid.markers import methods as stated_methods
from proxy.deid.original import Source
from proxy.deid.profile import Policy
from proxy.deid.reading import Leaf
from proxy.deid.search import Search


class Searches:
    """The search of everything, and where an option retains an attribute the one that leaves such attributes out.

    Under rtn_uids UIDs tell nothing that the option does not let out; which ones may stay is for the rules.
    """

    def __init__(self, policy: Policy, source: Source, patient_id: str) -> None:
        """``patient_id``: the pseudonym."""
        self._policy, self._source, self._patient_id = policy, source, patient_id
        self._constant: Callable[[bytes], bool] | None = None
        self._every: Search | None = None
        self._others: Search | None = None

    def finds(self, leaf: Leaf, rules: Rules) -> bool:
        """As `Search.finds`."""
        if not self._everywhere().finds(leaf):
            return False
        if not rules.retains(leaf):
            return True
        if self._others is None:
            self._others = self._search(self._source.without(rules.retained))
        return self._others.finds(leaf)

    def in_bulk(self, leaf: Leaf) -> bool:
        """As `Search.in_bulk`; what an option retains has no business in pixel data either."""
        return self._everywhere().in_bulk(leaf.value)

    def _everywhere(self) -> Search:
        if self._every is None:
            self._every = self._search(self._source.identifiers)
        return self._every

    def _search(self, known: Identifiers) -> Search:
        if self._constant is None:
            self._constant = self._constants().__contains__
        return Search(known, self._constant, uids="rtn_uids" not in self._policy.options)

    def _constants(self) -> frozenset[bytes]:
        """Values that say nothing about the input, and the pseudonym: random letters may spell a name."""
        if is_pseudonym(self._patient_id, self._policy.patient_id_prefix):
            pseudonym = self._patient_id.encode("ascii")
            if not self._source.mentions(pseudonym):
                return _constants_of(self._policy) | {pseudonym}
        return _constants_of(self._policy)


@lru_cache(maxsize=64)
def _constants_of(policy: Policy) -> frozenset[bytes]:
    """Dummies, dummy documents, and what an output says about how it was made."""
    codes = {text.encode("ascii") for pair in policy.methods for text in pair}
    return CONSTANTS | DOCUMENTS | codes | {value.encode("ascii") for value in stated_methods(policy)}
