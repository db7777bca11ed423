import logging

import pyarrow as pa
import pytest

from hmdb_kedro.extraction import progress

ROWS = [pa.RecordBatch.from_pylist([{"status": s}]) for s in ("ok", "unreadable", "ok")]


@pytest.fixture(params=[True, False])
def _terminal(request, monkeypatch):
    class Console(progress.get_console().__class__):
        is_terminal = request.param

    console = Console(file=open("/dev/null", "w"))  # noqa: SIM115
    monkeypatch.setattr(progress, "get_console", lambda: console)


@pytest.mark.usefixtures("_terminal")
def test_rows_pass_and_the_account_ends_the_stage(caplog):
    with caplog.at_level(logging.INFO, logger=progress.__name__):
        assert list(progress.watched(iter(ROWS), 3, "flow")) == ROWS
    assert "flow: 3 of 3 clips" in caplog.text
    assert "1 rejected" in caplog.text


def test_a_log_gets_a_line_now_and_then(caplog, monkeypatch):
    monkeypatch.setattr(progress, "_LINE_EVERY_S", 0.0)
    with caplog.at_level(logging.INFO, logger=progress.__name__):
        list(progress._with_lines(iter(ROWS), 3, "flow"))
    assert "flow: 1 of 3 clips" in caplog.text
    assert "min left" in caplog.text
