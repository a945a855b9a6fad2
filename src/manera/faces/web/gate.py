"""What stands before every route of the page: a password, where there is one, and what browsers may load."""

import hmac
import secrets
import time
from collections import deque
from html import escape
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from manera.faces.web.words import preferred_language, words_of

COOKIE = "manera-studio"
LOGIN = "/login"
HEALTH = "/healthz"
SESSION_SECONDS = 30 * 24 * 3600
WRONG_PER_MINUTE = 10
_MAX_BODY = 4096

POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; "
    "style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "worker-src 'self' blob:; connect-src 'self'; frame-ancestors 'none'; form-action 'self'; base-uri 'self'"
)
"""The browser asks nobody but us, whatever a library would have it load."""

_PAGE = """<!doctype html><html lang="{language}"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>manera</title>
<style>
body {{ font: 16px system-ui, sans-serif; display: grid; place-items: center; min-height: 90vh; margin: 0;
  background: light-dark(#f7f6f3, #161615); color: light-dark(#222, #ddd); color-scheme: light dark }}
form {{ display: grid; gap: .8rem; width: min(20rem, 90vw) }}
input, button {{ font: inherit; padding: .6rem .8rem; border-radius: .5rem; border: 1px solid #8886 }}
button {{ background: #2f5d50; color: white; border: 0 }}
p {{ margin: 0; color: #b3402c }}
</style>
<form method="post" action="/login"><h1>manera</h1>
<label for="password">{password}</label>
<input id="password" name="password" type="password" autocomplete="current-password" autofocus required>
{wrong}<button>{sign_in}</button></form></html>"""


class Gate:
    """Let nobody in without the password, on any route; None lets everybody in, as on loopback.

    Sessions end with the process: its signing key is made anew each time.
    """

    def __init__(self, app: ASGIApp, password: str | None) -> None:
        self.app = app
        self._password = password
        self._key = secrets.token_bytes(32)
        self._wrong: deque[float] = deque(maxlen=WRONG_PER_MINUTE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("content-security-policy", POLICY)
                headers.setdefault("referrer-policy", "no-referrer")
                headers.setdefault("x-content-type-options", "nosniff")
            await send(message)

        path = scope["path"]
        if path == HEALTH and scope["type"] == "http":
            await PlainTextResponse("ok")(scope, receive, send_guarded)
        elif self._password is None or self._is_known(scope):
            await self.app(scope, receive, send_guarded)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
        elif path == LOGIN and scope["method"] == "POST":
            await (await self._login(Request(scope, receive)))(scope, receive, send_guarded)
        else:
            await self._form(scope)(scope, receive, send_guarded)

    def _is_known(self, scope: Scope) -> bool:
        cookies = Headers(scope=scope).getlist("cookie")
        pairs = (pair.strip().partition("=") for line in cookies for pair in line.split(";"))
        session = next((value for name, _, value in pairs if name == COOKIE), "")
        until, _, signature = session.partition(".")
        return until.isdecimal() and int(until) > time.time() and hmac.compare_digest(self._sign(until), signature)

    def _sign(self, until: str) -> str:
        return hmac.new(self._key, until.encode(), "sha256").hexdigest()

    async def _login(self, http: Request) -> Response:
        now = time.monotonic()
        if len(self._wrong) == WRONG_PER_MINUTE and now - self._wrong[0] < 60:
            return PlainTextResponse("too many wrong passwords: wait a minute", 429, {"retry-after": "60"})
        if int(http.headers.get("content-length", _MAX_BODY + 1)) > _MAX_BODY:
            return PlainTextResponse("too large", 413)
        given = parse_qs((await http.body()).decode("utf-8", "replace")).get("password", [""])[0]
        if not hmac.compare_digest(given.encode(), (self._password or "").encode()):
            self._wrong.append(now)
            return self._form(http.scope, is_wrong=True)
        until = str(int(time.time()) + SESSION_SECONDS)
        answer = RedirectResponse("/", 303)
        is_https = http.headers.get("x-forwarded-proto", http.url.scheme) == "https"
        answer.set_cookie(
            COOKIE,
            f"{until}.{self._sign(until)}",
            max_age=SESSION_SECONDS,
            httponly=True,
            samesite="lax",
            secure=is_https,
        )
        return answer

    def _form(self, scope: Scope, is_wrong: bool = False) -> Response:
        language = preferred_language(Headers(scope=scope).get("accept-language", ""))
        say = words_of(language)
        wrong = f'<p role="alert">{escape(say("wrong_password"))}</p>' if is_wrong else ""
        words = {id: escape(say(id)) for id in ("password", "sign_in")}
        return HTMLResponse(_PAGE.format(language=language, wrong=wrong, **words), 401)
