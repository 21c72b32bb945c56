"""Real nodes in processes of their own, and a probe beside them that asserts on what was received."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import time
from pathlib import Path

import rclpy
from ament_index_python.packages import get_package_prefix
from rclpy.action import ActionClient
from rclpy.context import Context
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from tf2_ros import Buffer, TransformListener

from ace_ros.live import processes
from ace_ros.live.processes import ros_arguments

PATIENCE = 60.0  # s until a wait fails; generous, as the machine may be busy
_MATCHING = 0.3  # s after which both sides of a service that is ready know of each other
_numbers = itertools.count(os.getpid())  # no two tests of a session share one, lest they hear what is left of another


def own_domain():
    """A ROS_DOMAIN_ID that no other test on this machine uses meanwhile."""
    return processes.own_domain(1 + next(_numbers) % 100 for _ in range(100))


class Process:
    """A node of this package, started as `ros2 run` would."""

    def __init__(self, executable, domain, log, parameters=None, remaps=None, namespace=""):
        self.log = Path(log)
        node = f"{get_package_prefix('ace_ros')}/lib/ace_ros/{executable}"
        arguments = [node, *ros_arguments(parameters or {}, remaps or {})]
        if namespace:
            arguments += ["-r", f"__ns:={namespace}"]
        environment = os.environ | {
            "ROS_DOMAIN_ID": str(domain),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
            "OMP_NUM_THREADS": "1",
            "PYTHONUNBUFFERED": "1",
            "ROS_LOG_DIR": str(self.log.parent),
        }
        with open(self.log, "w") as output:
            self.process = subprocess.Popen(
                arguments, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=self.log.parent
            )

    def text(self):
        return self.log.read_text()

    def wait(self, timeout=PATIENCE):
        return self.process.wait(timeout)

    def interrupt(self):
        """Ctrl-C; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


class NodeUnderTest:
    """A context with one ``process`` and a ``probe`` beside it; subclasses say in ``_ready`` when it can be used."""

    def __enter__(self):
        try:
            return self._ready()
        except BaseException:
            self.__exit__(True)
            raise

    def __exit__(self, *failure):
        try:
            self.probe.needed.clear()
            code = self.process.interrupt()
            assert code == 0 or failure[0], f"exit code {code}"
            assert "Traceback" not in self.process.text() or failure[0]
        finally:
            if failure[0]:
                print(self.process.text())
            self.probe.close()


class Probe(Node):
    """Publishes, subscribes, calls and waits, all in the test's own thread."""

    def __init__(self, domain, simulated_time=False, remaps=None):
        self.ros = Context()
        rclpy.init(context=self.ros, domain_id=domain, args=ros_arguments({}, remaps or {}))
        overrides = [Parameter("use_sim_time", value=simulated_time)]
        super().__init__("probe", context=self.ros, parameter_overrides=overrides)
        self._executor = SingleThreadedExecutor(context=self.ros)
        self._executor.add_node(self)
        self.received = {}
        self._served = {}
        self.needed = []  # processes without which there is nothing to wait for

    def close(self):
        self._executor.shutdown()
        self.destroy_node()
        rclpy.shutdown(context=self.ros)

    def hear(self, kind, topic, latched=False, keep=None):
        """Collect everything on a topic; returns the list that it goes into."""
        messages = self.received.setdefault(topic, [])
        durability = DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE
        qos = QoSProfile(depth=1000, durability=durability)
        self.create_subscription(kind, topic, lambda message: messages.append(keep(message) if keep else message), qos)
        return messages

    def listen_to_tf(self):
        buffer = Buffer(cache_time=Duration(seconds=600), node=self)
        self.listener = TransformListener(buffer, self)
        return buffer

    def spin(self, seconds):
        """Let messages come in for a while."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left)

    def until(self, condition, what="", timeout=PATIENCE):
        """Spin until the condition holds; returns its value."""
        end = time.monotonic() + timeout
        while not (value := condition()):
            for process in self.needed:
                assert process.process.poll() is None, f"a node ended while waiting for {what}:\n{process.text()}"
            assert time.monotonic() < end, f"waited {timeout:.0f} s in vain: {what or condition}"
            self._executor.spin_once(timeout_sec=0.02)
        return value

    def result(self, future, what="", timeout=PATIENCE):
        self.until(future.done, what, timeout)
        return future.result()

    def client(self, kind, name):
        """A client of a service or an action, of which either side knows that the other is there."""
        if name not in self._served:
            action = hasattr(kind, "Goal")
            client = ActionClient(self, kind, name) if action else self.create_client(kind, name)
            self.until(client.server_is_ready if action else client.service_is_ready, f"{name} to be served")
            self.spin(_MATCHING)
            self._served[name] = client
        return self._served[name]

    def ask(self, kind, name, **fields):
        """Call a service; returns the future."""
        return self.client(kind, name).call_async(kind.Request(**fields))

    def call(self, kind, name, **fields):
        """Call a service and wait for its answer."""
        return self.result(self.ask(kind, name, **fields), f"answer of {name}")

    def goal(self, kind, name, feedback=None, **fields):
        """Send a goal; returns the handle once it was accepted."""
        callback = None if feedback is None else lambda message: feedback.append(message.feedback)
        sent = self.client(kind, name).send_goal_async(kind.Goal(**fields), feedback_callback=callback)
        handle = self.result(sent, f"goal {name}")
        assert handle.accepted
        return handle

    def subscribed(self, publisher, count=1):
        self.until(lambda: publisher.get_subscription_count() >= count, f"subscriber to {publisher.topic_name}")
        return publisher
