"""How a request gets its services and its principal. Routes declare these and nothing else about identity.

Invariant: a bearer token wins over a cookie; a cookie counts for changing requests of our own pages only.
Rate limits by principal will be taken in `principal_of`, the one door of the hot route and all others.
"""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends
from starlette.requests import Request

from structforge.api.cookies import ACCESS_COOKIE, cookie_value, require_same_origin
from structforge.api.services import ApiServices
from structforge.domain.access import Principal
from structforge.domain.errors import Problem, UnauthenticatedError
from structforge.services.identity import Client


def services_of(request: Request) -> ApiServices:
    """Return the services of this process."""
    services: ApiServices = request.app.state.services
    return services


async def principal_of(request: Request, services: ApiServices) -> Principal:
    """Return who sends the request. Raises: UnauthenticatedError, ForbiddenError `csrf.cross_site`."""
    authorization = request.headers.get("authorization")
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _not_signed_in("The Authorization header is not `Bearer <token>`.")
        return services.identity.known_principal(token) or await services.identity.principal(token)
    token = cookie_value(request.headers.get("cookie", ""), ACCESS_COOKIE)
    if not token:
        raise _not_signed_in("No credentials came with the request.")
    require_same_origin(request, own_origins(services))
    return services.identity.known_principal(token) or await services.identity.principal(token)


def own_origins(services: ApiServices) -> frozenset[str]:
    """Return the origins our own pages are served from, beside the host of the request."""
    parts = urlsplit(services.public_url)
    return frozenset({f"{parts.scheme}://{parts.netloc}"})


def client_of(request: Request) -> Client:
    """Return where the request comes from, for the audit trail and the limit of sign-ins."""
    address = request.client.host if request.client else ""
    return Client(address, request.headers.get("user-agent", ""))


def is_secure(request: Request, services: ApiServices) -> bool:
    """Tell whether the browser talks TLS to us or to the proxy before us."""
    return request.url.scheme == "https" or services.public_url.startswith("https://")


async def _principal(request: Request) -> Principal:
    return await principal_of(request, services_of(request))


def _not_signed_in(message: str) -> UnauthenticatedError:
    return UnauthenticatedError(
        Problem("auth.missing", message, "Authorization", "Sign in: POST /api/v1/auth/sign-in.")
    )


Signed = Annotated[Principal, Depends(_principal)]
Services = Annotated[ApiServices, Depends(services_of)]
