"""ace_ros: visual relocalization from one camera image, in a place mapped minutes ago.

The library (everything here but ``ace_ros.nodes``) knows nothing of ROS.
"""

import os

__version__ = "0.1.0"

# A robot's cores are shared. Threads of OpenMP that spin while they wait for each other turn a busy
# neighbour into a tenfold slowdown; sleeping, after some microseconds of hope where the runtime is GCC's, costs
# nearly nothing. Read once, when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
