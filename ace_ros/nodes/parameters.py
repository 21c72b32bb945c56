"""Options as ROS parameters: declared with descriptors, read back checked, and guarded while the node runs."""

from __future__ import annotations

import difflib
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
    """Declare a parameter for every option of the dataclass ``cls``, and warn of values that are for none of them.

    Raises:
        InputError: the node was started with a value out of range.
    """
    for one in declared(cls).values():
        try:
            node.declare_parameter(one.name, one.plain_default, _descriptor(one))
        except ParameterException as error:
            raise InputError(f"parameter {one.name}: {error}") from None
    for name in sorted(given(node)):
        if "." not in name and not node.has_parameter(name):  # with a dot they are a library's
            near = difflib.get_close_matches(name, declared(cls), 1)
            hint = f"; there is {near[0]}" if near else ""
            node.get_logger().warning(f"there is no parameter {name}, its value says nothing{hint}")


def given(node: Node) -> set[str]:
    """Names of all parameters that the node was started with a value for, known or not."""
    return set(getattr(node, "_parameter_overrides", {}))  # rclpy has no other way to ask


def read(node: Node, cls: type[T]) -> T:
    """The options as the parameters say now.

    Raises:
        InputError: a value of another type, out of range, or not among the choices.
    """
    try:
        return from_plain(cls, {name: node.get_parameter(name).value for name in declared(cls)})
    except OptionError as error:
        raise InputError(f"parameter {error}") from None


def guard(
    node: Node, cls: type[T], refuse: Callable[[str], str], check: Callable[[T], None] = lambda options: None
) -> None:
    """Check values that are set while the node runs.

    Args:
        refuse: returns why a change of the parameter of this name is not possible now; empty where it is.
        check: gets what would hold then, and raises InputError where it does not go together.
    """
    known = declared(cls)

    def on_set(parameters: list[Parameter[Any]]) -> SetParametersResult:
        wanted = {one.name: one.value for one in parameters if one.name in known}
        for name in wanted:
            if wanted[name] != node.get_parameter(name).value and (reason := refuse(name)):
                return SetParametersResult(successful=False, reason=reason)
        try:
            check(from_plain(cls, {name: node.get_parameter(name).value for name in known} | wanted))
        except OptionError as error:
            return SetParametersResult(successful=False, reason=f"parameter {error}")
        except InputError as error:
            return SetParametersResult(successful=False, reason=str(error))
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
