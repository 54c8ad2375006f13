"""Locks that hold two versions of packages from the real index, whose extension modules they can do without."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kit import Machine

pytestmark = [pytest.mark.network, pytest.mark.once]


def test_jinja2_of_two_majors_renders_for_flask_and_nbconvert(online: Machine) -> None:
    project = online.project(["flask==1.1.4", "nbconvert>=7", "markupsafe<2.1"])
    project.lock("--split")
    project.install()

    def program():
        import sys

        import flask
        import jinja2
        import nbformat
        from nbconvert.exporters import HTMLExporter

        app = flask.Flask("app")
        app.add_url_rule("/", "page", lambda: flask.render_template_string("{{ 1 + 1 }} {{ x }}", x="<b>"))
        assert app.test_client().get("/").data == b"2 &lt;b&gt;"
        assert "<body" in HTMLExporter().from_notebook_node(nbformat.v4.new_notebook())[0]
        guests = [name for name in sys.modules if name.startswith("jinja2@") and "." not in name]
        assert (jinja2.__version__[0], [name[:8] for name in guests]) == ("3", ["jinja2@2"])

    project.code(program)


def test_sqlalchemy_1_and_2_serve_databases_and_sqlmodel(online: Machine) -> None:
    project = online.project(["databases[aiosqlite]==0.7.0", "sqlmodel==0.0.22"])
    project.lock("--split")
    project.install()

    def program():
        import asyncio
        import sys

        import databases
        import sqlalchemy
        import sqlmodel

        class Hero(sqlmodel.SQLModel, table=True):
            id: int | None = sqlmodel.Field(default=None, primary_key=True)
            name: str

        engine = sqlmodel.create_engine("sqlite://")
        sqlmodel.SQLModel.metadata.create_all(engine)
        with sqlmodel.Session(engine) as session:
            session.add(Hero(name="a"))
            session.commit()
            assert [hero.name for hero in session.exec(sqlmodel.select(Hero))] == ["a"]

        async def main():
            async with databases.Database("sqlite+aiosqlite:///x.db") as database:
                await database.execute("create table t (a int)")
                await database.execute("insert into t values (1)")
                assert (await database.fetch_one("select count(*) from t"))[0] == 1

        asyncio.run(main())
        assert sqlalchemy.__version__.startswith("2.") and "sqlalchemy@1_4_54" in sys.modules

    project.code(program)
