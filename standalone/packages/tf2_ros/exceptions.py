"""What a lookup can end with, other than a transform."""


class TransformException(Exception):
    """Base of all of them."""


class ConnectivityException(TransformException):
    """Both frames exist, in trees that are not connected."""


class LookupException(TransformException):
    """A frame does not exist, or the tree has a loop."""


class ExtrapolationException(TransformException):
    """The time asked for lies outside of what was received."""


class InvalidArgumentException(TransformException):
    """A frame name that can't be one: empty, or with a leading slash."""


class TimeoutException(TransformException):
    """Part of the family; nothing here raises it."""
