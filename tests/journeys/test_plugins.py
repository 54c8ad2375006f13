"""Plugins with locks of their own: the example of the documentation, and real packages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kit import Machine

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.once
def test_the_page_shows_every_file_of_the_example() -> None:
    page = (DOCS / "how-to" / "plugins.md").read_text(encoding="utf-8")
    files = [file for file in (DOCS / "examples" / "plugins").rglob("*") if file.is_file()]

    assert len(files) == 9
    assert [] == [str(file) for file in files if f"\n{file.read_text(encoding='utf-8')}```" not in page]


@pytest.mark.network
@pytest.mark.ends
@pytest.mark.timeout(300)
def test_two_plugins_with_one_real_distribution_at_two_versions(online: Machine) -> None:
    wanted = {
        "old": ["sqlalchemy==1.4.54", "jinja2==2.11.3", "markupsafe==2.0.1"],
        "new": ["sqlalchemy==2.0.40", "jinja2==3.1.6"],
    }
    for name, packages in wanted.items():
        plugin = online.project(packages, name=f"host/plugins/{name}").ready()
        plugin.write(
            "plugin.py",
            """
            import host_api, sqlalchemy
            from sqlalchemy import Column, Integer, create_engine
            from sqlalchemy.orm import Session, declarative_base
            Base = declarative_base()
            class Row(Base):
                __tablename__ = "rows"
                id = Column(Integer, primary_key=True)
            @host_api.register
            def work():
                import jinja2
                engine = create_engine("sqlite://")
                Base.metadata.create_all(engine)
                with Session(engine) as session:
                    session.add(Row(id=7)); session.commit()
                    row = session.query(Row).one()
                return sqlalchemy.__version__, jinja2.__version__, jinja2.Template("{{ x }}").render(x=row.id)
        """,
        )
    host = online.project(name="host")
    host.write("host_api.py", "FOUND = []\ndef register(function):\n    FOUND.append(function)\n    return function\n")

    def program():
        import threading

        import host_api

        import envknit

        worlds = [envknit.world(lock=f"plugins/{name}") for name in ("old", "new")]
        for world in worlds:
            world.import_module("plugin")
        expected = [("1.4.54", "2.11.3", "7"), ("2.0.40", "3.1.6", "7")]
        assert [work() for work in host_api.FOUND] == expected
        found = []
        threads = [threading.Thread(target=lambda w=w: found.append(w())) for w in host_api.FOUND * 4]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(found) == sorted(expected * 4)
        worlds[0].reload()
        worlds[0].import_module("plugin")
        assert host_api.FOUND[2]() == expected[0] and host_api.FOUND[1]() == expected[1]

    host.code(program)
