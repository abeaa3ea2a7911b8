"""Signing in and out, and who one is.

Invariant: an answer never tells whether an e-mail address has an account; a redirect leads to a path of this
site or nowhere.
"""

import time
from typing import Annotated
from urllib.parse import quote, urlsplit
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from structforge.api.bodies import documented, json_body, read_form
from structforge.api.cookies import (
    ACCESS_COOKIE,
    REFRESH_COOKIE,
    clear_session,
    cookie_value,
    require_same_origin,
    set_session,
)
from structforge.api.deps import Services, Signed, client_of, is_secure, own_origins, principal_of
from structforge.api.responses import JsonResponse
from structforge.api.schemas.identity import (
    OrganizationCreate,
    PasswordBody,
    RefreshBody,
    SessionPublic,
    SignInBody,
    SwitchBody,
)
from structforge.api.services import ApiServices
from structforge.domain.errors import NotFoundError, Problem, StructForgeError, UnauthenticatedError
from structforge.services.identity import SignedIn

router = APIRouter(tags=["sign-in"])

SIGN_IN_PAGE = "/sign-in"


@router.post(
    "/auth/sign-in", response_model=SessionPublic, openapi_extra=documented(SignInBody), summary="Sign in"
)
async def sign_in(
    request: Request, services: Services, body: Annotated[SignInBody, json_body(SignInBody)]
) -> Response:
    """Start a session. The tokens are in the answer for programs and in cookies for browsers."""
    require_same_origin(request, own_origins(services))
    signed_in = await services.identity.sign_in(
        body.email, body.password, client_of(request), organization_id=body.organization_id
    )
    return _session_response(request, services, signed_in)


@router.post("/auth/form/sign-in", summary="Sign in by a form", include_in_schema=False)
async def sign_in_by_form(request: Request, services: Services) -> Response:
    """Sign in from the web app's page, without scripts: 303 to `next`, or back with the reason."""
    require_same_origin(request, own_origins(services))
    form = await read_form(request)
    target = local_path(form.get("next", ""))
    try:
        signed_in = await services.identity.sign_in(
            form.get("email", ""), form.get("password", ""), client_of(request)
        )
    except StructForgeError as error:
        query = f"error={quote(error.problem.code)}"
        if target != "/":
            query += f"&next={quote(target, safe='')}"
        return RedirectResponse(f"{SIGN_IN_PAGE}?{query}", 303, {"cache-control": "no-store"})
    response = RedirectResponse(target, 303, {"cache-control": "no-store"})
    set_session(response, signed_in, access_ttl_s=services.access_ttl_s, secure=is_secure(request, services))
    return response


@router.post("/auth/form/sign-out", summary="Sign out by a form", include_in_schema=False)
async def sign_out_by_form(request: Request, services: Services) -> Response:
    """End the session of the web app and go to the sign-in page."""
    require_same_origin(request, own_origins(services))
    await _end_session(request, services)
    response = RedirectResponse(SIGN_IN_PAGE, 303, {"cache-control": "no-store"})
    clear_session(response, secure=is_secure(request, services))
    return response


@router.post(
    "/auth/refresh",
    response_model=SessionPublic,
    openapi_extra=documented(RefreshBody, required=False),
    summary="Get new tokens",
)
async def refresh(
    request: Request,
    services: Services,
    body: Annotated[RefreshBody, json_body(RefreshBody, optional=True)],
) -> Response:
    """Exchange the refresh token, in body or cookie. Each works once; a second use ends the session."""
    token = body.refresh_token
    if token is None:
        require_same_origin(request, own_origins(services))
        token = cookie_value(request.headers.get("cookie", ""), REFRESH_COOKIE)
    if not token:
        raise UnauthenticatedError(
            Problem("auth.missing", "No refresh token came with the request.", "refresh_token", "Sign in.")
        )
    signed_in = await services.identity.refresh(token, client_of(request))
    return _session_response(request, services, signed_in)


@router.post("/auth/form/continue", summary="Keep the session of a page", include_in_schema=False)
async def go_on(request: Request, services: Services) -> Response:
    """Exchange the cookies of the web app for new ones; tell whether there was a session to go on with.

    Always 200: a browser logs a refused request as if the page were broken.
    """
    require_same_origin(request, own_origins(services))
    token = cookie_value(request.headers.get("cookie", ""), REFRESH_COOKIE)
    try:
        if not token:
            return JsonResponse({"signed_in": False})
        signed_in = await services.identity.refresh(token, client_of(request))
    except UnauthenticatedError:
        return JsonResponse({"signed_in": False})
    response = JsonResponse({"signed_in": True})
    set_session(response, signed_in, access_ttl_s=services.access_ttl_s, secure=is_secure(request, services))
    return response


