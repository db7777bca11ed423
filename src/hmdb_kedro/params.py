"""Every parameter as a typed model: types and limits here, values in `conf/*/parameters_*.yml`.

`RootParams` covers all of them, so that a wrong value or an unknown key stops a run before any
node does. Nothing heavy is imported here.
"""

import hashlib
import json
import re
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from hmdb_kedro.errors import UserError

Fraction = Annotated[float, Field(ge=0, le=1)]
BatchNorm = Literal["frozen", "partial", "trained"]
# The names that open a choice: what else has to know of a new one, CONTRIBUTING.md tells.
ModelName = Literal["spatial", "cnn3d_v1", "cnn3d_v2", "temporal"]
FlowAlgorithm = Literal["farneback", "tvl1", "dis"]
DisPreset = Literal["ultrafast", "fast", "medium"]
FusionRuleName = Literal["log_average", "average", "weighted", "svm"]
KnownSet = Literal["hmdb51"]
MODELS: tuple[str, ...] = get_args(ModelName)
# Five halvings must leave something.
_LEAST_OF_RESNET_PX = 32
# What combines them; named like a model wherever scores, runs and figures are.
FUSED = "two_stream"


def hash_values(values: Any) -> str:
    """Return 16 hex digits that change with plain values, whatever the order of their keys."""
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Params(BaseModel):
    """A branch of the parameters: frozen, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class WorkParams(Params):
    """How work is spread over clips, below the settings that shape a clip's row."""

    backend: Literal["threads", "processes", "dask"] = Field(
        description="Workers that share the clips."
    )
    scheduler: str = Field(description="Read by `dask`: `local`, or a running scheduler's address.")
    n_jobs: int = Field(
        ge=-1, description="Number of workers; -1 is as many as the cores keep busy."
    )
    batch_clips: int = Field(ge=1, description="Clips committed to the table at once.")
    clip_timeout_s: float = Field(gt=0, description="Seconds after which a clip is given up.")

    @field_validator("n_jobs")
    @classmethod
    def _some_job(cls, n_jobs: int) -> int:
        if n_jobs == 0:
            raise ValueError("must be -1 (as many as the cores keep busy) or at least 1")
        return n_jobs

    def settings(self) -> dict[str, Any]:
        """Return what shapes a row: all but how work is spread."""
        return self.model_dump(mode="json", exclude=set(WorkParams.model_fields))

    def settings_hash(self) -> str:
        """Return 16 hex digits that change when a setting does."""
        return hash_values(self.settings())

    def settings_hash_timed_out(self) -> str:
        """Return the same for the row of a clip given up, which the limit shapes, too."""
        return hash_values(self.settings() | {"clip_timeout_s": self.clip_timeout_s})

    def settings_hashes(self) -> tuple[str, str]:
        """Return what the rows hold that need not be made again."""
        return self.settings_hash(), self.settings_hash_timed_out()


class DataPrepParams(WorkParams):
    """Indexing, splits and validation."""

    splits: Literal["official", "auto"] = Field(
        description="Official split lists, or all parts drawn by source video."
    )
    source_pattern: str | None = Field(
        description="Regular expression with a group `source`, searched in the file stem."
    )
    val_fraction: float = Field(ge=0, le=0.5, description="Share of training clips for validation.")
    test_fraction: float = Field(gt=0, lt=1, description="Share of test clips in auto splits.")
    min_frames: int = Field(ge=1, description="Clips with fewer decoded frames are too_short.")
    min_decoded_share: Fraction = Field(
        description="Decoded over announced frames below which a clip counts as truncated."
    )
    on_leak: Literal["error", "warn"] = Field(
        description="What a recording, or the same bytes, on both sides of a split is."
    )
    expect: KnownSet | None = Field(
        description="The set whose counts the clips are compared with; null compares nothing."
    )
    classes: tuple[str, ...] | None = Field(description="Only these classes; null for all found.")

    def settings(self) -> dict[str, Any]:
        """Return what shapes a row of the scan; the rest is applied to the index anew."""
        return self.model_dump(mode="json", include={"min_frames", "min_decoded_share"})

    def parts(self) -> dict[str, Any]:
        """Return what decides which clips there are, and in which part each is."""
        kept = {"min_frames", "min_decoded_share", "splits", "source_pattern", "classes"}
        return self.model_dump(mode="json", include=kept | {"val_fraction", "test_fraction"})

    @field_validator("source_pattern")
    @classmethod
    def _has_source_group(cls, pattern: str | None) -> str | None:
        if pattern is None:
            return None
        try:
            groups = re.compile(pattern).groupindex
        except re.error as error:
            raise ValueError(f"must be a regular expression ({error})") from None
        if "source" not in groups:
            raise ValueError("must have a group named source: (?P<source>…)")
        return pattern


