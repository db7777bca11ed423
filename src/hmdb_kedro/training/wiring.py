"""The node that follows every model's training."""

from kedro.pipeline import Node

from hmdb_kedro.training.streams import evaluate_model


def score_node(pictures: str) -> Node:
    """Return the node from `model` and `history` to `scores`, `protocol` and `cost`.

    Args:
        pictures: The table the model reads: `frames` or `flow`.
    """
    return Node(
        evaluate_model,
        inputs=["model", "history", "clip_index", pictures, "params:split"],
        outputs=["scores", "protocol", "cost"],
        name="score",
    )
