"""Pairs of real packages side by side in one process, each used for real with its own dependencies (issue "use", 1)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from kit import Machine

if TYPE_CHECKING:
    from kit import Project

pytestmark = [pytest.mark.network, pytest.mark.timeout(300)]

# Django 3.2 imports `cgi`, which Python 3.13 has no more
OLD_DJANGO = "3.2.25" if sys.version_info < (3, 13) else "4.2.11"
# The `pkg_resources` of setuptools 65 needs what Python 3.12 has no more
OLD_SETUPTOOLS = "65.7.0" if sys.version_info < (3, 12) else "67.8.0"
NEW = [
    "requests==2.31.0", "urllib3==2.2.1", "flask==3.0.3", "django==5.0.6", "attrs==23.2.0", "sqlalchemy==2.0.35",
    "click==8.1.7", "pyyaml==6.0.2", "setuptools==69.5.1", "marshmallow==3.21.3", "python-dateutil==2.9.0.post0",
    "six==1.17.0",
]  # fmt: skip
OLD = [
    "requests==2.28.2", "flask==1.1.4", "markupsafe==2.0.1", f"django=={OLD_DJANGO}", "attrs==19.3.0",
    "sqlalchemy==1.4.54", "click==7.1.2", "pyyaml==5.3.1", f"setuptools=={OLD_SETUPTOOLS}", "marshmallow==2.21.0",
    "python-dateutil==2.8.2", "six==1.16.0",
]  # fmt: skip


@pytest.fixture(name="project", scope="session")
def _project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One project for all: new versions plain, old ones in an environment beside them."""
    machine = Machine(tmp_path_factory.mktemp("real"), None)
    return machine.project(NEW, environments={"old": OLD}).ready()


def test_requests_with_urllib3_1_and_2(project: Project) -> None:
    def program():
        import http.server
        import threading

        import envknit

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(self.headers["User-Agent"].encode())

            def log_message(self, *args):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"

        import requests as new
        import urllib3

        with envknit.use("requests", "2.28.2") as old:
            import requests.adapters
            from requests.packages.urllib3.util.retry import Retry

            session = requests.Session()
            session.mount("http://", requests.adapters.HTTPAdapter(max_retries=Retry(1)))
            assert session.get(url).text == "python-requests/2.28.2"
            assert requests.packages.urllib3.__version__.startswith("1.26")
        assert new.get(url).text == "python-requests/2.31.0" and urllib3.__version__.startswith("2.")
        assert Retry is not urllib3.Retry and old.adapters.Retry is Retry and new.adapters.Retry is urllib3.Retry
        import importlib.metadata
        import pickle

        assert importlib.metadata.version("requests") == "2.31.0"
        again = pickle.loads(pickle.dumps(session.get(url)))
        assert isinstance(again, old.Response) and not isinstance(again, new.Response)

    project.code(program)


def test_flask_1_and_3_with_all_below_them(project: Project) -> None:
    def program():
        import sys
        import warnings

        import envknit

        warnings.simplefilter("ignore")

        def serve(flask):
            app = flask.Flask("app")
            app.secret_key = "x"

            @app.route("/")
            def index():
                flask.session["n"] = 1
                return flask.render_template_string("{{ x }} {{ '<b>'|safe }} {{ n|default(7) }}", x="<i>")

            response = app.test_client().get("/")
            assert "session=" in response.headers["Set-Cookie"]
            return response.data.decode()

        import flask as new

        with envknit.use("flask", "1.1.4") as old:
            pass
        for _ in range(2):
            assert serve(old) == serve(new) == "&lt;i&gt; <b> 7"

        def versions(flask):
            import importlib.metadata as metadata

            names = "jinja2", "werkzeug", "markupsafe", "itsdangerous", "click"
            look = eval("lambda name: __import__('importlib.metadata').metadata.version(name)", vars(flask))
            return [".".join(look(name).split(".")[:2]) for name in names]

        assert versions(old) == ["2.11", "1.0", "2.0", "1.1", "7.1"], versions(old)
        assert versions(new)[0] == "3.1" and versions(new)[4] == "8.1", versions(new)
        assert old.Markup.__module__ == "markupsafe@2_0_1" and new.Flask.__module__ == "flask.app"

    project.code(program)


MODELS = """
    from django.db import models
    class Author(models.Model):
        name = models.CharField(max_length=50)
    class Book(models.Model):
        title = models.CharField(max_length=50)
        author = models.ForeignKey(Author, models.CASCADE, related_name="books")
"""


def test_two_djangos_with_two_settings_and_two_databases(project: Project) -> None:
    for shop in ("old_shop", "new_shop"):
        project.write(f"{shop}/__init__.py", "")
        project.write(f"{shop}/models.py", MODELS)
    project.code(f"""
        import envknit, warnings
        warnings.simplefilter("ignore")

        def start(django, shop):
            from django.conf import settings
            settings.configure(
                DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": shop + ".sqlite3"}}}},
                DEFAULT_AUTO_FIELD="django.db.models.AutoField", SECRET_KEY=shop, USE_TZ=True, INSTALLED_APPS=[shop],
                TEMPLATES=[{{"BACKEND": "django.template.backends.django.DjangoTemplates"}}],
            )
            django.setup()
            from django.core.management import call_command
            from django.db import connection, models
            call_command("migrate", run_syncdb=True, verbosity=0)
            app = __import__(shop + ".models").models
            return settings, connection, models, app.Author, app.Book

        import django
        new_django = django
        new = start(django, "new_shop")
        with envknit.use("django", "{OLD_DJANGO}") as old_django:
            old = start(old_django, "old_shop")
        assert (old_django.__version__, new_django.__version__) == ("{OLD_DJANGO}", "5.0.6")
        for n in range(3):
            for settings, connection, models, author, book in (old, new):
                book.objects.create(title=str(n), author=author.objects.create(name=settings.SECRET_KEY + str(n)))
        for settings, connection, models, author, book in (old, new):
            found = book.objects.filter(models.Q(author__name__endswith="1") | models.Q(title="2")).order_by("pk")
            assert [each.author.name for each in found.select_related()] == [settings.SECRET_KEY + n for n in "12"]
            assert author.objects.annotate(n=models.Count("books")).filter(n=1).count() == 3
            assert connection.settings_dict["NAME"] == settings.SECRET_KEY + ".sqlite3"
        with envknit.use("django", "{OLD_DJANGO}"):
            from django.template import engines
        assert engines["django"].from_string("{{{{ x|upper }}}}").render({{"x": "a"}}) == "A"
        assert old[3].__mro__[1].__module__ == "django@{OLD_DJANGO.replace(".", "_")}.db.models.base"
        assert new[3].__mro__[1].__module__ == "django.db.models.base"
    """)


