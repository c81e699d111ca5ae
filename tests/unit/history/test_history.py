"""Histories go to a file and come back, and pair invocations with answers."""

from pathlib import Path

import pytest

from tests.history.__main__ import main
from tests.history.checker import check
from tests.history.history import FinalLog, History, Recorder
from tests.history.simulation import Simulation


def test_a_history_comes_back_from_its_file(tmp_path: Path) -> None:
    history = History(Simulation(1, with_reset=True).records)

    history.dump(tmp_path / "history.ndjson")

    assert History.load(tmp_path / "history.ndjson").records == history.records


def test_a_recorder_writes_what_it_keeps(tmp_path: Path) -> None:
    run = Simulation(2)
    recorder = Recorder(tmp_path / "history.ndjson")

    for record in run.records:
        recorder.write(record)
    recorder.write(*run.logs)
    recorder.close()

    loaded = History.load(tmp_path / "history.ndjson")
    assert loaded.records == recorder.history.records == [*run.records, *run.logs]
    assert check(loaded, loaded.logs()) == []


def test_the_recorder_numbers_operations_and_its_clock_never_goes_back() -> None:
    recorder = Recorder()

    times = [recorder.now() for _ in range(100)]

    assert [recorder.next_op() for _ in range(3)] == [1, 2, 3]
    assert times == sorted(times)


def test_the_command_judges_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Simulation(3)
    first, second = run.logs
    halved = FinalLog(store=first.store, backend_id=first.backend_id, entries=first.entries[1:])
    History([*run.records, first, second]).dump(tmp_path / "good.ndjson")
    History([*run.records, halved, second]).dump(tmp_path / "bad.ndjson")

    assert main(tmp_path / "good.ndjson") == 0
    assert "0 findings" in capsys.readouterr().out
    assert main(tmp_path / "bad.ndjson") == 1
    assert "[chain]" in capsys.readouterr().out
