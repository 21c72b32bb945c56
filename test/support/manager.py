"""A stand-in for nav2's lifecycle manager, after its documentation: brings nodes up, and keeps a bond with each."""

from bondpy.bondpy import Bond
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState

UP = (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE)
DOWN = (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP)


class Manager:
    """Of nodes by name (without a namespace). ``bond_timeout``: s; 0 for no bond."""

    def __init__(self, probe, names, bond_timeout=4.0):
        self.probe, self.names, self.bond_timeout = probe, names, bond_timeout
        self.bonds = {}

    def startup(self):
        """Whether all nodes are up, and bound."""
        return all(self._changed(name, UP[0]) for name in self.names) and all(map(self._activated, self.names))

    def shutdown(self):
        """Whether all nodes are down again, in the opposite order."""
        names = reversed(self.names)
        return all([self._changed(name, one) for name in names for one in DOWN]) and not self.close()

    def state(self, name):
        return self.probe.call(GetState, f"/{name}/get_state").current_state.label

    def broken(self):
        """Names of the nodes whose bond is."""
        return [name for name, bond in self.bonds.items() if bond.is_broken()]

    def close(self):
        """Let go of the bonds."""
        while self.bonds:
            self.bonds.popitem()[1].shutdown()

    def _changed(self, name, transition):
        return self.probe.call(ChangeState, f"/{name}/change_state", transition=Transition(id=transition)).success

    def _activated(self, name):
        if not self._changed(name, UP[1]):
            return False
        if not self.bond_timeout:
            return True
        formed = []
        bond = self.bonds[name] = Bond(self.probe, "bond", name, on_formed=lambda: formed.append(name))
        bond.heartbeat_timeout, bond.heartbeat_period, bond.connect_timeout = self.bond_timeout, 0.1, self.bond_timeout
        bond.start()
        self.probe.until(lambda: formed or bond.is_broken(), f"the bond with {name}")
        return bool(formed)
