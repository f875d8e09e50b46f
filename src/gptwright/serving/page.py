"""The files of the chat page: a fixed list, read once. A name in a request never reaches the file system."""

from pathlib import Path

from starlette.responses import Response

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


def page_files() -> dict[str, tuple[bytes, str]]:
    """URL path to bytes and media type; the page itself is at `/`."""
    web = Path(__file__).parent / "web"
    files = {f"/{f.name}": (f.read_bytes(), TYPES[f.suffix]) for f in sorted(web.iterdir()) if f.suffix in TYPES}
    files["/"] = files.pop("/index.html")
    return files


def page_response(file: tuple[bytes, str]) -> Response:
    """One file of the page."""
    return Response(file[0], headers={"content-type": file[1]})
