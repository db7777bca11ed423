"""The nodes that follow every model's training."""

from kedro.pipeline import Node

from hmdb_kedro.training.streams import describe_protocol, measure_cost, score_parts


def after_training(pictures: str) -> list[Node]:
    """Return the nodes from `model` and `history` to `scores`, `protocol` and `cost`.

    Args:
        pictures: The table the model reads: `frames` or `flow`.
    """
    return [
        Node(score_parts, ["model", "clip_index", pictures], "scores", name="score"),
        Node(
            describe_protocol,
            ["model", "history", pictures, "params:split"],
            "protocol",
            name="describe",
        ),
        Node(measure_cost, ["model", "history"], "cost", name="measure_cost"),
    ]
