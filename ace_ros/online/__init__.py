"""What a robot adds to single images: odometry, time, a drive. No ROS in here, for any middleware.

Mapping: frames with poses pass `keyframes` into `collecting`, `building` makes a map of them, `drive_watch` and
`mapping_advice` say what would make it better; `mapping_session` is all of that in one.

Localizing: `frame_stream` hands the newest image to `localizing`, which asks the `robot`, has the image localized, lets
`tracking` judge, and gives a pose in its place (`placing`) or a reason (`reasons`); `motion` turns it into map <- odom.
For `tracking`, a `pose_filter` is what is believed, `witnesses` say when a pose is, and `hypotheses` are several.
"""
