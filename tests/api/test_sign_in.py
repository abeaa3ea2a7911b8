"""Sessions over HTTP: cookies, rotation, theft, other sites' pages."""

import httpx
import pytest

from structforge.services.sign_in_attempts import SIGN_INS_PER_ACCOUNT_AND_ADDRESS
from tests.support.installation import FIRST, ORIGIN, PASSWORD, Installation

CREDENTIALS = {"email": FIRST, "password": PASSWORD}


async def test_cookies_are_out_of_reach_of_scripts_and_other_sites(installation: Installation) -> None:
    async with installation.http() as http:
        response = await http.post("/api/v1/auth/sign-in", json=CREDENTIALS)
        cookies = response.headers.get_list("set-cookie")
        assert len(cookies) == 2
        access, refresh = cookies
        assert "HttpOnly" in access and "SameSite=lax" in access and "Path=/;" in access
        assert "HttpOnly" in refresh and "SameSite=strict" in refresh and "Path=/api/v1/auth;" in refresh
        assert "Secure" not in access, "the test's address is plain http"
        me = await http.get("/api/v1/me")
        assert me.json()["user"]["email"] == FIRST
        assert me.json()["organization"]["name"] == "First"
    async with installation.http() as http:
        secure = await http.post("https://test.example/api/v1/auth/sign-in", json=CREDENTIALS)
        assert all("Secure" in cookie for cookie in secure.headers.get_list("set-cookie"))


async def test_a_form_leads_on_or_back(installation: Installation) -> None:
    async with installation.http() as http:
        path = "/api/v1/auth/form/sign-in"
        good = await http.post(path, data=CREDENTIALS | {"next": "/runs?status=failed"})
        assert (good.status_code, good.headers["location"]) == (303, "/runs?status=failed")
        assert (await http.get("/api/v1/me")).status_code == 200
        out = await http.post("/api/v1/auth/form/sign-out")
        assert (out.status_code, out.headers["location"]) == (303, "/sign-in")
        assert (await http.get("/api/v1/me")).status_code == 401
        bad = await http.post(path, data={"email": FIRST, "password": "wrong", "next": "/runs"})
        assert bad.status_code == 303
        assert bad.headers["location"] == "/sign-in?error=auth.wrong_credentials&next=%2Fruns"
        assert "set-cookie" not in bad.headers


async def test_a_page_goes_on_with_its_session_or_is_told(installation: Installation) -> None:
    async with installation.http() as http:
        path = "/api/v1/auth/form/continue"
        assert (await http.post(path)).json() == {"signed_in": False}
        await http.post("/api/v1/auth/sign-in", json=CREDENTIALS)
        before = http.cookies["structforge_refresh"]
        assert (await http.post(path)).json() == {"signed_in": True}
        assert http.cookies["structforge_refresh"] != before
        assert (await http.post(path, headers={"origin": "https://evil.example"})).status_code == 403
        await http.post("/api/v1/auth/form/sign-out")
        gone = await http.post(path)
        assert (gone.status_code, gone.json()) == (200, {"signed_in": False})


async def test_a_form_switches_the_organization(installation: Installation) -> None:
    async with installation.http() as http:
        await http.post("/api/v1/auth/sign-in", json=CREDENTIALS)
        made = (await http.post("/api/v1/organizations", json={"name": "Other"})).json()
        path = "/api/v1/auth/form/switch"
        for foreign in (str(installation.second.organization_id), "nonsense"):
            stays = await http.post(path, data={"organization_id": foreign})
            assert (stays.status_code, stays.headers["location"]) == (303, "/")
            assert (await http.get("/api/v1/me")).json()["organization"]["name"] == "First"
        moved = await http.post(path, data={"organization_id": made["id"]})
        assert (moved.status_code, moved.headers["location"]) == (303, "/")
        me = (await http.get("/api/v1/me")).json()
        assert me["organization"]["name"] == "Other"
        assert [each["name"] for each in me["organizations"]] == ["First", "Other"]
        back = {"organization_id": me["organizations"][0]["id"]}
        evil = await http.post(path, data=back, headers={"origin": "https://evil.example"})
        assert evil.status_code == 403


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "evil", "",
        "/\t/evil.example", "/a\r\nset-cookie: x=1",
    ],
)  # fmt: skip
async def test_a_form_never_leads_to_another_site(installation: Installation, target: str) -> None:
    async with installation.http() as http:
        response = await http.post("/api/v1/auth/form/sign-in", data=CREDENTIALS | {"next": target})
        assert (response.status_code, response.headers["location"]) == (303, "/")


async def test_a_refresh_token_works_once_and_reuse_ends_the_session(installation: Installation) -> None:
    async with installation.http() as http:
        first = (await http.post("/api/v1/auth/sign-in", json=CREDENTIALS)).json()
        second = (
            await http.post("/api/v1/auth/refresh", json={"refresh_token": first["refresh_token"]})
        ).json()
        http.cookies.clear()
        assert second["refresh_token"] != first["refresh_token"]
        bearer = {"authorization": f"Bearer {second['access_token']}"}
        assert (await http.get("/api/v1/me", headers=bearer)).status_code == 200
        stolen = await http.post("/api/v1/auth/refresh", json={"refresh_token": first["refresh_token"]})
        assert (stolen.status_code, stolen.json()["code"]) == (401, "auth.refresh_reused")
        assert (await http.get("/api/v1/me", headers=bearer)).json()["code"] == "auth.session_ended"
        last = await http.post("/api/v1/auth/refresh", json={"refresh_token": second["refresh_token"]})
        assert (last.status_code, last.json()["code"]) == (401, "auth.refresh_invalid")


