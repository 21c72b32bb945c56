"""Options as ROS parameters: declared with descriptors, read back checked, and guarded while the node runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, fields
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter

from ace_ros.errors import InputError
from ace_ros.nodes.options import Options, check, from_values

_NO_LIMIT = 1e18  # a range in a descriptor has two ends


def declare(node: Node, cls: type[Any]) -> None:
    """Declare a parameter for every option of the dataclass ``cls``.

    Raises:
        InputError: the node was started with a value out of range.
    """
    for entry in fields(cls):
        try:
            node.declare_parameter(entry.name, entry.default, _descriptor(entry))
        except ParameterException as error:
            raise InputError(f"parameter {entry.name}: {error}") from None


def read(node: Node, cls: type[Options]) -> Options:
    """The options as the parameters say now.

    Raises:
        InputError: a value of another type, out of range, or not among the choices.
    """
    return from_values(cls, {entry.name: node.get_parameter(entry.name).value for entry in fields(cls)})  # type: ignore[arg-type]


def guard(node: Node, cls: type[Any], refuse: Callable[[str], str]) -> None:
    """Check values that are set while the node runs; ``refuse(name)`` returns why a change is not possible now."""
    known = {entry.name: entry for entry in fields(cls)}

    def on_set(parameters: list[Parameter[Any]]) -> SetParametersResult:
        for parameter in parameters:
            if parameter.name not in known:
                continue
            try:
                check(known[parameter.name], parameter.value)
            except InputError as error:
                return SetParametersResult(successful=False, reason=str(error))
            if reason := refuse(parameter.name):
                return SetParametersResult(successful=False, reason=reason)
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(on_set)


def _descriptor(entry: Field[Any]) -> ParameterDescriptor:
    # Dynamic typing, so that `tf_rate: 20` is as good as `tf_rate: 20.0`; check() sees to the rest.
    descriptor = ParameterDescriptor(name=entry.name, description=entry.metadata["text"], dynamic_typing=True)
    low, high, choices = entry.metadata["low"], entry.metadata["high"], entry.metadata["choices"]
    if choices:
        descriptor.additional_constraints = "one of " + ", ".join(choices)
    if low is not None or high is not None:
        low = -_NO_LIMIT if low is None else low
        high = _NO_LIMIT if high is None else high
        if entry.type == "int":
            descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
        else:
            descriptor.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(high))]
    return descriptor