class FramesSettings(Params):
    """What shapes the RGB frames of a clip."""

    short_side: int | None = Field(ge=16, description="Pixels of the short side; null is native.")
    stride: int = Field(ge=1, description="Every n-th frame is kept.")
    quality: int = Field(ge=1, le=100, description="JPEG quality.")


class FramesParams(WorkParams, FramesSettings):
    """Extraction of RGB frames."""


class FlowSettings(Params):
    """What shapes the dense optical flow of a clip."""

    algorithm: FlowAlgorithm = Field(description="How flow is computed.")
    dis_preset: DisPreset = Field(description="Read by `dis` alone.")
    short_side: int = Field(ge=16, description="Pixels of the short side flow is computed at.")
    stride: int = Field(ge=1, description="Frames between the two pictures of a pair.")
    gamma: Annotated[float, Field(gt=0)] | Literal["auto"] | None = Field(
        description="Brightening of grey pictures before flow (> 1 brightens); auto per clip."
    )
    bound_px: float = Field(gt=0, description="Displacements are clipped to +-this, in pixels.")
    quality: int = Field(ge=1, le=100, description="JPEG quality of the stored fields.")


class FlowParams(WorkParams, FlowSettings):
    """Extraction of dense optical flow."""


def is_saved_backbone(name: str) -> bool:
    """Whether a backbone is a file rather than a name of keras.applications."""
    return name.endswith(".keras")


class TrainParams(Params):
    """What every model's training takes."""

    image_size: int = Field(ge=16, description="Height and width of the input, in pixels.")
    test_views: int = Field(ge=1, description="Views a clip when scoring, evenly spaced in time.")
    test_crops: Literal["centre", 3, 10] = Field(
        description="Crops of each: the centre, 3 along the longer side, or 10 with mirror images."
    )
    crop_scale_min: Fraction = Field(description="Smallest random crop / short side.")
    flip: bool = Field(description="Random horizontal flip (flow: x negated).")
    dropout: float = Field(ge=0, lt=1, description="Share of features dropped before the head.")
    epochs: int = Field(ge=1, description="The most that are trained.")
    keep: Literal["best", "last"] = Field(
        description="best: the epoch of lowest validation loss; last: the last one, whatever "
        "`patience` is, for validation parts of so few clips that their loss is chance."
    )
    samples_per_clip: int = Field(ge=1, description="Training samples a clip and epoch.")
    batch_size: int = Field(ge=1, description="Samples a training step.")
    optimizer: Literal["adamw", "sgd"] = Field(description="sgd: Nesterov momentum of 0.9.")
    learning_rate: float = Field(gt=0, description="Peak rate, after warm-up.")
    warmup_epochs: float = Field(ge=0, description="Epochs of linear warm-up before cosine decay.")
    weight_decay: float = Field(ge=0, description="Pull of the weights towards 0.")
    label_smoothing: float = Field(
        ge=0, lt=1, description="Share of a label that is spread over all classes."
    )
    mixup: float = Field(ge=0, description="Alpha of the Beta distribution; 0 is off.")
    class_weights: Literal["none", "balanced"] = Field(
        description="balanced: a class's loss weighs as much as its clips are few."
    )
    patience: int | None = Field(ge=1, description="Epochs without gain before a stop.")
    refit: bool = Field(description="Train once more on train + val for the chosen epochs.")
    init_from: str | None = Field(
        description="A model of an earlier run to start from: a .keras file, or a versioned entry."
    )
    precision: Literal["float32", "mixed_bfloat16", "float16"] = Field(
        description="Of the layers' arithmetic; weights stay float32. float16 scales the loss."
    )
    devices: Literal["auto", "cpu", "gpu", "all"] = Field(
        description="auto: the backend's choice; all: every GPU of the machine shares a batch."
    )
    loader_threads: int = Field(ge=1, description="Threads that read and augment batches.")


