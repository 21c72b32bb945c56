"""Options as ROS parameters: declared with descriptors, read back checked, and guarded while the node runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter

from ace_ros.errors import InputError
from ace_ros.options import Option, OptionError, T, declared, from_plain

_NO_LIMIT = 1e18  # a range in a descriptor has two ends


def declare(node: Node, cls: type[Any]) -> None:
    """Declare a parameter for every option of the dataclass ``cls``.

    Raises:
        InputError: the node was started with a value out of range.
    """
    for one in declared(cls).values():
        try:
            node.declare_parameter(one.name, one.plain_default, _descriptor(one))
        except ParameterException as error:
            raise InputError(f"parameter {one.name}: {error}") from None


def read(node: Node, cls: type[T]) -> T:
    """The options as the parameters say now.

    Raises:
        InputError: a value of another type, out of range, or not among the choices.
    """
    try:
        return from_plain(cls, {name: node.get_parameter(name).value for name in declared(cls)})
    except OptionError as error:
        raise InputError(f"parameter {error}") from None


def guard(node: Node, cls: type[Any], refuse: Callable[[str], str]) -> None:
    """Check values that are set while the node runs; ``refuse(name)`` returns why a change is not possible now."""
    known = declared(cls)

    def on_set(parameters: list[Parameter[Any]]) -> SetParametersResult:
        for parameter in parameters:
            if parameter.name not in known:
                continue
            try:
                known[parameter.name].from_plain(parameter.value)
            except OptionError as error:
                return SetParametersResult(successful=False, reason=f"parameter {error}")
            if reason := refuse(parameter.name):
                return SetParametersResult(successful=False, reason=reason)
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(on_set)


def _descriptor(one: Option) -> ParameterDescriptor:
    # Dynamic typing, so that `tf_rate: 20` is as good as `tf_rate: 20.0`; Option.check() sees to the rest.
    text = f"{one.plain_text} [{one.unit}]" if one.unit else one.plain_text
    descriptor = ParameterDescriptor(name=one.name, description=text, dynamic_typing=True)
    if one.choices:
        descriptor.additional_constraints = "one of " + ", ".join(one.choices)
    if one.low is not None or one.high is not None:
        # What stands for the default is allowed, in or out of the range.
        allowed = [value for value in (one.low, one.plain_default, one.stand_in) if value is not None]
        low = -_NO_LIMIT if one.low is None else min(map(float, allowed))
        high = _NO_LIMIT if one.high is None else one.high
        if one.kind is int:
            descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
        else:
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=float(high))]
    return descriptor
