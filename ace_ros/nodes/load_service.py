"""The service ~/load_map: another map while the node is at work."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from rclpy.callback_groups import CallbackGroup

from ace_ros.errors import InputError, MapFileError, MapVersionError
from ace_ros.nodes.map_loading import LoadedMap, load_map
from ace_ros.nodes.runtime import Answer
from ace_ros.online.maps_dir import map_path
from ace_ros.srv import LoadMap

if TYPE_CHECKING:
    from ace_ros.nodes.localization_node import LocalizationNode


class LoadService:
    """Loads in a thread of its own, so that localization goes on in the old map until the new one is whole."""

    def __init__(self, node: LocalizationNode, group: CallbackGroup) -> None:
        self._node = node
        node.create_service(LoadMap, "~/load_map", self._serve, callback_group=group)

    async def _serve(self, request: LoadMap.Request, response: LoadMap.Response) -> LoadMap.Response:
        node = self._node
        if node.loaded is None:
            response.result = LoadMap.Response.RESULT_UNDEFINED_FAILURE
            response.message = "the node is not configured: configure it first"
            return response
        answer = Answer(node)
        threading.Thread(target=self._load, args=(request.map_name, answer), name="load_map", daemon=True).start()
        response.result, response.message, loaded = await answer.future
        if loaded is not None and node.loaded is not None:
            node.use_map(loaded)
            node.get_logger().info(response.message)
        elif loaded is None:
            node.get_logger().warning(f"load_map refused, the old map stays: {response.message}")
        response.map_id = node.loaded.identity if node.loaded else ""
        return response

    def _load(self, name: str, answer: Answer) -> None:
        answer.give(self._try(name))

    def _try(self, name: str) -> tuple[int, str, LoadedMap | None]:
        codes = LoadMap.Response
        try:
            path = map_path(self._node.options.maps_dir, name)
        except InputError as error:
            return codes.RESULT_INVALID_NAME, str(error), None
        if not path.exists():
            return codes.RESULT_MAP_DOES_NOT_EXIST, f"there is no map {path}", None
        try:
            loaded = load_map(path, self._node.options)
        except (MapVersionError, InputError) as error:
            return codes.RESULT_INVALID_MAP_METADATA, str(error), None
        except MapFileError as error:
            return codes.RESULT_INVALID_MAP_DATA, str(error), None
        except Exception as error:
            return codes.RESULT_UNDEFINED_FAILURE, f"a defect of this package: {error!r}", None
        return codes.RESULT_SUCCESS, f"localizing in '{loaded.name}' ({loaded.identity}) from now on", loaded
