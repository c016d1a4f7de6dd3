"""The words that every part of veil.yaml is made of: strict models, AE titles, names, ports. No part of its own."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints


def _ae_title(value: str) -> str:
    # PS3.5 6.2: AE, 16 characters at most, no backslash or control characters, not only spaces
    if not re.fullmatch(r"[\x21-\x5b\x5d-\x7e](?:[\x20-\x5b\x5d-\x7e]{0,14}[\x21-\x5b\x5d-\x7e])?", value):
        raise ValueError("an AE title has 1 to 16 printable ASCII characters and no backslash")
    return value


AeTitle = Annotated[str, AfterValidator(_ae_title)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
Port = Annotated[int, Field(ge=0, le=65535)]
HttpUrl = Annotated[str, StringConstraints(pattern=r"^https?://\S+$")]
Seconds = Annotated[float, Field(gt=0)]


class Strict(BaseModel):
    """A part of the document: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)