class SpatialParams(TrainParams):
    """The spatial stream: a 2D network on single RGB frames."""

    backbone: str = Field(
        min_length=1,
        description="resnet50, another name of keras.applications, or a saved .keras backbone.",
    )
    weights: str = Field(
        min_length=1,
        description="imagenet, none, random, or the path of a Keras weights file; a saved backbone "
        "keeps its own but with random.",
    )
    batch_norm: BatchNorm = Field(description="What of the backbone's batch norm is trained.")
    bn_momentum: Fraction = Field(description="Momentum of batch norm's moving averages.")
    head_views: int = Field(ge=1, le=10, description="Fixed views of each segment in phase 1.")
    head_epochs: int = Field(ge=0, description="Epochs of phase 1, the head alone; 0 skips it.")
    head_learning_rate: float = Field(gt=0, description="Peak rate of phase 1.")
    tune_from: str | None = Field(
        description="First stage phase 2 trains (conv4); null for all, none to skip phase 2."
    )
    colour_jitter: Fraction = Field(description="Strength of brightness, contrast and saturation.")

    @field_validator("tune_from")
    @classmethod
    def _trains_something(cls, stage: str | None, info: ValidationInfo) -> str | None:
        needed = {"backbone", "weights", "head_epochs", "init_from"}
        if stage != "none" or not needed.issubset(info.data):  # one of them is told already
            return stage
        if not SpatialParams.model_construct(**info.data).trains_head:
            raise ValueError(
                "`none` leaves nothing to train without a phase 1: give head_epochs >= 1 and "
                "pretrained weights, or a stage"
            )
        return stage

    @property
    def is_pretrained(self) -> bool:
        """Whether the backbone knows anything before it is trained here."""
        if is_saved_backbone(self.backbone):
            return self.weights != "random"
        return self.weights not in ("none", "random")

    @property
    def trains_head(self) -> bool:
        """Whether there is a phase 1: pointless where nothing, or all, is known."""
        return self.head_epochs > 0 and self.is_pretrained and self.init_from is None


class StackParams(TrainParams):
    """A network on a stack of pictures."""

    architecture: Literal["plain", "compact", "oriented", "resnet50"] = Field(
        description="plain: C3D-like with a dense head; compact: batch norm and global pooling; "
        "oriented: compact, on histograms of oriented flow; resnet50: a 2D network that takes the "
        "stack as channels."
    )
    filters: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        min_length=2, max_length=6, description="Channels of each convolutional stage."
    )
    dense_units: int = Field(ge=0, description="Width of the dense head of `plain`; 0 elsewhere.")
    window: int = Field(ge=2, description="Pictures a stack.")
    window_stride: int = Field(ge=1, description="Steps between the pictures of a stack.")
    stride_jitter: int = Field(ge=0, description="Steps by which training varies the stride.")
    time_reversal: bool = Field(
        description="Half of the training samples run backwards: changes classes like sit, stand."
    )

    @field_validator("dense_units")
    @classmethod
    def _plain_has_a_head(cls, units: int, info: ValidationInfo) -> int:
        if info.data.get("architecture") == "plain" and units < 1:
            raise ValueError("must be at least 1 with `architecture: plain`, whose head it is")
        return units


class Cnn3dParams(StackParams):
    """A 3D CNN on stacked RGB frames."""

    architecture: Literal["plain", "compact"] = Field(
        description="plain: C3D-like with a dense head; compact: batch norm and global pooling."
    )
    colour_jitter: Fraction = Field(description="Strength of brightness, contrast and saturation.")
    rgb_difference: bool = Field(description="Each picture less the one before it, as in TSN.")


