"""Maps for localization_node: the one that its parameters name, and another one while it is at work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rclpy.callback_groups import CallbackGroup

from ace_ros.errors import InputError, MapFileError, MapVersionError
from ace_ros.localization.options import LocalizeOptions
from ace_ros.nodes.frame_names import check_frames
from ace_ros.nodes.options import LocalizationNodeOptions
from ace_ros.nodes.runtime import Answer
from ace_ros.online import loading
from ace_ros.online.loading import LoadedMap
from ace_ros.online.maps_dir import find_map, map_path
from ace_ros.srv import LoadMap

if TYPE_CHECKING:
    from ace_ros.nodes.localization_node import LocalizationNode


def parameter_path(options: LocalizationNodeOptions) -> Path:
    """File that the parameter ``map`` names.

    Raises:
        InputError: it is empty, or names nothing that can be a file.
    """
    if not options.map:
        raise InputError("parameter map: give the map to localize in, a path or a name below maps_dir")
    return find_map(options.maps_dir, options.map)


def load_map(path: Path, options: LocalizationNodeOptions) -> LoadedMap:
    """Load a map and make the localizer for it; takes a second.

    Raises:
        MapFileError, InputError: see :func:`ace_ros.online.loading.load_map`; or frames that don't go with the map.
    """
    loaded = loading.load_map(path, LocalizeOptions(encoder_weights=options.encoder_weights), options.device)
    try:
        check_frames(loaded.scene_map.header, options)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return loaded


class LoadService:
    """Serves ~/load_map.

    Loads in a thread of its own, so that localization goes on in the old map until the new one is whole.
    """

    def __init__(self, node: LocalizationNode, group: CallbackGroup) -> None:
        self._node = node
        self._calls = 0
        node.create_service(LoadMap, "~/load_map", self._serve, callback_group=group)

    async def _serve(self, request: LoadMap.Request, response: LoadMap.Response) -> LoadMap.Response:
        node = self._node
        if node.loaded is None:
            response.result = LoadMap.Response.RESULT_UNDEFINED_FAILURE
            response.message = "the node is not configured: configure it first"
            return response
        self._calls += 1
        call, answer = self._calls, Answer(node)

        def failed(sentence: str) -> None:
            answer.give((LoadMap.Response.RESULT_UNDEFINED_FAILURE, sentence, None))

        node.supervisor.thread("loading a map", self._load, request.map_name, answer, otherwise=failed)
        response.result, response.message, loaded = await answer.future
        if loaded is not None and call != self._calls:
            loaded, response.result = None, LoadMap.Response.RESULT_UNDEFINED_FAILURE
            response.message = f"'{request.map_name}' was not taken: another map was asked for since, or a cleanup"
        if loaded is not None:
            node.use_map(loaded)
            node.get_logger().info(response.message)
        response.map_id = node.loaded.identity if node.loaded else ""
        return response

    def forget(self) -> None:
        """What is being loaded is not wanted any more."""
        self._calls += 1

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
        return codes.RESULT_SUCCESS, f"localizing in '{loaded.name}' ({loaded.identity}) from now on", loaded
