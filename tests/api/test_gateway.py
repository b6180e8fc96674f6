"""The stand-in for API Gateway: the same events, the same refusals, the real handlers behind it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from starlette.testclient import TestClient

from infra.local import gateway as gateway_module
from infra.local.gateway import MAX_PAYLOAD_BYTES, create_gateway
from infra.local.template import ApiRoute, api_routes, load_template
from tests.builders import ROOT
from tests.events import Event, event, post

ROUTES = [
    ApiRoute("POST", "/echo", "Echo", f"{__name__}.echo", api_key_required=True),
    ApiRoute("GET", "/echo/{id}", "Echo", f"{__name__}.echo", api_key_required=True),
    ApiRoute("GET", "/open", "Echo", f"{__name__}.echo", api_key_required=False),
    ApiRoute("GET", "/binary", "Binary", f"{__name__}.binary", api_key_required=False),
]
KEY = "a key for tests"
HERE = "http://127.0.0.1:3000"


def echo(received: Event, context: Any) -> Mapping[str, Any]:
    """Answer with the event."""
    assert context.aws_request_id == received["requestContext"]["requestId"]
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(received)}


def binary(_received: Event, _context: Any) -> Mapping[str, Any]:
    """Answer with bytes that are no text."""
    headers = {"content-type": "application/octet-stream", "x-own": "1"}
    return {"statusCode": 203, "headers": headers, "body": "/wAB", "isBase64Encoded": True}


@pytest.fixture
def client() -> Iterator[TestClient]:
    with TestClient(create_gateway(ROUTES, api_key=None), HERE) as made:
        yield made


@pytest.fixture
def locked() -> Iterator[TestClient]:
    with TestClient(create_gateway(ROUTES, api_key=KEY)) as made:
        yield made


class TestTheEvent:
    def test_it_has_the_shape_of_a_real_one(self, client: TestClient) -> None:
        received = client.post("/echo?explain=true", json={"text": "é"}).json()
        real = post("/echo", {"text": "é"}, query={"explain": "true"})
        assert received.keys() == real.keys()
        for name in ("resource", "path", "httpMethod", "queryStringParameters", "multiValueQueryStringParameters"):
            assert received[name] == real[name]
        assert json.loads(received["body"]) == json.loads(real["body"])
        assert received["isBase64Encoded"] is real["isBase64Encoded"] is False
        assert received["requestContext"].keys() <= real["requestContext"].keys()
        assert received["requestContext"]["identity"].keys() <= real["requestContext"]["identity"].keys()

    def test_without_body_and_query_it_says_so_as_the_real_one_does(self, client: TestClient) -> None:
        received, real = client.get("/open").json(), event("GET", "/open")
        for name in ("body", "queryStringParameters", "multiValueQueryStringParameters", "pathParameters"):
            assert received[name] is real[name] is None

    def test_a_path_parameter_is_in_it_beside_the_path_of_the_template(self, client: TestClient) -> None:
        received = client.get("/echo/fb-1").json()
        assert (received["path"], received["resource"]) == ("/echo/fb-1", "/echo/{id}")
        assert received["pathParameters"] == {"id": "fb-1"}

    def test_repeated_names_keep_all_their_values(self, client: TestClient) -> None:
        received = client.get("/open?a=1&a=2&b=", headers=[("x-two", "1"), ("x-two", "2")]).json()
        assert received["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": [""]}
        assert received["queryStringParameters"] == {"a": "2", "b": ""}
        assert received["multiValueHeaders"]["x-two"] == ["1", "2"]

    def test_bytes_that_are_no_text_come_in_base64(self, client: TestClient) -> None:
        body = bytes(range(256))
        received, real = client.post("/echo", content=body).json(), post("/echo", body)
        assert received["isBase64Encoded"] is real["isBase64Encoded"] is True
        assert received["body"] == real["body"]

    def test_it_says_who_asks(self, client: TestClient) -> None:
        assert client.get("/open").json()["requestContext"]["identity"] == {"sourceIp": "testclient"}

    def test_each_has_an_id_of_its_own(self, client: TestClient) -> None:
        ids = {client.get("/open").json()["requestContext"]["requestId"] for _ in range(3)}
        assert len(ids) == 3


class TestTheApiKey:
    @pytest.mark.parametrize("headers", [{}, {"x-api-key": ""}, {"x-api-key": "wrong"}, {"x-api-key": KEY + " more"}])
    def test_a_missing_or_wrong_key_is_forbidden(self, locked: TestClient, headers: dict[str, str]) -> None:
        answer = locked.get("/echo/1", headers=headers)
        assert answer.status_code == 403
        assert set(answer.json()["error"]) == {"code", "message", "hint", "request_id"}
        assert answer.json()["error"]["code"] == "forbidden"

    def test_the_right_key_passes_and_the_function_learns_its_id(self, locked: TestClient) -> None:
        answer = locked.get("/echo/1", headers={"x-api-key": KEY})
        assert answer.status_code == 200
        identity = answer.json()["requestContext"]["identity"]
        assert (identity["apiKey"], identity["apiKeyId"]) == (KEY, "local")

    def test_an_open_route_asks_for_none(self, locked: TestClient) -> None:
        assert locked.get("/open").status_code == 200

    def test_where_no_key_is_set_none_is_asked_for(self, client: TestClient) -> None:
        assert client.get("/echo/1").status_code == 200

    def test_where_no_key_is_set_one_that_is_sent_tells_contributors_apart(self, client: TestClient) -> None:
        answer = client.get("/echo/1", headers={"x-api-key": "ada"})
        assert answer.json()["requestContext"]["identity"]["apiKeyId"] == "ada"


class TestWebsites:
    """A browser carries any site's requests to this machine; without a key nothing else would keep them out."""

    @pytest.mark.parametrize(
        "headers",
        [
            {"origin": "https://site.example"},
            {"origin": "null"},
            {"origin": "http://127.0.0.1:8000"},
            {"host": "site.example:3000"},
            {"host": "site.example:3000", "origin": "http://site.example:3000", "sec-fetch-site": "same-origin"},
        ],
        ids=str,
    )
    def test_without_a_key_none_is_answered_even_if_its_name_leads_here(
        self, client: TestClient, headers: dict[str, str]
    ) -> None:
        for method, path in (("POST", "/echo"), ("GET", "/open"), ("OPTIONS", "/echo"), ("GET", "/nowhere")):
            answer = client.request(method, path, headers=headers)
            assert answer.status_code == 403
            assert list(answer.json()["error"]) == ["code", "message", "hint", "request_id"]
            assert "access-control-allow-origin" not in answer.headers

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"origin": HERE, "sec-fetch-site": "same-origin"},
            {"host": "localhost:3000", "origin": "http://localhost:3000"},
            {"host": "localhost:3000", "origin": "https://forwarded.example", "sec-fetch-site": "same-origin"},
            {"host": "[::1]:3000"},
            {"host": "host.docker.internal:3000"},
        ],
        ids=str,
    )
    def test_programs_and_its_own_page_are(self, client: TestClient, headers: dict[str, str]) -> None:
        assert client.post("/echo", json={}, headers=headers).status_code == 200

    def test_with_a_key_the_key_decides_under_whatever_name(self, locked: TestClient) -> None:
        headers = {"host": "behind.a.proxy.example", "origin": "https://behind.a.proxy.example"}
        assert locked.get("/echo/1", headers=headers).status_code == 403
        assert locked.get("/echo/1", headers={**headers, "x-api-key": KEY}).status_code == 200