def test_smaller_pairs(project: Project) -> None:
    """`attrs`, `jinja2`, `click`, PyYAML (its C part is optional), marshmallow, and what stands on `six`."""

    def program():
        import warnings

        import envknit

        warnings.simplefilter("ignore")
        import attr
        import attrs
        import click
        import dateutil.parser
        import jinja2
        import marshmallow
        import six
        import yaml

        old = {
            n: envknit.import_version(n, v, env="old", pure=True)
            for n, v in (
                ("attrs", "19.3.0"),
                ("click", "7.1.2"),
                ("pyyaml", "5.3.1"),
                ("marshmallow", "2.21.0"),
                ("python-dateutil", "2.8.2"),
                ("six", "1.16.0"),
                ("jinja2", "2.11.3"),
            )
        }
        assert old["attrs"].__version__ == "19.3.0" and attr.__version__ == attrs.__version__ == "23.2.0"
        for a in (old["attrs"], attr):
            C = a.make_class("C", ["x", "y"])
            assert a.asdict(C(1, 2)) == {"x": 1, "y": 2}
        for y, version in ((old["pyyaml"], "5.3.1"), (yaml, "6.0.2")):
            assert y.__version__ == version and y.safe_load("a: [1, 2]") == {"a": [1, 2]}
        assert old["pyyaml"].load("a: 1", old["pyyaml"].FullLoader) == {"a": 1}
        old_m = old["marshmallow"]

        class Old(old_m.Schema):
            n = old_m.fields.Integer()

        class New(marshmallow.Schema):
            n = marshmallow.fields.Integer()

        assert Old().load({"n": "1"}).data == {"n": 1} and New().load({"n": "1"}) == {"n": 1}
        parse = __import__(old["python-dateutil"].__name__ + ".parser", fromlist=["x"]).parse
        assert parse("2020-01-02").day == dateutil.parser.parse("2020-01-02").day == 2
        assert (old["six"].__version__, six.__version__) == ("1.16.0", "1.17.0")
        assert parse.__globals__["text_type"] is str
        with envknit.use("six", "1.16.0"):
            from six.moves import urllib_parse as parse_old
            from six.moves.urllib.parse import quote
        from six.moves import urllib_parse as parse_new

        assert quote("a b") == parse_new.quote("a b") == "a%20b"
        for c, version in ((old["click"], "7.1.2"), (click, "8.1.7")):
            run = __import__(c.__name__ + ".testing", fromlist=["x"]).CliRunner()

            @c.command()
            @c.option("--n", type=int)
            def main(n):
                c.echo(f"{version} {n}")

            assert run.invoke(main, ["--n", "3"]).output == f"{version} 3\n"
        for j in (old["jinja2"], jinja2):
            assert j.Template("{{ a }}").render(a=3) == "3"

    project.code(program)


def test_sqlalchemy_1_and_2_without_their_compiled_parts(project: Project) -> None:
    def program():
        import sqlalchemy as new

        import envknit

        try:
            envknit.use("sqlalchemy", "1.4.54")
        except envknit.CExtensionError as error:
            assert "pure=True" in error.hint
        with envknit.use("sqlalchemy", "1.4.54", pure=True) as old:
            import sqlalchemy.orm as old_orm
        import sqlalchemy.orm as new_orm

        assert (old.__version__, new.__version__) == ("1.4.54", "2.0.35")

        def work(sa, orm):
            Base = orm.declarative_base()

            class Thing(Base):
                __tablename__ = "thing"
                id = sa.Column(sa.Integer, primary_key=True)
                name = sa.Column(sa.String)

            engine = sa.create_engine("sqlite://")
            Base.metadata.create_all(engine)
            with orm.Session(engine) as session:
                session.add_all([Thing(name="a"), Thing(name="b")])
                session.commit()
                return [t.name for t in session.execute(sa.select(Thing).order_by(Thing.id)).scalars()]

        assert work(old, old_orm) == work(new, new_orm) == ["a", "b"]

    project.code(program)


def test_setuptools_65_and_69(project: Project) -> None:
    project.code(f"""
        import warnings, envknit
        warnings.simplefilter("ignore")
        import setuptools as new
        with envknit.use("setuptools", "{OLD_SETUPTOOLS}") as old:
            import setuptools.dist, pkg_resources
            assert pkg_resources.parse_version("1.0") < pkg_resources.parse_version("2.0")
        assert new.__version__ == "69.5.1"
        assert eval("__import__('importlib.metadata').metadata.version('setuptools')", vars(old)) == "{OLD_SETUPTOOLS}"
        assert old.dist.Distribution.__module__ == "setuptools@{OLD_SETUPTOOLS.replace(".", "_")}.dist"
        assert old.find_packages(".") == new.find_packages(".")
    """)
