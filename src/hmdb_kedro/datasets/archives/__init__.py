"""Archives of videos and split lists: read with distrust, unpacked once."""

from hmdb_kedro.datasets.archives.unpacking import (
    archives_in,
    locate,
    place_to_unpack,
    unpack_classes,
    unpack_folder,
)

__all__ = ["archives_in", "locate", "place_to_unpack", "unpack_classes", "unpack_folder"]
