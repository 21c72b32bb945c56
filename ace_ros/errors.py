"""What can go wrong in a way that a user can put right.

Every message says what was wrong, where, and what to do; the command line and the nodes print
it as it is, without a traceback. Anything else that is raised is a defect of ours.
"""


class AceError(Exception):
    """Base of all errors whose message is meant for the user."""


class InputError(AceError):
    """A scene, image, pose, camera or option that can't be used."""


class FrameError(InputError):
    """One frame or pose that can't be used, where others can: see :class:`ace_ros.recordings.left_out.LeftOut`.

    Attributes:
        where: its file, line or name.
        kind: what is wrong with it, in words that all such frames share: no names and no figures.
    """

    def __init__(self, where: str, kind: str, detail: str = "") -> None:
        super().__init__(f"{where}: {detail or kind}")
        self.where, self.kind = where, kind


class MapFileError(AceError):
    """A map file that is missing, damaged, of another format, or made for another encoder."""


class MapVersionError(MapFileError):
    """A map that is whole, but of another format version, or made for another encoder."""


class MappingError(AceError):
    """Mapping that can't give a map: too few usable frames, or training that diverged."""


class Cancelled(AceError):
    """The user asked to stop; nothing was written."""
