"""A building of two floors with twin rooms and equal bays, rendered with exact poses."""

from ace_ros.generated.building.plan import BuildingPlan, Room
from ace_ros.generated.building.scene import make_building

__all__ = ["BuildingPlan", "Room", "make_building"]
