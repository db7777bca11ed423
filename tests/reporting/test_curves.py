"""A training's figure: what it draws of a history."""

from hmdb_kedro.reporting.curves import plot_curves

EPOCHS = [
    {"loss": 2.0, "accuracy": 0.2, "val_loss": 1.8, "val_accuracy": 0.3},
    {"loss": 1.0, "accuracy": 0.6, "val_loss": 1.1, "val_accuracy": 0.5},
    {"loss": 0.5, "accuracy": 0.9, "val_loss": 1.4, "val_accuracy": 0.4},
]


def test_each_figure_is_drawn_over_epochs_counted_from_one():
    figure = plot_curves({"epochs": EPOCHS, "chosen_epoch": 2})
    drawn = {(line.name, line.xaxis): (list(line.x), list(line.y)) for line in figure.data}
    assert drawn["training", "x"] == ([1, 2, 3], [2.0, 1.0, 0.5])
    assert drawn["validation", "x2"] == ([1, 2, 3], [0.3, 0.5, 0.4])
    assert {shape.x0 for shape in figure.layout.shapes} == {2}
    assert "epoch 2 stand" in figure.layout.title.text


def test_without_validation_there_is_one_line_a_figure():
    epochs = [{name: row[name] for name in ("loss", "accuracy")} for row in EPOCHS]
    figure = plot_curves({"epochs": epochs, "chosen_epoch": 3})
    assert [line.name for line in figure.data] == ["training", "training"]


def test_two_phases_are_told_and_a_skipped_one_is_not():
    history = {"epochs": EPOCHS, "chosen_epoch": 2}
    told = plot_curves(history | {"phases": {"head": 2, "tune": 1}}).layout.title.text
    assert told.endswith("(2 of head, then 1 of tune)")
    assert "(" not in plot_curves(history | {"phases": {"head": 0, "tune": 3}}).layout.title.text
