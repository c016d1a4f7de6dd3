"""The statuses of C-FIND, C-MOVE and C-GET (PS3.4 C.4.1.1.4, C.4.2.1.5, C.4.3.1.4), and which error means which.

A comment is constant: no word in it comes from a request, a PACS or a data set. This file decides nothing else.
"""

from __future__ import annotations

from proxy.errors import Unavailable, VeilError
from proxy.service.upstream import UpstreamError
from proxy.service.view import TooBroad

SUCCESS = 0x0000
PENDING, PENDING_UNSUPPORTED = 0xFF00, 0xFF01
CANCEL = 0xFE00
#: C-FIND: there are more matches than one answer has
RESPONSE_LIMIT = 0xB001
#: C-MOVE, C-GET: complete, but for one or more failures or warnings
SOME_FAILED = 0xB000
OUT_OF_RESOURCES = 0xA700
CANNOT_COUNT, CANNOT_SEND = 0xA701, 0xA702
DESTINATION_UNKNOWN = 0xA801
NOT_OF_SOP_CLASS = 0xA900
UNABLE = 0xC000
#: A key that would match what identifies somebody, in a project that shows an identified PACS.
REFUSED_KEY = 0xC001
NOT_AUTHORISED = 0x0124

#: error → comment, at most 64 characters; the first that is one
_COMMENTS: tuple[tuple[type[VeilError], str], ...] = (
    (TooBroad, "too many: name a patient, a range of dates or a modality"),
    (UpstreamError, "the PACS behind this AE cannot be asked, or did not answer"),
    (Unavailable, "not available now, ask again"),
)


class Refused(Exception):
    """A request that is answered with ``status`` and nothing else; ``tag``: the element that is to blame."""

    def __init__(self, status: int, comment: str, tag: int | None = None) -> None:
        super().__init__(comment)
        self.status, self.comment, self.tag = status, comment, tag

    @property
    def elements(self) -> dict[str, int | str]:
        """What a response says of it (PS3.7 C)."""
        blamed: dict[str, int | str] = {} if self.tag is None else {"OffendingElement": self.tag}
        return blamed | {"ErrorComment": self.comment}


def refusal(error: VeilError, status: int = OUT_OF_RESOURCES) -> Refused:
    """What ``error`` is told as."""
    return Refused(status, next((said for kind, said in _COMMENTS if isinstance(error, kind)), "processing failure"))