@router.post(
    "/auth/switch",
    tags=["organization"],
    response_model=SessionPublic,
    openapi_extra=documented(SwitchBody),
    summary="Go on in another organization",
)
async def switch(
    request: Request, services: Services, body: Annotated[SwitchBody, json_body(SwitchBody)]
) -> Response:
    """Start a session in another organization of mine and end this one."""
    return _session_response(request, services, await _switched(request, services, body.organization_id))


@router.post("/auth/form/switch", summary="Switch organization by a form", include_in_schema=False)
async def switch_by_form(request: Request, services: Services) -> Response:
    """Switch from the web app's page, without scripts: 303 to the home page in the other organization."""
    require_same_origin(request, own_origins(services))
    form = await read_form(request)
    headers = {"cache-control": "no-store"}
    try:
        organization_id = UUID(form.get("organization_id", ""))
    except ValueError:
        return RedirectResponse("/", 303, headers)
    try:
        signed_in = await _switched(request, services, organization_id)
    except (UnauthenticatedError, NotFoundError):
        return RedirectResponse("/", 303, headers)
    response = RedirectResponse("/", 303, headers)
    set_session(response, signed_in, access_ttl_s=services.access_ttl_s, secure=is_secure(request, services))
    return response


@router.post("/auth/sign-out", status_code=204, summary="Sign out")
async def sign_out(request: Request, services: Services) -> Response:
    """End the session of the bearer token, or of the cookies. Signing out twice is no error."""
    if request.headers.get("authorization") is None:
        require_same_origin(request, own_origins(services))
    await _end_session(request, services)
    response = Response(status_code=204)
    clear_session(response, secure=is_secure(request, services))
    return response


@router.get("/me", summary="Who am I")
async def me(services: Services, principal: Signed) -> Response:
    """Return the person, the organization of the session, all memberships and the permissions here."""
    return JsonResponse(await services.identity.me(principal))


@router.post(
    "/me/password", status_code=204, openapi_extra=documented(PasswordBody), summary="Change my password"
)
async def change_password(
    services: Services, principal: Signed, body: Annotated[PasswordBody, json_body(PasswordBody)]
) -> Response:
    """Set a new password. All sessions end, this one included."""
    await services.identity.change_password(principal, body.current_password, body.new_password)
    return Response(status_code=204)


@router.post(
    "/organizations",
    tags=["organization"],
    status_code=201,
    openapi_extra=documented(OrganizationCreate),
    summary="Make an organization",
)
async def found_organization(
    services: Services, principal: Signed, body: Annotated[OrganizationCreate, json_body(OrganizationCreate)]
) -> Response:
    """Make an organization that I own. The session stays where it is: see `/auth/switch`."""
    return JsonResponse(await services.identity.found_organization(principal, body.name), 201)


def local_path(path: str) -> str:
    """Return `path` if it is a path of this site, else the home page."""
    parts = urlsplit(path)
    unsafe = parts.scheme or parts.netloc or not path.startswith("/") or path.startswith(("//", "/\\"))
    if unsafe or any(character < " " or character == "\\" for character in path):
        return "/"
    return path


async def _switched(request: Request, services: ApiServices, organization_id: UUID) -> SignedIn:
    principal = await principal_of(request, services)
    cookies = request.headers.get("cookie", "")
    bearer = request.headers.get("authorization", "").partition(" ")[2]
    return await services.identity.switch(
        principal,
        organization_id,
        client_of(request),
        access_token=bearer or cookie_value(cookies, ACCESS_COOKIE),
        refresh_token="" if bearer else cookie_value(cookies, REFRESH_COOKIE),
    )


async def _end_session(request: Request, services: ApiServices) -> None:
    cookies = request.headers.get("cookie", "")
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        await services.identity.sign_out(access_token=bearer)
    else:
        await services.identity.sign_out(
            access_token=cookie_value(cookies, ACCESS_COOKIE),
            refresh_token=cookie_value(cookies, REFRESH_COOKIE),
        )


def _session_response(request: Request, services: ApiServices, signed_in: SignedIn) -> Response:
    response = JsonResponse(
        {
            "access_token": signed_in.access_token,
            "refresh_token": signed_in.refresh_token,
            "token_type": "Bearer",
            "expires_in_s": max(0, signed_in.access_expires_at - int(time.time())),
            "user_id": signed_in.user_id,
            "organization_id": signed_in.organization_id,
        }
    )
    set_session(response, signed_in, access_ttl_s=services.access_ttl_s, secure=is_secure(request, services))
    return response
