"""The part of veil.yaml about the console. It is off unless it is asked for."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from proxy.config_types import Strict


class Console(Strict):
    """Pages for people below ``/console``; how long they stay signed in."""

    enabled: bool = False
    idle_minutes: Annotated[int, Field(ge=1, le=1440)] = 30
    session_hours: Annotated[int, Field(ge=1, le=168)] = 12
