"""The bond by which nav2's lifecycle manager notices at once that an active node has died."""

from __future__ import annotations

from typing import Any

_TOPIC = "bond"  # as nav2's own nodes; the id is the node's name
_TIMEOUT = 4.0  # s of silence after which the manager is taken for dead, which changes nothing here; as nav2's nodes


class ManagerBond:
    """Kept while the node is active, where bondpy is installed."""

    def __init__(self, node: Any) -> None:
        self._node = node
        self._bond: Any = None
        self._told = False

    def form(self, period: float) -> None:
        """Begin, with a heartbeat each ``period`` s; 0: there is none."""
        self.let_go()
        if not period:
            return
        try:
            from bondpy.bondpy import Bond
        except ImportError:
            if not self._told:
                self._node.get_logger().info(
                    "bondpy is not installed, so there is no bond: a lifecycle manager needs bond_timeout: 0.0"
                )
            self._told = True
            return
        bond = Bond(self._node, _TOPIC, self._node.get_name())
        bond.heartbeat_period, bond.heartbeat_timeout = period, _TIMEOUT
        bond.start()
        self._bond = bond

    def let_go(self) -> None:
        """End it, and tell so."""
        bond, self._bond = self._bond, None
        if bond is not None:
            bond.shutdown()
