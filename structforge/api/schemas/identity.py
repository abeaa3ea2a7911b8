"""Sessions, members and organizations as the API takes and gives them.

Invariant: as in the package; what is not named here is not sent.
"""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from structforge.api.schemas.body import Body


class SignInBody(Body):
    """E-mail address and password."""

    email: Annotated[str, Field(max_length=320)]
    password: Annotated[str, Field(max_length=4_096)]
    organization_id: UUID | None = None
    """The organization to work in; none is the first one joined."""


class RefreshBody(Body):
    """A refresh token; none takes the one in the cookie."""

    refresh_token: Annotated[str, Field(max_length=512)] | None = None


class PasswordBody(Body):
    """A change of one's own password."""

    current_password: Annotated[str, Field(max_length=4_096)]
    new_password: Annotated[str, Field(max_length=4_096)]


class MemberCreate(Body):
    """A person to add to the organization."""

    email: Annotated[str, Field(max_length=320)]
    name: Annotated[str, Field(max_length=200)] = ""
    role: Annotated[str, Field(max_length=50)] = "editor"
    password: Annotated[str, Field(max_length=4_096)] | None = None
    """None generates one, which the answer shows once."""


class OrganizationCreate(Body):
    """A new organization; who makes it is its owner."""

    name: Annotated[str, Field(max_length=200)]


class SwitchBody(Body):
    """Where to go on."""

    organization_id: UUID


class SessionPublic(BaseModel):
    """A session's tokens; browsers get them as cookies as well."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"] = "Bearer"
    expires_in_s: int
    user_id: UUID
    organization_id: UUID


class MemberAdded(BaseModel):
    """The new member, and the password that was generated."""

    id: UUID
    password: str | None
