"""The page and its parts, read once when an instance starts.

Few scripts go out, and the style sheets as one, that of all views first. The parts' address holds a digest
of all of them: a browser may keep them for good, and a page never meets parts of another release. Nothing is inserted
into the page but that digest and the path that it was asked for by.
"""

import html
import secrets
from hashlib import sha256
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from console.scripts import join

ASSETS = Path(__file__).parent / "assets"
PAGE = "index.html"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",  # a text can become markup nowhere: the browser refuses to parse it
        "trusted-types 'none'",
    ]
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
FOR_GOOD = "public, max-age=31536000, immutable"


def create_console_app(folder: Path = ASSETS) -> Starlette:
    """Return the application.

    Args:
        folder: holds `index.html` and its parts, in no folders of their own.
    """
    parts = _parts({file.name: file.read_text("utf-8") for file in sorted(folder.iterdir()) if file.suffix in TYPES})
    release = sha256("".join(parts[name] for name in sorted(parts)).encode()).hexdigest()[:16]
    page = (folder / PAGE).read_text(encoding="utf-8").replace("{{release}}", release)

    async def index(request: Request) -> Response:
        """Return the page; it is checked for anew each time, so that a release reaches everybody."""
        shown = page.replace("{{base}}", html.escape(_path_from_outside(request)))
        return Response(shown, media_type="text/html", headers=_headers(request, "no-cache"))

    async def part(request: Request) -> Response:
        """Return a part of this release."""
        name = request.path_params["name"]
        if request.path_params["release"] != release or name not in parts:
            raise HTTPException(404)
        return Response(parts[name], media_type=TYPES[Path(name).suffix], headers=_headers(request, FOR_GOOD))

    routes = [Route("/", index), Route("/assets/{release}/{name}", part)]
    return Starlette(routes=routes, exception_handlers={HTTPException: _refuse})


def _parts(sources: dict[str, str]) -> dict[str, str]:
    """Return what the page asks for, by name."""
    scripts = {name: text for name, text in sources.items() if name.endswith(".js")}
    sheets = sorted((name for name in sources if name.endswith(".css")), key=lambda name: name != "style.css")
    others = {name: text for name, text in sources.items() if name not in {*scripts, *sheets}}
    return {**join(scripts), "style.css": "\n".join(sources[name] for name in sheets), **others}


def _path_from_outside(request: Request) -> str:
    """Return the page's own path with a slash at its end, which API Gateway begins with the stage's name."""
    path = str(_context(request).get("path") or request.url.path)
    return path if path.endswith("/") else f"{path}/"


async def _refuse(request: Request, error: Exception) -> Response:
    """Answer in the shape that all errors of the service have."""
    headers = _headers(request, "no-store")
    detail = {
        "code": "not_found",
        "message": "no such part of the page",
        "hint": "Load the page again: it may be of an older release.",
        "request_id": headers["X-Request-Id"],
    }
    status = error.status_code if isinstance(error, HTTPException) else 500
    return JSONResponse({"error": detail}, status, headers=headers)


def _headers(request: Request, caching: str) -> dict[str, str]:
    request_id = str(_context(request).get("requestId") or secrets.token_hex(8))
    return {**HEADERS, "Cache-Control": caching, "X-Request-Id": request_id}


def _context(request: Request) -> dict[str, Any]:
    """Return what API Gateway tells of the request; nothing outside of it."""
    return request.scope.get("aws.event", {}).get("requestContext") or {}
