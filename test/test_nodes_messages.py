"""Messages on their way into the library: which camera_info goes with which image."""

from ace_ros.nodes.image_input import InfoMatcher


def paired(matcher, *events):
    """Feed ("image" | "info", stamp) events; the stamps of the pairs that came of it."""
    pairs = [matcher.add_image(stamp, stamp) if kind == "image" else matcher.add_info(stamp, stamp)
             for kind, stamp in events]  # fmt: skip
    return [pair for pair in pairs if pair is not None]


def test_images_and_camera_infos_of_one_stamp_meet_in_any_order():
    matcher = InfoMatcher()
    assert paired(matcher, ("image", 1), ("info", 1), ("info", 2), ("image", 2)) == [(1, 1), (2, 2)]
    assert paired(matcher, ("image", 3), ("image", 4), ("info", 3), ("info", 4)) == [(3, 3), (4, 4)]
    assert matcher.unmatched == 0


def test_images_whose_camera_info_was_lost_are_counted():
    matcher = InfoMatcher()
    assert paired(matcher, ("image", 1), ("info", 1), ("image", 2)) == [(1, 1)]
    events = [event for stamp in range(3, 12) for event in (("image", stamp), ("info", stamp))]
    assert paired(matcher, *events) == [(stamp, stamp) for stamp in range(3, 12)]
    assert matcher.unmatched == 1
    paired(matcher, ("image", 12))
    matcher.forget()
    assert matcher.unmatched == 2


def test_a_camera_info_that_comes_but_once_goes_with_all_images():
    matcher = InfoMatcher()
    assert paired(matcher, ("info", 5), ("image", 10), ("image", 11)) == [(10, 5), (11, 5)]


def test_a_camera_info_that_is_no_longer_sent_goes_with_later_images():
    matcher = InfoMatcher()
    paired(matcher, ("image", 1), ("info", 1))
    pairs = paired(matcher, *(("image", stamp) for stamp in range(2, 13)))
    assert pairs[-1] == (12, 1)
    assert len(pairs) + matcher.unmatched == 11
