"""Dropping old versions: what stays can still be read, what goes is gone and counted."""

import subprocess
import sys

import pyarrow as pa
import pytest
from kedro.io.core import Version

from hmdb_kedro.datasets import LanceTable
from hmdb_kedro.datasets.locks import lock_of, lock_table
from hmdb_kedro.jobs.maintenance import find_stale, remove

VERSIONS = [f"2026-01-0{day}T00.00.00.000Z" for day in range(1, 5)]


def table_at(path, version=None):
    return LanceTable(path=str(path), version=Version(None, version), load_as="pandas")


@pytest.fixture
def data_root(tmp_path):
    for number, version in enumerate(VERSIONS):
        table = table_at(tmp_path / "04_feature" / "flow.lance", version)
        rows = {"clip_id": ["a", "b"], "content": [b"x" * 20_000 + bytes([number]), b"y" * 20_000]}
        table.save(pa.table(rows))
        table.confirm()
        report = tmp_path / "08_reporting" / "report.json" / version / "report.json"
        report.parent.mkdir(parents=True)
        report.write_text("{}" * 100)
    return tmp_path


def used(folder):
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def test_what_can_go_is_listed_first(data_root):
    table, report = find_stale(data_root, keep=2)
    assert table.versions == report.versions == tuple(VERSIONS[:2])
    assert report.n_bytes == 400
    assert table.n_bytes > 0
    assert len(table_at(data_root / "04_feature" / "flow.lance").load()) == 2


def test_a_table_that_a_kill_left_without_a_commit_is_passed_over(tmp_path):
    (tmp_path / "flow.lance" / "_versions").mkdir(parents=True)
    assert find_stale(tmp_path, keep=2) == []


def test_newest_versions_stay_readable_and_the_rest_is_gone(data_root):
    flow = data_root / "04_feature" / "flow.lance"
    before = used(data_root)
    for stale in find_stale(data_root, keep=2):
        remove(stale)
    assert used(data_root) < before
    kept = sorted(path.name for path in (data_root / "08_reporting" / "report.json").iterdir())
    assert kept == VERSIONS[2:]
    for number, version in enumerate(VERSIONS[2:], start=2):
        rows = LanceTable(path=str(flow), version=Version(version, None), load_as="pandas").load()
        assert rows["content"].iloc[0][-1] == number
    assert table_at(flow)._tags() == VERSIONS[:1:-1]


def test_nothing_is_left_to_remove_the_second_time(data_root):
    for stale in find_stale(data_root, keep=1):
        remove(stale)
    assert [stale.versions for stale in find_stale(data_root, keep=1)] in ([], [()])


def test_a_table_that_is_being_written_is_left_alone(data_root):
    flow = data_root / "04_feature" / "flow.lance"
    stale = next(stale for stale in find_stale(data_root, keep=1) if stale.path == flow)
    with lock_table("flow", lock_of(flow)):
        # In a process of its own, as a second command would be.
        code = f"""
from pathlib import Path
from hmdb_kedro.datasets.locks import lock_of, lock_table
from hmdb_kedro.jobs.maintenance import find_stale, remove
remove(find_stale(Path({str(data_root)!r}), 1)[0])
"""
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
    assert "Another run is writing `flow`" in done.stderr
    assert len(table_at(flow)._tags()) == len(VERSIONS)
    remove(stale)
    assert len(table_at(flow)._tags()) == 1


def test_rows_of_a_run_under_way_are_kept(data_root):
    flow = data_root / "04_feature" / "flow.lance"
    table_at(flow, "2026-02-01T00.00.00.000Z").save(
        pa.table({"clip_id": ["c"], "content": [b"new"]})
    )
    for stale in find_stale(data_root, keep=1):
        remove(stale)
    head = LanceTable(path=str(flow), load_as="pandas").load()
    assert sorted(head["clip_id"]) == ["a", "b", "c"]
