"""What the console answers instead of a page: a status, a code for the record, words for the person."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus


class Refusal(Exception):
    """``code`` goes to the audit trail where that is to be recorded, with project and verb; ``words`` are shown."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        words: str,
        headers: Mapping[str, str] | None = None,
        *,
        project: str = "",
        verb: str = "",
    ) -> None:
        super().__init__(code)
        self.status, self.code, self.words, self.headers = status, code, words, dict(headers or {})
        self.project, self.verb = project, verb

    @property
    def recorded(self) -> bool:
        """Whether somebody was not let do something; what is merely not there is no denial."""
        return self.status == HTTPStatus.FORBIDDEN
