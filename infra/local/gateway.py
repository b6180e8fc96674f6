"""A stand-in for API Gateway on one machine: HTTP in, REST proxy events to the real Lambda handlers, HTTP out.

The routes come from template.yaml, so that what runs here is what would be deployed. Handlers run in threads of their
own, as they run in instances of their own on Lambda.
"""

import asyncio
import base64
import hmac
import secrets
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from infra.local.origins import is_foreign
from infra.local.template import ApiRoute

MAX_PAYLOAD_BYTES = 6 * 2**20  # what Lambda accepts; API Gateway itself stops at 10 MB
INSTANCES = 8

Event = dict[str, Any]
Handler = Callable[[Event, object], Mapping[str, Any]]


class LambdaContext:
    """The part of a Lambda context that the handlers look at."""

    function_name = "local"
    memory_limit_in_mb = 1024

    def __init__(self, aws_request_id: str) -> None:
        self.aws_request_id = aws_request_id


def create_gateway(routes: Iterable[ApiRoute], api_key: str | None, compressed_from: int | None = None) -> Starlette:
    """Return the ASGI application of all routes.

    Args:
        routes: as read from the template; their handlers are imported now.
        api_key: the key to ask for where a route needs one, which no website has; None asks for none, and lets programs
            and its own page in, and no website.
        compressed_from: bytes of an answer from which on it is compressed for clients that take that; None: never.
    """
    loops: list[asyncio.AbstractEventLoop] = []
    pool = ThreadPoolExecutor(INSTANCES, "lambda", initializer=_own_event_loop, initargs=(loops,))
    handlers: dict[str, Handler] = {}
    served = []
    for route in routes:
        handler = handlers.setdefault(route.handler, _load(route.handler))
        served.append(Route(route.path, _endpoint(route, handler, pool, api_key), methods=[route.method]))

    @asynccontextmanager
    async def until_the_end(_app: Starlette) -> AsyncIterator[None]:
        yield
        pool.shutdown()
        for loop in loops:
            loop.close()
        _write_activity(handlers)

    errors = {404: _unknown_route, 405: _unknown_route}
    around = [] if api_key else [Middleware(_WithoutWebsites)]
    if compressed_from is not None:
        around.append(Middleware(GZipMiddleware, minimum_size=compressed_from))
    return Starlette(routes=served, middleware=around, exception_handlers=errors, lifespan=until_the_end)


class _WithoutWebsites:
    """Refuses what websites send; see `origins`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http" and is_foreign(Request(scope).headers.get):
            hint = "Open it at http://127.0.0.1 with its port, or start it with a LOCAL_API_KEY."
            app = _refusal(403, "forbidden", "without a key no other website may ask", hint)
        await app(scope, receive, send)


def _own_event_loop(loops: list[asyncio.AbstractEventLoop]) -> None:
    """Give this thread the event loop that Mangum asks it for, and remember the loop so that it gets closed."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loops.append(loop)


def _load(path: str) -> Handler:
    module, _, name = path.rpartition(".")
    handler: Handler = getattr(import_module(module), name)
    return handler


def _write_activity(handlers: Iterable[str]) -> None:
    """Write what the functions counted and have not written yet; what is cut off on Lambda need not be here."""
    for path in handlers:
        writer = getattr(sys.modules.get(path.rpartition(".")[0]), "writer", None)
        if writer is not None:
            writer.write()


def _endpoint(route: ApiRoute, handler: Handler, pool: ThreadPoolExecutor, api_key: str | None) -> Callable[..., Any]:
    async def endpoint(request: Request) -> Response:
        event = await proxy_event(route, request)
        if event is None:
            return _refusal(413, "request_too_large", "the body is larger than Lambda takes", "Send less at once.")
        given = request.headers.get("x-api-key", "")
        is_asked = route.api_key_required and api_key is not None
        if is_asked and not hmac.compare_digest(given.encode(), (api_key or "").encode()):
            return _refusal(403, "forbidden", "the API key is missing or wrong", "Send it as x-api-key.")
        if route.api_key_required and given:  # where none is asked for, it still tells contributors apart
            event["requestContext"]["identity"] |= {"apiKey": given, "apiKeyId": "local" if api_key else given}
        context = LambdaContext(event["requestContext"]["requestId"])
        reply = await asyncio.get_running_loop().run_in_executor(pool, handler, event, context)
        return _http_response(reply)

    return endpoint


async def proxy_event(route: ApiRoute, request: Request) -> Event | None:
    """Return the REST proxy event of a request, or None if Lambda would not take its body."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_PAYLOAD_BYTES:
            return None
    try:
        text, encoded = body.decode(), False
    except UnicodeDecodeError:
        text, encoded = base64.b64encode(body).decode(), True
    query = request.query_params
    headers = request.headers
    return {
        "resource": route.path,
        "path": request.url.path,
        "httpMethod": request.method,
        "headers": dict(headers),
        "multiValueHeaders": {name: headers.getlist(name) for name in headers},
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": {name: query.getlist(name) for name in query} or None,
        "pathParameters": dict(request.path_params) or None,
        "stageVariables": None,
        "requestContext": {
            "requestId": secrets.token_hex(16),
            "requestTimeEpoch": int(time.time() * 1000),
            "resourcePath": route.path,
            "httpMethod": request.method,
            "path": request.url.path,
            "stage": "local",
            "identity": {"sourceIp": request.client.host if request.client else None},
        },
        "body": text or None,
        "isBase64Encoded": encoded,
    }


def _http_response(reply: Mapping[str, Any]) -> Response:
    body = reply["body"].encode()
    if reply.get("isBase64Encoded"):
        body = base64.b64decode(body)
    response = Response(body, reply["statusCode"])
    for name, value in reply.get("headers", {}).items():
        response.headers[name] = value
    return response


async def _unknown_route(request: Request, _error: Exception) -> Response:
    path = request.url.path[:200]
    return _refusal(404, "not_found", f"no route {request.method} {path}", "See /docs for the routes.")


def _refusal(status: int, code: str, message: str, hint: str) -> JSONResponse:
    detail = {"code": code, "message": message, "hint": hint, "request_id": secrets.token_hex(16)}
    return JSONResponse({"error": detail}, status)