async def test_the_cookie_alone_refreshes_a_session(installation: Installation) -> None:
    async with installation.http() as http:
        await http.post("/api/v1/auth/sign-in", json=CREDENTIALS)
        del http.cookies["structforge_access"]
        assert (await http.get("/api/v1/me")).status_code == 401
        assert (await http.post("/api/v1/auth/refresh")).status_code == 200
        assert (await http.get("/api/v1/me")).status_code == 200


async def test_signing_out_ends_the_session_at_once(installation: Installation) -> None:
    async with installation.http() as http:
        session = (await http.post("/api/v1/auth/sign-in", json=CREDENTIALS)).json()
        bearer = {"authorization": f"Bearer {session['access_token']}"}
        assert (await http.get("/api/v1/me", headers=bearer)).status_code == 200
        assert (await http.post("/api/v1/auth/sign-out", headers=bearer)).status_code == 204
        assert (await http.get("/api/v1/me", headers=bearer)).status_code == 401
        assert (await http.post("/api/v1/auth/sign-out", headers=bearer)).status_code == 204
        gone = await http.post("/api/v1/auth/refresh", json={"refresh_token": session["refresh_token"]})
        assert gone.status_code == 401


async def test_an_unknown_address_and_a_wrong_password_answer_alike(installation: Installation) -> None:
    async with installation.http() as http:
        answers = []
        for email, password in ((FIRST, "wrong"), ("nobody@example.org", PASSWORD), ("\x00", "x"), ("é", "")):
            response = await http.post(
                "/api/v1/auth/sign-in", json={"email": email.replace("\x00", "?"), "password": password}
            )
            body = response.json()
            del body["request_id"]
            answers.append((response.status_code, body))
        assert answers == [answers[0]] * 4
        assert answers[0][0] == 401


async def test_guessing_is_stopped_for_the_guesser_only(installation: Installation) -> None:
    async with installation.http() as http:
        wrong = CREDENTIALS | {"password": "wrong password"}
        for _ in range(SIGN_INS_PER_ACCOUNT_AND_ADDRESS):
            assert (await http.post("/api/v1/auth/sign-in", json=wrong)).status_code == 401
        blocked = await http.post("/api/v1/auth/sign-in", json=CREDENTIALS)
        assert (blocked.status_code, blocked.json()["code"]) == (429, "auth.too_many_attempts")
        assert int(blocked.headers["retry-after"]) > 0
    transport = httpx.ASGITransport(app=installation.gateway, client=("198.51.100.9", 1))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as elsewhere:
        assert (await elsewhere.post("/api/v1/auth/sign-in", json=CREDENTIALS)).status_code == 200


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"origin": ORIGIN}, True),
        ({"sec-fetch-site": "same-origin", "origin": ORIGIN}, True),
        ({"sec-fetch-site": "cross-site", "origin": "https://evil.example"}, False),
        ({"sec-fetch-site": "same-site", "origin": "http://other.test.example"}, False),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://test.example.evil.example"}, False),
    ],
)
async def test_another_sites_page_cannot_act_with_the_cookie(
    installation: Installation, headers: dict[str, str], allowed: bool
) -> None:
    async with installation.http() as http:
        await http.post("/api/v1/auth/sign-in", json=CREDENTIALS)
        made = await http.post("/api/v1/workflows", json={"name": "x"}, headers=headers)
        assert made.status_code == (201 if allowed else 403)
        path = "/api/v1/workflows/00000000-0000-7000-8000-000000000000/runs"
        assert (await http.post(path, headers=headers)).status_code == (404 if allowed else 403)
        assert (await http.get("/api/v1/workflows", headers=headers)).status_code == 200
        form = await http.post("/api/v1/auth/form/sign-in", data=CREDENTIALS, headers=headers)
        assert form.status_code == (303 if allowed else 403)
    bearer = {"authorization": f"Bearer {await installation.token()}"}
    async with installation.http() as http:
        made = await http.post("/api/v1/workflows", json={"name": "x"}, headers={**headers, **bearer})
        assert made.status_code == 201, "a bearer token is no cookie"


async def test_a_member_comes_and_goes(installation: Installation) -> None:
    async with installation.http(await installation.token()) as owner:
        body = {"email": "new@example.org", "role": "viewer", "password": PASSWORD}
        user_id = (await owner.post("/api/v1/members", json=body)).json()["id"]
        async with installation.http(await installation.token("new@example.org")) as theirs:
            assert (await theirs.get("/api/v1/me")).status_code == 200
            assert (await owner.delete(f"/api/v1/members/{user_id}")).status_code == 204
            assert (await theirs.get("/api/v1/me")).status_code == 401
        assert (await owner.delete(f"/api/v1/members/{user_id}")).status_code == 404
        mine = (await owner.get("/api/v1/me")).json()["user"]["id"]
        assert (await owner.delete(f"/api/v1/members/{mine}")).status_code == 409
