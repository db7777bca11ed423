"""The nodes that every model shares: its training, and the scoring that follows."""

from collections.abc import Callable
from typing import Any

from kedro.pipeline import Node

from hmdb_kedro.training.streams import evaluate_model


def train_node(train: Callable[..., Any], model: str, *pictures: str) -> Node:
    """Return the node that trains a model.

    Args:
        train: The training, with its inputs in the order below.
        model: Its branch of parameters.
        pictures: The tables it reads.
    """
    return Node(
        train,
        inputs=[
            "clip_index",
            *pictures,
            "pretrained_weights",
            f"params:{model}",
            "params:seed",
            "epoch_log",
            "checkpoint",
        ],
        outputs=["model", "history", "val_scores"],
        name="train",
        confirms="checkpoint",
    )


def score_node(pictures: str) -> Node:
    """Return the node that follows it, to `scores`, `protocol`, `cost` and `onnx`.

    The model goes out as it came in: it is loaded here already, and `onnx` stores it as such.

    Args:
        pictures: The table the model reads: `frames` or `flow`.
    """
    return Node(
        evaluate_model,
        inputs=[
            "model",
            "history",
            "val_scores",
            "clip_index",
            pictures,
            "params:split",
            "params:data_prep",
        ],
        outputs=["scores", "protocol", "cost", "onnx"],
        name="score",
    )
