"""Worlds, the pytest plugin and asynchronous workers with real packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kit import Machine

pytestmark = [pytest.mark.network, pytest.mark.once, pytest.mark.timeout(300)]

MODELS = """
    import dataclasses, pickle
    import pydantic

    class Model(pydantic.BaseModel):
        number: int

    def as_data():
        model = Model(number="3")
        from pydantic import VERSION
        data = model.model_dump() if VERSION.startswith("2.") else model.dict()
        assert pickle.loads(pickle.dumps(model)) == model
        return VERSION[:2], data
"""


def test_pydantic_1_and_2_with_the_pytest_plugin_and_in_one_process(online: Machine) -> None:
    project = online.project(
        ["pydantic>=2,<3", "pytest>=8", "pytest-xdist"], environments={"old": ["pydantic<2"]}
    ).ready()
    project.write("models.py", MODELS)
    project.write(
        "tests/test_models.py",
        """
        import models
        def test_data(request):
            version, data = models.as_data()
            assert data == {"number": 3} and f"pydantic={version}" in request.node.name
    """,
    )
    out = project.run("-m", "pytest", "-v", "-n", "2", "--envknit-matrix", "pydantic=1,2").out
    assert "2 passed" in out and "test_data[pydantic=1." in out and "test_data[pydantic=2." in out

    project.code("""
        import envknit, models
        old = envknit.world("old").import_module("models")
        assert models.as_data() == ("2.", {"number": 3}) and old.as_data() == ("1.", {"number": 3})
    """)


def test_httpx_asynchronously_in_a_worker(online: Machine) -> None:
    project = online.project(["httpx==0.28.1"], environments={"old": ["httpx==0.24.1"]}).ready()
    project.code("""
        import asyncio, envknit
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
        from threading import Thread

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200); self.end_headers(); self.wfile.write(self.path.encode())
            def log_message(self, *args): pass

        async def ask(httpx, url):
            async with httpx.AsyncClient() as client:
                answers = await asyncio.gather(*(client.get(f"{url}/{n}") for n in range(5)))
                async with client.stream("GET", f"{url}/long") as answer:
                    parts = [part async for part in answer.aiter_text()]
                return [answer.text for answer in answers], "".join(parts), httpx.__version__

        if __name__ == "__main__":
            server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
            Thread(target=server.serve_forever, daemon=True).start()
            url = f"http://127.0.0.1:{server.server_port}"
            for version in ("0.24.1", "0.28.1"):
                with envknit.worker("httpx", version) as httpx:
                    found = asyncio.run(ask(httpx, url))
                assert found == ([f"/{n}" for n in range(5)], "/long", version), found
            server.shutdown()
    """)
