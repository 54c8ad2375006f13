"""What a file says of itself, what a probe's report means, and where that is remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envknit.interpreter import extension

if TYPE_CHECKING:
    from pathlib import Path

DEATH = "the probe's process died of SIGABRT"


def judged(log: list[str], death: str = "") -> dict[str, str]:
    return {file: verdict.why for file, verdict in extension._judge(log, death).items()}


def test_a_file_that_never_asks_for_the_second_phase_has_one(tmp_path: Path) -> None:
    for content, expected in ((b"", False), (b"\0PyModule_Create2\0", False), (b"\0PyModuleDef_Init\0", True)):
        file = tmp_path / "module.so"
        file.write_bytes(content)

        assert expected is extension.is_multi_phase(str(file))


def test_what_was_loaded_twice_and_ended_well_is_proven() -> None:
    log = ["load\t/a.so", "done\t/a.so"] * 2

    assert judged(log) == {"/a.so": ""}


def test_one_refusal_of_two_counts() -> None:
    log = ["load\t/a.so", "done\t/a.so", "load\t/a.so", "fail\t/a.so\tonly once", "stop\tno import"]

    assert judged(log) == {"/a.so": "only once", "": "no import"}


def test_a_death_is_the_fault_of_what_was_being_loaded() -> None:
    log = ["load\t/a.so", "done\t/a.so", "load\t/b.so"]

    assert judged(log, DEATH) == {"/a.so": "", "/b.so": f"{DEATH} while it was loaded", "": DEATH}


def test_a_death_afterwards_is_the_fault_of_all_that_was_loaded() -> None:
    log = ["load\t/a.so", "done\t/a.so"]

    assert judged(log, DEATH) == {"/a.so": f"{DEATH} after it was loaded", "": DEATH}


def test_an_initialisation_that_reached_the_host_refuses_single_phase_files(tmp_path: Path) -> None:
    single, multi = tmp_path / "single.so", tmp_path / "multi.so"
    single.write_bytes(b"x")
    multi.write_bytes(b"\0PyModuleDef_Init\0")
    log = [f"{event}\t{file}" for file in (single, multi) for event in ("load", "done")] + ["came\tinto the host"]

    assert judged(log) == {str(single): "into the host", str(multi): ""}
