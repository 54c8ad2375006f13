"""What is logged on the worker's side, and from which level on it is asked for."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from envknit.remote.output import forward_logs, host_level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kit.pair import Pair


@pytest.fixture(name="root")
def _root() -> Iterator[logging.Logger]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize(
    ("levels", "lowest"), [((30, 0), 30), ((30, 10), 10), ((0, 10), 0), ((0, 0), 0), ((40, 50), 40)]
)
def test_the_level_is_the_lowest_that_a_logger_of_the_host_takes(
    root: logging.Logger, monkeypatch: pytest.MonkeyPatch, levels: tuple[int, int], lowest: int
) -> None:
    one = logging.Logger("one", levels[1])  # noqa: LOG001 - not one of this process
    monkeypatch.setattr(logging.Logger.manager, "loggerDict", {"one": one, "a": logging.PlaceHolder(one)})
    root.setLevel(levels[0])

    assert host_level() == lowest


def test_a_record_crosses_once_with_the_text_of_what_it_was_made_of(root: logging.Logger, pair: Pair) -> None:
    told: list[dict[str, Any]] = []
    pair.near.operations["log"] = lambda _, facts: told.append(facts)
    for _ in range(2):
        forward_logs(pair.far, logging.INFO)
    logger = logging.getLogger("of.the.worker")

    logger.debug("below the level")
    try:
        {}["inner"]
    except KeyError:
        logger.exception("%s failed", object, extra={"plain": 1, "rich": object()})

    (facts,) = told
    assert (facts["name"], facts["msg"], facts["args"], facts["plain"]) == (
        "of.the.worker",
        f"{object} failed",
        None,
        1,
    )
    assert "KeyError: 'inner'" in facts["exc_text"]
    assert "rich" not in facts
    assert root.level == logging.INFO


def test_where_the_host_is_gone_a_warning_is_said_as_where_nothing_is_configured(
    root: logging.Logger, pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    root.handlers.clear()
    forward_logs(pair.far, logging.DEBUG)
    pair.far.close("it is over")

    logging.getLogger("of.the.worker").info("said to nobody")
    logging.getLogger("of.the.worker").warning("said here")

    assert capsys.readouterr().err == "said here\n"
