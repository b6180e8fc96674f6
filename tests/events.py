"""Events as API Gateway sends them to a Lambda behind a REST API with proxy integration, and a call of a handler."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

Event = dict[str, Any]
Handler = Callable[[Event, Any], Mapping[str, Any]]
REQUEST_ID = "6f1c2b34-9d1e-4d0c-8a57-2f6b1f0c9e11"
HOST = "abcdefghij.execute-api.eu-central-1.amazonaws.com"


class Answer(NamedTuple):
    """What a handler answered; `body` is its JSON, or its text where it is no JSON."""

    status: int
    body: Any
    headers: dict[str, str]


class Context:
    """A Lambda context."""

    function_name = "function"
    memory_limit_in_mb = 1024
    aws_request_id = "7a2d3c45-0e2f-4e1d-9b68-3a7c2a1d0f22"


def event(
    method: str,
    path: str,
    body: object = None,
    *,
    resource: str | None = None,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    source_ip: str = "203.0.113.7",
    api_key_id: str | None = None,
    request_id: str = REQUEST_ID,
) -> Event:
    """Build an event. Bytes are sent as they are, base64 encoded as API Gateway does; anything else as JSON.

    Args:
        method: the HTTP method.
        path: the path.
        body: bytes, a JSON value, or None for no body.
        resource: the path in the template, where it has parameters.
        query: query parameters.
        headers: further headers; a name given here replaces the default one.
        source_ip: the client's address.
        api_key_id: the id of the API key that API Gateway checked.
        request_id: API Gateway's id of the request.
    """
    raw = isinstance(body, bytes)
    text = base64.b64encode(body).decode() if isinstance(body, bytes) else None if body is None else json.dumps(body)
    sent = {
        "Accept": "application/json",
        "Content-Type": "application/json",
        "Host": HOST,
        "User-Agent": "curl/8.10.1",
        "X-Forwarded-For": source_ip,
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
        **(headers or {}),
    }
    key = "a-key-that-must-never-be-stored" if api_key_id else None
    return {
        "resource": resource or path,
        "path": path,
        "httpMethod": method,
        "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "queryStringParameters": dict(query) if query else None,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} if query else None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": resource or path,
            "httpMethod": method,
            "path": f"/prod{path}",
            "accountId": "123456789012",
            "protocol": "HTTP/1.1",
            "stage": "prod",
            "requestTimeEpoch": 1795262400000,
            "requestId": request_id,
            "identity": {"sourceIp": source_ip, "userAgent": "curl/8.10.1", "apiKey": key, "apiKeyId": api_key_id},
            "domainName": HOST,
            "apiId": "abcdefghij",
        },
        "body": text,
        "isBase64Encoded": raw,
    }


def get(path: str, **more: Any) -> Event:
    """Build a GET event."""
    return event("GET", path, **more)


def post(path: str, body: object, **more: Any) -> Event:
    """Build a POST event."""
    return event("POST", path, body, **more)


def call(handler: Handler, request: Event) -> Answer:
    """Call a handler with an event and return what it answers."""
    reply = handler(request, Context())
    text = base64.b64decode(reply["body"]).decode() if reply.get("isBase64Encoded") else reply["body"]
    headers = {name.lower(): value for name, value in reply["headers"].items()}
    is_json = headers.get("content-type", "").startswith("application/json")
    return Answer(reply["statusCode"], json.loads(text) if is_json else text, headers)
