"""What docs/stores.md shows, run from the top to the bottom."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ...support import servers

PAGE = Path(__file__).resolve().parents[3] / "docs" / "stores.md"
SECRET = b"s" * 32


def blocks():
    return re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_every_example_runs(tmp_path, monkeypatch):
    pytest.importorskip("redis")
    pytest.importorskip("pymemcache")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SESSIONS_SECRET", SECRET.hex())
    namespace = {"secret": SECRET}
    found = blocks()
    assert len(found) >= 9
    with servers.redis_server() as redis, servers.memcached_server() as memcached:
        for source in found:
            source = source.replace("redis://cache.internal:6379/", f"redis://{redis.host}:{redis.port}/")
            source = source.replace('host="cache.internal", port=6379', f'host="{redis.host}", port={redis.port}')
            source = source.replace('("cache.internal", 11211)', repr(memcached.address))
            before = namespace.get("store")
            exec(compile(source, str(PAGE), "exec"), namespace)
            store = namespace.get("store")
            if store is not None and store is not before and "close()" not in source:
                store.put(b"key", b"value", 60)
                assert store.take(b"key") == b"value"
                store.close()
        namespace["client"].close()
