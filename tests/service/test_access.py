"""Every route is refused by default; who may do what is one table."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest
from starlette.routing import BaseRoute

from bratsseg.service.access import RULES, find_rule
from bratsseg.service.accounts.roles import Role
from tests.service.conftest import Site, make_settings

WHEREVER = [(method, rule.path) for rule in RULES for method in sorted(rule.methods)]


def filled(path: str) -> str:
    return re.sub(r"\{[^}]+\}", "0000000000000000", path)


def served(site: Site) -> set[tuple[str, str]]:
    """Every (method, path) that the application routes, pages and OpenAPI alike."""

    def walk(routes: list[BaseRoute], before: str = "") -> Iterator[tuple[str, str]]:
        for route in routes:
            inner = getattr(route, "original_router", None)
            if inner is not None:
                yield from walk(inner.routes, before + getattr(route.include_context, "prefix", ""))
            elif getattr(route, "methods", None):
                yield from ((method, before + route.path) for method in route.methods - {"HEAD"})

    return set(walk(site.app.routes))


def test_every_route_has_a_rule_and_every_rule_a_route(site):
    described = site.app.openapi()["paths"]
    api = {(method.upper(), path) for path, methods in described.items() for method in methods}
    ruled = {(method, path) for method, path in WHEREVER if path.startswith("/api/")}
    assert api == ruled
    pages = {(method, path) for method, path in served(site) if not path.startswith("/api/")}
    assert pages == {(m, p) for m, p in WHEREVER if not p.startswith(("/api/", "/static/"))}


@pytest.fixture(scope="module")
def inhabited(tmp_path_factory, seed):
    site = Site(make_settings(shutil.copytree(seed, tmp_path_factory.mktemp("site") / "data")))
    clients = {role: site.client(role) for role in Role}
    yield site, clients
    site.context.close()


@pytest.mark.parametrize(("method", "path"), WHEREVER, ids=lambda value: value)
def test_without_login_nothing_is_answered(inhabited, method, path):
    site, _ = inhabited
    if find_rule(method, filled(path)).public:
        return
    answer = site.guest().request(method, filled(path))
    if path.startswith("/api/") or path == "/openapi.json":
        assert answer.status_code == 401
        assert answer.json()["code"] == "not_logged_in"
    else:
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/login")


@pytest.mark.parametrize(("method", "path"), WHEREVER, ids=lambda value: value)
def test_a_role_may_what_the_table_says_and_no_more(inhabited, method, path):
    _, clients = inhabited
    rule = find_rule(method, filled(path))
    if rule.public or path == "/logout":
        return
    for role, client in clients.items():
        answer = client.request(method, filled(path))
        assert (answer.status_code == 403) is (role not in rule.roles), f"{role}: {answer.status_code} {answer.text}"
        assert answer.status_code < 500, answer.text


def test_the_roles_are_those_of_the_order():
    def may(role: Role, method: str, path: str) -> bool:
        return role in find_rule(method, path).roles

    assert not may(Role.ADMINISTRATOR, "GET", "/api/v1/results/1/files/flair.nii.gz")
    assert not may(Role.ADMINISTRATOR, "GET", "/api/v1/patients")
    assert may(Role.ADMINISTRATOR, "POST", "/api/v1/users")
    assert may(Role.RADIOLOGIST, "POST", "/api/v1/uploads")
    assert not may(Role.VIEWER, "POST", "/api/v1/uploads")
    assert may(Role.VIEWER, "GET", "/api/v1/results/1")
    assert may(Role.DATA_MANAGER, "PATCH", "/api/v1/patients/1")
    assert not may(Role.DATA_MANAGER, "GET", "/api/v1/results/1/files/flair.nii.gz")


def test_what_is_not_in_the_table_is_refused_to_everybody(inhabited):
    site, clients = inhabited
    assert site.guest().get("/api/v1/secrets").status_code == 401
    assert clients[Role.ADMINISTRATOR].get("/api/v1/secrets").status_code == 404
    assert clients[Role.ADMINISTRATOR].delete("/api/v1/patients/1").status_code == 404


def test_without_users_every_route_refuses_and_tells_what_to_do(empty_site):
    guest = empty_site.guest()
    for path in ("/", "/login", "/api/v1/patients", "/patients"):
        answer = guest.get(path)
        assert answer.status_code == 503
        assert "bratsseg serve add-user" in answer.text
    assert guest.get("/healthz").status_code == 200
    empty_site.user(Role.VIEWER)
    assert guest.get("/login").status_code == 200


def test_the_path_that_is_judged_is_the_one_that_is_routed(site):
    # As a URL this is /healthz, which answers everybody: a tab is dropped there, and the Host header put in.
    assert site.guest().get("/health%09z").status_code == 303


def test_what_breaks_the_gate_is_answered_as_any_other_request(site):
    keeper = site.client(Role.DATA_MANAGER)
    answer = keeper.post("/api/v1/patients", json={"number": "1", "name": "A"}, headers={"Origin": "http://["})
    assert (answer.status_code, answer.json()["code"]) == (403, "forged")
    assert "content-security-policy" in answer.headers
