"""States of a training: whole or not at all, and gone on from."""

import errno
import logging
from collections import namedtuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kedro.io import DatasetError

from hmdb_kedro.datasets import Checkpoint
from hmdb_kedro.datasets import checkpoint as module
from hmdb_kedro.datasets.checkpoint import CheckpointFiles, TrainingState
from hmdb_kedro.errors import UserError


def state(epoch):
    arrays = {"weight00000": np.full((2, 3), epoch, np.float32), "step": np.int64(epoch)}
    return TrainingState(epoch, arrays, {"epochs": [{"loss": 1 / epoch}], "run_id": None})


def fill(folder, n_epochs=3):
    files = CheckpointFiles(folder)
    for epoch in range(1, n_epochs + 1):
        files.save(state(epoch))
    return files


def assert_is(found, epoch):
    expected = state(epoch)
    assert (found.epoch, found.notes) == (epoch, expected.notes)
    assert found.arrays.keys() == expected.arrays.keys()
    for name, value in expected.arrays.items():
        assert found.arrays[name].dtype == value.dtype
        assert np.array_equal(found.arrays[name], value)


def test_the_newest_state_comes_back_and_one_before_it_is_kept(tmp_path):
    assert_is(fill(tmp_path).restore(), 3)
    assert [file.name for file in sorted(tmp_path.iterdir())] == [
        "epoch00002.npz",
        "epoch00003.npz",
    ]


def test_nothing_comes_back_from_an_empty_place(tmp_path):
    assert CheckpointFiles(tmp_path / "nowhere").restore() is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_wrong_byte_leads_to_the_state_before(tmp_path, data):
    files = fill(tmp_path)
    newest = tmp_path / "epoch00003.npz"
    content = bytearray(newest.read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= data.draw(st.integers(1, 255))
    newest.write_bytes(content)
    assert_is(files.restore(), 2)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_cut_leads_to_the_state_before(tmp_path, data):
    files = fill(tmp_path)
    newest = tmp_path / "epoch00003.npz"
    content = newest.read_bytes()
    newest.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    assert_is(files.restore(), 2)


def test_a_damaged_state_is_told(tmp_path, caplog):
    files = fill(tmp_path)
    (tmp_path / "epoch00003.npz").write_bytes(b"no state")
    with caplog.at_level(logging.WARNING):
        assert_is(files.restore(), 2)
    assert "epoch00003.npz is damaged (its checksum differs): trying the one before" in caplog.text


def test_a_kill_while_a_state_is_written_leaves_the_one_before(tmp_path):
    files = fill(tmp_path)
    (tmp_path / "epoch00004.half").write_bytes(b"half a state")
    assert_is(files.restore(), 3)


def test_a_full_disk_is_told_and_costs_no_state(tmp_path, monkeypatch, caplog):
    files = fill(tmp_path)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.np, "savez", full)
    files.save(state(4))
    assert "No checkpoint of epoch 4: No space left on device" in caplog.text
    assert "Training goes on" in caplog.text
    assert_is(files.restore(), 3)
    assert not list(tmp_path.glob("*.half"))


def test_too_little_space_is_told_before_anything_is_trained(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")(10**9, 0, 200 * 10**6)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage)
    files = CheckpointFiles(tmp_path / "not yet" / "there")
    files.require_space(10**7)
    with pytest.raises(UserError, match=r"need 352 MB in .*Received: 200 MB free.*data_root"):
        files.require_space(10**8)


def test_parts_stand_apart_and_only_those_asked_for_are_removed(tmp_path):
    fill(tmp_path / "other settings")
    dataset = Checkpoint(path=str(tmp_path))
    mine = dataset.load().part("mine")
    mine.part("selection").save(state(1))
    assert dataset.load().part("mine").part("refit").restore() is None
    assert_is(Checkpoint(path=str(tmp_path)).load().part("mine").part("selection").restore(), 1)
    dataset.confirm()
    assert [folder.name for folder in tmp_path.iterdir()] == ["other settings"]
    assert dataset.load().part("mine").part("selection").restore() is None


def test_no_node_saves_one(tmp_path):
    with pytest.raises(DatasetError, match="input of a training node"):
        Checkpoint(path=str(tmp_path)).save(state(1))
