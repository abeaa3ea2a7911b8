"""The base of bodies.

Invariant: bodies refuse unknown fields. For the schemas beside it.
"""

from pydantic import BaseModel, ConfigDict


class Body(BaseModel):
    """Base of bodies."""

    model_config = ConfigDict(extra="forbid")
