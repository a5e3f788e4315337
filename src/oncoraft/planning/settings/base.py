"""What every block of the configuration shares: frozen, typed, closed to unknown keys."""

from __future__ import annotations

import os
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
Days = Annotated[int, Field(ge=1, le=3650)]
# A path as people write it in a file, where no shell has put their home in place of "~".
PathText = Annotated[str, AfterValidator(os.path.expanduser)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class Block(BaseModel):
    """A part of the configuration: frozen, typed, closed to unknown keys."""

    # Without the namespaces pydantic warns of keys that begin with model_; YAML's .nan and .inf would pass for floats. A key that is
    # no name in Python (`from`) is an alias, and is written as it is read.
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False, serialize_by_alias=True)
