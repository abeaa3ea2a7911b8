"""The session in a browser: two cookies that scripts cannot read and other sites do not send.

Invariant: the refresh token travels to the sign-in routes only, and a request that relies on a cookie and
changes something must come from a page of our own origin.
"""

from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from structforge.domain.errors import ForbiddenError, Problem
from structforge.services.identity import SignedIn

ACCESS_COOKIE = "structforge_access"
REFRESH_COOKIE = "structforge_refresh"
REFRESH_PATH = "/api/v1/auth"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def cookie_value(header: str, name: str) -> str:
    """Return a cookie out of a Cookie header; empty when it is not there."""
    if name not in header:
        return ""
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return "" if found is None else found.value


def set_session(response: Response, signed_in: SignedIn, *, access_ttl_s: int, secure: bool) -> None:
    """Put a session into the browser."""
    # Lax, so that a link from a mail opens the app signed in; what changes something is checked by origin.
    response.set_cookie(
        ACCESS_COOKIE,
        signed_in.access_token,
        max_age=access_ttl_s,
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )
    response.set_cookie(
        REFRESH_COOKIE,
        signed_in.refresh_token,
        max_age=signed_in.refresh_ttl_s,
        path=REFRESH_PATH,
        secure=secure,
        httponly=True,
        samesite="strict",
    )


def clear_session(response: Response, *, secure: bool) -> None:
    """Take the session out of the browser."""
    response.delete_cookie(ACCESS_COOKIE, path="/", secure=secure, httponly=True, samesite="lax")
    response.delete_cookie(REFRESH_COOKIE, path=REFRESH_PATH, secure=secure, httponly=True, samesite="strict")


def require_same_origin(request: Request, allowed: frozenset[str]) -> None:
    """Refuse a changing request that another site's page sent. Raises: ForbiddenError `csrf.cross_site`.

    Browsers say where a request comes from (Sec-Fetch-Site, Origin) and pages cannot forge that; a program
    that says nothing is no browser, so no other site's page can be behind it.
    """
    if request.method in SAFE_METHODS:
        return
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site in ("same-origin", "none"):
        return
    if site is None and origin is None:
        return
    if site is None and origin is not None:
        own_host = urlsplit(origin).netloc == request.headers.get("host")
        if origin in allowed or (origin != "null" and own_host):
            return
    elif origin is not None and origin in allowed:
        return
    raise ForbiddenError(
        Problem(
            "csrf.cross_site",
            "This request came from another site's page.",
            "Origin",
            "Programs use a bearer token: Authorization: Bearer …",
        )
    )
