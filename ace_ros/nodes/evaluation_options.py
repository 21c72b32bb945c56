"""Options of the nodes that play a recording and write down what comes of it; they need no PyTorch."""

from __future__ import annotations

from dataclasses import dataclass

from ace_ros.options import Options, option, replay_rate_option


@dataclass(frozen=True)
class ReplayNodeOptions(Options):
    """Options of replay_node."""

    bag: str = option("", "The recording: a rosbag2 folder, or an .mcap or .db3 file.")
    rate: float = replay_rate_option()
    loop: bool = option(False, "Start over at the end, for ever; time jumps back.")
    clock: bool = option(True, "Publish /clock, for nodes with use_sim_time.")
    clock_rate: float = option(100.0, "Rate of /clock between messages, in real time.", unit="Hz", low=1.0, high=1000.0)
    start_delay: float = option(0.0, "Wait before the first message.", unit="s", low=0.0)
    start_offset: float = option(0.0, "Skip this much of the recording.", unit="s", low=0.0)
    duration: float = option(
        0.0, "Stop after this much of the recording.", unit="s", low=0.0, without="play to its end"
    )
    wait_for_subscribers: str = option(
        "",
        "Start when each of these topics has a subscriber, two where it is named twice: names with commas between "
        "them; all: every topic.",
        without="start at once",
    )
    wait_timeout: float = option(
        60.0, "Give up waiting for subscribers after this.", unit="s", low=0.0, without="never"
    )
    topics: str = option("", "Play these topics only: names with commas between them.", without="all")


@dataclass(frozen=True)
class EvaluationNodeOptions(Options):
    """Options of evaluation_node."""

    record: str = option("", "File to write: one JSON object a line.")
    localizer: str = option("localization_node", "Node to listen to: its status and pose_with_covariance.")
    camera_frame: str = option(
        "", "Optical frame to look up in TF at each image's stamp.", without="TF is not recorded"
    )
    quiet: float = option(5.0, "Stop when the images have ended and nothing came for so long.", unit="s", low=0.1)
