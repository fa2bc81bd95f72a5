"""What is imported before the injection, when that is to come after."""

MODULES = (
    "aiohttp", "aiohttp.web", "anyio", "anyio.streams.tls", "asyncpg", "cheroot.ssl.builtin",
    "gunicorn", "httpx", "hypercorn",
    "hypercorn.asyncio", "redis", "redis.asyncio", "requests", "tornado.httpclient",
    "tornado.httpserver", "trio", "urllib3", "uvicorn",
    "uvloop", "websockets.asyncio.client", "websockets.asyncio.server", "websockets.sync.client",
    "websockets.sync.server",
    "werkzeug.serving",
)  # fmt: skip
