"""What a clip's file name tells: the film it was cut from, and HMDB51's annotations."""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import PurePosixPath

VISIBLE_BODY = {"h": "head", "u": "upper", "l": "lower", "f": "full"}
CAMERA_MOTION = {"nm": "static", "cm": "moving"}
VIEWPOINT = {"fr": "front", "ba": "back", "le": "left", "ri": "right"}
QUALITY = {"bad": "bad", "med": "medium", "goo": "good"}

_HMDB51 = re.compile(
    r"(?P<source>.+)_(?P<body>[hulf])_(?P<camera>nm|cm)_np(?P<people>\d+)"
    r"_(?P<view>fr|ba|le|ri)_(?P<quality>bad|med|goo)_\d+"
)
_UCF101 = re.compile(r"v_(?P<source>.+_g\d+)_c\d+")
# How sets name their clips; the first that fits a stem tells its source.
SCHEMES = {"hmdb51": _HMDB51, "ucf101": _UCF101}


@dataclass(frozen=True)
class ClipName:
    """The fields of a clip's name; None where the name does not follow HMDB51.

    Attributes:
        source_video: The film or recording, or the clip_id where no scheme names one.
        visible_body: `head`, `upper`, `lower` or `full`.
        camera_motion: `static` or `moving`.
        num_people: People involved in the action.
        viewpoint: `front`, `back`, `left` or `right`.
        quality: `bad`, `medium` or `good`.
    """

    source_video: str
    visible_body: str | None = None
    camera_motion: str | None = None
    num_people: int | None = None
    viewpoint: str | None = None
    quality: str | None = None


def parse_clip_name(clip_id: str, source_pattern: str | None = None) -> ClipName:
    """Read the fields of a clip's name.

    Args:
        clip_id: `<label>/<file name>`.
        source_pattern: Regular expression searched in the stem; its group `source`, where it
            matches, goes before the names of HMDB51 and UCF101.
    """
    label, _, file_name = unicodedata.normalize("NFC", clip_id).partition("/")
    stem = PurePosixPath(file_name).stem
    annotated = _HMDB51.fullmatch(stem)
    source = _given_source(stem, source_pattern) or _known_source(stem, label) or clip_id
    if annotated is None:
        return ClipName(source)
    return ClipName(
        source_video=source,
        visible_body=VISIBLE_BODY[annotated["body"]],
        camera_motion=CAMERA_MOTION[annotated["camera"]],
        num_people=int(annotated["people"]),
        viewpoint=VIEWPOINT[annotated["view"]],
        quality=QUALITY[annotated["quality"]],
    )


def _given_source(stem: str, pattern: str | None) -> str | None:
    found = re.search(pattern, stem) if pattern else None
    return found["source"] if found else None


def _known_source(stem: str, label: str) -> str | None:
    found = next(filter(None, (scheme.fullmatch(stem) for scheme in SCHEMES.values())), None)
    # HMDB51's label stands between film and annotations; the same film serves several classes.
    return found["source"].removesuffix(f"_{label}") if found else None
