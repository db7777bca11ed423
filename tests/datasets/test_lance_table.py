from pathlib import Path

import lance
import pandas as pd
import pyarrow as pa
import pytest
from kedro.io import DataCatalog, DatasetError
from kedro.io.core import Version, VersionNotFoundError

from hmdb_kedro.datasets import LanceProgress, LanceTable


def rows(**values):
    return pd.DataFrame({"clip_id": list(values), "value": list(values.values())})


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "table.lance")


def table(path, load=None, save="2026-01-01T00.00.00.000Z"):
    return LanceTable(path=path, load_as="pandas", version=Version(load, save))


def content(dataset):
    return dict(dataset.load().to_numpy().tolist())


def test_saving_adds_new_clips_and_replaces_known_ones(path):
    dataset = table(path)
    dataset.save(rows(b=1, a=2))
    dataset.save(rows(a=3, c=4))
    dataset.confirm()
    assert content(dataset) == {"a": 3, "b": 1, "c": 4}


def test_a_table_without_a_confirmed_version_does_not_exist_yet(path):
    dataset = table(path)
    assert not dataset.exists()
    dataset.save(rows(a=1))
    assert not dataset.exists()
    with pytest.raises(DatasetError, match="no version yet"):
        dataset.load()
    dataset.confirm()
    assert dataset.exists()


def test_rows_of_a_killed_run_are_seen_as_progress(path):
    progress = LanceProgress(path=path, columns=["clip_id", "value"])
    assert progress.load().empty
    assert list(progress.load().columns) == ["clip_id", "value"]
    table(path).save(rows(a=1))
    assert progress.load().to_numpy().tolist() == [["a", 1]]


def test_a_table_that_a_kill_left_without_a_commit_is_begun_anew(path):
    (Path(path) / "_versions").mkdir(parents=True)
    assert LanceProgress(path=path, columns=["clip_id"]).load().empty
    dataset = table(path)
    assert not dataset.exists()
    dataset.save(rows(a=1))
    dataset.confirm()
    assert content(dataset) == {"a": 1}


def test_no_kill_leaves_new_rows_under_old_settings(path, monkeypatch):
    def with_settings(value, **values):
        return pa.Table.from_pandas(rows(**values)).replace_schema_metadata({"settings": value})

    def killed(*_, **__):
        raise KeyboardInterrupt

    dataset = LanceTable(path=path)
    dataset.save(with_settings("1", a=1))
    for step in ("update_schema_metadata", "merge_insert"):
        monkeypatch.setattr(lance.LanceDataset, step, killed)
        with pytest.raises(KeyboardInterrupt):
            dataset.save(with_settings("2", a=2, b=2))
        monkeypatch.undo()
        assert lance.dataset(path).to_table()["value"].to_pylist() == [1]
    dataset.save(with_settings("2", a=2, b=2))
    assert lance.dataset(path).schema.metadata == {b"settings": b"2"}
    assert lance.dataset(path).to_table()["value"].to_pylist() == [2, 2]


def test_an_old_version_stays_what_it_was(path):
    table(path, save="v1").save(rows(a=1))
    table(path, save="v1").confirm()
    table(path, save="v2").save(rows(a=2, b=3))
    table(path, save="v2").confirm()
    assert content(table(path, load="v1")) == {"a": 1}
    assert content(table(path)) == {"a": 2, "b": 3}
    assert table(path).list_versions() == ["v2", "v1"]


def test_a_run_that_commits_nothing_makes_no_version(path):
    table(path, save="v1").save(rows(a=1))
    table(path, save="v1").confirm()
    table(path, save="v2").confirm()
    assert table(path).list_versions() == ["v1"]


def test_an_unknown_version_is_named(path):
    table(path).save(rows(a=1))
    table(path).confirm()
    with pytest.raises(VersionNotFoundError, match="v9"):
        table(path, load="v9").load()
    assert not table(path, load="v9").exists()


def test_the_catalog_loads_a_version_by_name(path):
    for version, value in (("v1", 1), ("v2", 2)):
        table(path, save=version).save(rows(a=value))
        table(path, save=version).confirm()
    entry = {"type": "hmdb_kedro.datasets.LanceTable", "path": path, "load_as": "pandas"}
    catalog = DataCatalog.from_config({"numbers": entry | {"versioned": True}})
    assert catalog.load("numbers")["value"].tolist() == [2]
    assert catalog.load("numbers", version="v1")["value"].tolist() == [1]


def test_progress_is_read_only(path):
    with pytest.raises(DatasetError, match="read-only"):
        LanceProgress(path=path, columns=["clip_id"]).save(rows(a=1))


def test_an_optional_table_is_none_until_it_has_a_version(path):
    dataset = LanceTable(path=path, optional=True, version=Version(None, None))
    assert dataset.load() is None
    written = table(path)
    written.save(rows(a=1))
    assert dataset.load() is None
    written.confirm()
    assert dataset.load().version == "2026-01-01T00.00.00.000Z"