@pytest.mark.parametrize(("method", "path"), [("GET", "/nowhere"), ("GET", "/echo"), ("PUT", "/open"), ("GET", "/")])
def test_what_is_no_route_is_not_found_in_the_one_shape(client: TestClient, method: str, path: str) -> None:
    answer = client.request(method, path)
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert list(error) == ["code", "message", "hint", "request_id"]
    assert (error["code"], error["message"]) == ("not_found", f"no route {method} {path}")


def test_a_body_of_six_megabytes_is_the_limit(client: TestClient) -> None:
    assert client.post("/echo", content=b"a" * MAX_PAYLOAD_BYTES).status_code == 200
    answer = client.post("/echo", content=b"a" * (MAX_PAYLOAD_BYTES + 1))
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "request_too_large"


def test_bytes_that_a_function_answers_with_come_out_as_they_are(client: TestClient) -> None:
    answer = client.get("/binary")
    assert (answer.status_code, answer.content) == (203, b"\xff\x00\x01")
    assert answer.headers["x-own"] == "1"


def test_the_routes_of_the_template_are_those_that_run(monkeypatch: pytest.MonkeyPatch) -> None:
    routes = api_routes(load_template(ROOT / "template.yaml"))
    monkeypatch.setattr(gateway_module, "_load", lambda _path: echo)  # no function starts here
    with TestClient(create_gateway(routes, api_key=None), HERE) as client:
        for route in routes:
            received = client.request(route.method, route.path.replace("{id}", "fb-1")).json()
            assert (received["httpMethod"], received["resource"]) == (route.method, route.path)


def test_large_answers_are_compressed_for_those_who_take_it_and_small_ones_are_not() -> None:
    with TestClient(create_gateway(ROUTES, api_key=None, compressed_from=1_000), HERE) as client:
        large = client.post("/echo", json={"text": "again and " * 1_000})
        assert large.headers["content-encoding"] == "gzip"
        assert int(large.headers["content-length"]) < 5_000
        assert json.loads(large.json()["body"])["text"].startswith("again and")
        plain = client.post("/echo", json={"text": "again and " * 1_000}, headers={"accept-encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert "content-encoding" not in client.get("/binary").headers
