"""Names of wheels and sdists."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envknit.files.filenames import is_component, version_in

# A busy machine is no fault of what is tested
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize(
    ("filename", "name", "version"),
    [
        ("click-8.1.7-py3-none-any.whl", "click", "8.1.7"),
        ("Flask_SQLAlchemy-2.5.1-py2.py3-none-any.whl", "flask-sqlalchemy", "2.5.1"),
        ("torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl", "torch", "2.13.0+cpu"),
        ("simple-2.0-1-py2.py3-none-any.whl", "simple", "2.0"),
        ("simple-2.0-1_b-py2.py3-none-any.whl", "simple", "2.0"),
        ("zope-interface-5.0.tar.gz", "zope-interface", "5.0"),
        ("zope.interface-5.0.tar.gz", "zope-interface", "5.0"),
        ("foo-2-1.0.zip", "foo-2", "1.0"),
        ("foo-1.0-beta1.tar.gz", "foo", "1.0b1"),
    ],
)
def test_a_version_is_read_out_of_a_file_name(filename: str, name: str, version: str) -> None:
    assert version == str(version_in(filename, name))


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        ("click-8.1.7-py3-none-any.whl", "clock"),
        ("click-8.1.7-any.whl", "click"),
        ("click-8.1.7--none-any.whl", "click"),
        ("click-eight-py3-none-any.whl", "click"),
        ("click-8.1.7-x1-py3-none-any.whl", "click"),
        ("click-8.1.7.exe", "click"),
        ("click-8.1.7.tar.bz2", "click"),
        ("click.tar.gz", "click"),
        ("../click-8.1.7.tar.gz", "click"),
        ("..%2fclick-8.1.7.tar.gz", "click"),
        ("", "click"),
    ],
)
def test_other_files_have_none(filename: str, name: str) -> None:
    assert version_in(filename, name) is None


@UNHURRIED
@given(st.text())
def test_a_component_never_leaves_a_folder(text: str) -> None:
    if is_component(text):
        assert "/" not in text
        assert "\\" not in text
        assert text not in {".", ".."}
        assert "\0" not in text
