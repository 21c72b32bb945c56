"""Scenes that are rendered with exact poses, for demos, tests and benchmarks: a room, a building and a courtyard."""

from ace_ros.generated.building import BuildingPlan, make_building
from ace_ros.generated.scenes import courtyard_camera, make_courtyard, make_room
from ace_ros.generated.sensor import room_camera
from ace_ros.generated.wide import make_wide_room

__all__ = [
    "BuildingPlan",
    "courtyard_camera",
    "make_building",
    "make_courtyard",
    "make_room",
    "make_wide_room",
    "room_camera",
]