class TemporalParams(StackParams):
    """The temporal stream: a 3D CNN on stacked flow, or a 2D network on its channels."""

    weights: str = Field(
        min_length=1,
        description="Read by resnet50: imagenet, none, or the path of a Keras weights file.",
    )
    batch_norm: BatchNorm = Field(
        description="Read by resnet50: what of its batch norm is trained."
    )
    bn_momentum: Fraction = Field(description="Read by resnet50: momentum of its moving averages.")
    remove_median: bool = Field(description="Subtract each field's median (camera motion).")
    magnitude: Literal["linear", "sqrt"] = Field(description="sqrt compresses long vectors.")

    @field_validator("architecture")
    @classmethod
    def _resnet_can_shrink(cls, architecture: str, info: ValidationInfo) -> str:
        size = info.data.get("image_size", _LEAST_OF_RESNET_PX)
        if architecture == "resnet50" and size < _LEAST_OF_RESNET_PX:
            raise ValueError(
                f"`resnet50` needs an `image_size` of at least {_LEAST_OF_RESNET_PX}, not {size}"
            )
        return architecture


class TwoStreamParams(Params):
    """Late fusion of the streams, and the comparisons declared before the test part is seen."""

    streams: tuple[ModelName, ...] = Field(
        min_length=2, description="The models that are fused, in this order."
    )
    rule: Literal["auto", FusionRuleName] = Field(
        description="auto: of all rules, the one of the lowest log loss on validation."
    )
    temperature: bool = Field(
        description="A temperature a stream, fitted on validation; auto tries both."
    )
    comparisons: tuple[tuple[str, str], ...] = Field(
        description="Pairs to compare beside those always made: a model, and what it is held to."
    )
    draws: int = Field(ge=1000, description="Draws of the bootstrap and of the permutation test.")

    @field_validator("streams")
    @classmethod
    def _different_streams(cls, streams: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(streams)) < len(streams):
            raise ValueError("must name each stream once")
        return streams


class RootParams(Params):
    """All parameters of a run."""

    split: Literal[1, 2, 3] = Field(description="The official split; names folders too.")
    seed: int = Field(ge=0, description="Of everything random.")
    data_prep: DataPrepParams
    frames: FramesParams
    flow: FlowParams
    spatial: SpatialParams
    cnn3d_v1: Cnn3dParams
    cnn3d_v2: Cnn3dParams
    temporal: TemporalParams
    two_stream: TwoStreamParams
    # Paths: given by --params, read by the catalog alone.
    data_root: str | None = Field(None, description="Folder of everything that is made.")
    raw_videos_dir: str | None = Field(None, description="Folder or archive of the videos.")
    raw_splits_dir: str | None = Field(None, description="Folder or archive of the split lists.")
    external_scores_dir: str | None = Field(
        None, description="Folder of score tables of other tools."
    )
    weights_dir: str | None = Field(None, description="Folder of pretrained weights.")


def models_of(kind: type[TrainParams]) -> tuple[str, ...]:
    """Return the models whose branch of parameters is of a kind."""
    fields = RootParams.model_fields
    return tuple(
        model
        for model in MODELS
        if isinstance(found := fields[model].annotation, type) and issubclass(found, kind)
    )


def check_parameters(parameters: dict[str, Any]) -> RootParams:
    """Validate all parameters of a run.

    Raises:
        UserError: One line that names each wrong key, what was received and what is allowed.
    """
    try:
        return RootParams.model_validate(parameters)
    except ValidationError as error:
        by_key: dict[str, list[Any]] = {}
        for detail in error.errors():
            # What follows the parameter's name is a position, or an alternative of its type.
            by_key.setdefault(".".join(map(str, detail["loc"][:2])), []).append(detail)
        explained = [_explain(key, details) for key, details in by_key.items()]
        raise UserError("; ".join(explained)) from None


def _explain(key: str, details: list[Any]) -> str:
    kind, branch = details[0]["type"], details[0]["loc"][:-1]
    if kind == "extra_forbidden":
        return f"Parameter `{key}` is unknown. {_known_keys(branch)}"
    if kind == "missing":
        return f"Parameter `{key}` is missing."
    rules = [detail["msg"].removeprefix("Value error, ") for detail in details]
    allowed = ", or ".join(rule[0].lower() + rule[1:] for rule in rules)
    return f"Parameter `{key}`: {allowed}. Received: {details[0]['input']!r}."


def _known_keys(branch: tuple[str | int, ...]) -> str:
    model: Any = RootParams
    for part in branch:
        model = model.model_fields[part].annotation
    where = f"below `{'.'.join(map(str, branch))}`" if branch else "at the top"
    return f"Known {where}: {', '.join(sorted(model.model_fields))}."
