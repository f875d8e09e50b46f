"""The cookie in which a browser carries a login. Other programs show keys.

A browser sends cookies for whatever page asks it to, so this one counts only where the browser says that our own page
asks: `Origin`, which it sends with all that changes something, or `Sec-Fetch-Site`. Another port of the same machine is
the same site to `SameSite`, and is refused by that.
"""

import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response

from gptwright.serving.api_errors import APIError
from gptwright.store.logins import SECONDS

PORT = re.compile(r":([0-9]{1,5})$")


def cookie_name(host: str) -> str:
    """Of a server at this Host: browsers keep the cookies of all ports of a machine together."""
    port = PORT.search(host)
    return f"gptwright-{port[1]}" if port else "gptwright"


def login_of(method: str, headers: Headers) -> str:
    """The secret of the login that a request carries; empty where it carries none or another site's page asks. Raises
    `APIError` (403) where something is to be changed and nothing says that our own page asks."""
    host = headers.get("host", "")
    secret = cookie_parser("; ".join(headers.getlist("cookie"))).get(cookie_name(host), "")
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    ours = origin is not None and is_same_origin(origin, host)
    if method in ("GET", "HEAD"):
        return secret if site in (None, "none", "same-origin") and (ours or origin is None) else ""
    if secret and not (ours or site == "same-origin"):
        raise APIError(403, "A login counts for requests of our own page; programs show a key.",
                       code="origin_not_allowed")  # fmt: skip
    return secret


def is_same_origin(origin: str, host: str) -> bool:
    """Whether a page of this origin is one of the server's at this Host. The scheme is left to a proxy before it."""
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:  # such as http://[
        return False


def set_login(response: Response, headers: Headers, secret: str) -> None:
    """Has the browser carry the secret; none, and it forgets the one it has. `Secure` where its page came by https, as
    it says itself: a proxy may stand between."""
    host = headers.get("host", "")
    secure = urlsplit(headers.get("origin", "")).scheme == "https"
    response.set_cookie(cookie_name(host), secret, max_age=SECONDS if secret else 0, path="/", secure=secure,
                        httponly=True, samesite="strict")  # fmt: skip
