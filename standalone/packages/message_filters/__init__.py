"""The part of message_filters that this package uses, for machines without a ROS distribution.

Same names, same results as the real one; the same tests run against both.
"""

from message_filters.cache import Cache
from message_filters.filters import SimpleFilter, Subscriber
from message_filters.synchronizers import ApproximateTimeSynchronizer, TimeSynchronizer

__all__ = ["ApproximateTimeSynchronizer", "Cache", "SimpleFilter", "Subscriber", "TimeSynchronizer"]
