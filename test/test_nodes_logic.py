"""What the nodes decide, without ROS: gate, tracking, TF correction, keyframes, arrival of frames, map names."""

import threading
from dataclasses import replace

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ace_ros.camera import Camera
from ace_ros.errors import InputError
from ace_ros.geometry import invert, pose_error, pose_residual
from ace_ros.map.header import HeldBack
from ace_ros.online.album import Album
from ace_ros.online.collecting import Counters
from ace_ros.online.drive_watch import DriveWatch
from ace_ros.online.frame_slot import Arrival, ArrivalCheck, LatestSlot
from ace_ros.online.keyframes import KeyframeOptions, KeyframePicker
from ace_ros.online.mapping_advice import Intake, advice
from ace_ros.online.maps_dir import map_path
from ace_ros.online.motion import Correction, planar, stepped, tilt_deg
from ace_ros.online.odometry_gate import GateOptions, OdometryGate, Verdict
from ace_ros.online.tracking import Tracker

SECOND = 1_000_000_000


def pose(x=0.0, y=0.0, z=0.0, yaw=0.0, roll=0.0):
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("zyx", (yaw, 0.0, roll), degrees=True).as_matrix()
    matrix[:3, 3] = x, y, z
    return matrix


COVARIANCE = np.diag([0.01**2] * 3 + [np.radians(0.3) ** 2] * 3)


class Drive:
    """A robot on a circle, with odometry that starts elsewhere and drifts in heading by 1 degree a metre."""

    def __init__(self, seed=0):
        self.rng = np.random.default_rng(seed)
        self.true, self.odom = pose(2.0, 1.0, 0.0, 30.0), pose()

    def step(self, metres=0.03, turn=1.0):
        self.true = self.true @ pose(x=metres, yaw=turn)
        self.odom = self.odom @ pose(x=metres, yaw=turn + metres * 1.0)
        return self.measured(), self.odom

    def measured(self):
        noise = self.rng.multivariate_normal(np.zeros(6), COVARIANCE)
        noisy = self.true.copy()
        noisy[:3, 3] += noise[:3]
        noisy[:3, :3] = Rotation.from_rotvec(noise[3:]).as_matrix() @ noisy[:3, :3]
        return noisy


# --- the gate ---


def test_gate_lets_a_drifting_drive_pass_and_predicts_it():
    gate, drive = OdometryGate(), Drive()
    for _ in range(500):
        measured, odom = drive.step()
        predicted = gate.predict(odom)
        assert gate.check(measured, COVARIANCE, odom).verdict is Verdict.ACCEPTED
        if predicted is not None:
            assert pose_error(predicted, drive.true)[0] < 0.06


def test_gate_refuses_one_outlier_and_goes_on():
    gate, drive = OdometryGate(), Drive()
    for index in range(60):
        measured, odom = drive.step()
        if index == 30:
            judgement = gate.check(measured @ pose(x=0.5), COVARIANCE, odom)
            assert judgement.verdict is Verdict.REFUSED
            assert judgement.translation == pytest.approx(0.5, abs=0.1)
        else:
            assert gate.check(measured, COVARIANCE, odom).verdict is Verdict.ACCEPTED


def test_gate_never_believes_outliers_that_disagree_among_themselves():
    gate, drive = OdometryGate(GateOptions(kidnap_frames=3)), Drive()
    gate.check(*(drive.measured(), COVARIANCE, drive.odom))
    for index in range(20):
        _, odom = drive.step()
        wild = drive.measured() @ pose(x=1.0 + index, yaw=40.0 * index)
        assert gate.check(wild, COVARIANCE, odom).verdict is Verdict.REFUSED


def test_gate_believes_a_kidnapping_after_a_run_that_agrees():
    gate, drive = OdometryGate(GateOptions(kidnap_frames=5)), Drive()
    for _ in range(20):
        measured, odom = drive.step()
        gate.check(measured, COVARIANCE, odom)
    drive.true = pose(-3.0, 4.0, 0.0, -100.0)  # carried away; the wheels did not turn
    verdicts = []
    for _ in range(8):
        measured, odom = drive.step()
        verdicts.append(gate.check(measured, COVARIANCE, odom).verdict)
    assert verdicts == [Verdict.REFUSED] * 4 + [Verdict.KIDNAPPED] + [Verdict.ACCEPTED] * 3


def test_gate_opens_with_the_way_made_without_a_pose():
    def judge_after(metres):
        gate = OdometryGate()
        gate.check(pose(), COVARIANCE, pose())
        for x in np.arange(0.0, metres, 0.05):
            gate.observe(pose(x=x))
        return gate.check(pose(x=metres, y=0.4), COVARIANCE, pose(x=metres)).verdict

    assert judge_after(0.1) is Verdict.REFUSED
    assert judge_after(8.0) is Verdict.ACCEPTED


def test_gate_counts_the_way_there_and_back():
    gate = OdometryGate()
    gate.check(pose(), COVARIANCE, pose())
    for x in [*np.arange(0.0, 4.0, 0.05), *np.arange(4.0, 0.0, -0.05)]:
        gate.observe(pose(x=x))
    assert gate.check(pose(y=0.4), COVARIANCE, pose()).verdict is Verdict.ACCEPTED


# --- tracking ---


def test_tracker_carries_the_prior_on_by_odometry():
    base_from_camera = pose(0.2, 0.0, 0.5, roll=-90.0)
    tracker, drive = Tracker(GateOptions(), prior_max_age=0.5), Drive()
    assert tracker.prior(0, drive.odom, base_from_camera) is None
    tracker.judge(drive.true @ base_from_camera, COVARIANCE, 0, drive.odom, base_from_camera)
    for _ in range(10):
        drive.step(0.1, 5.0)
    prior = tracker.prior(10 * SECOND, drive.odom, base_from_camera)
    translation, rotation = pose_error(prior, drive.true @ base_from_camera)
    assert translation < 0.05 and rotation < 2.0


def test_tracker_without_odometry_uses_the_last_pose_while_it_is_fresh():
    tracker = Tracker(GateOptions(), prior_max_age=0.5)
    tracker.judge(pose(1.0), COVARIANCE, 10 * SECOND, None, None)
    assert np.allclose(tracker.prior(10 * SECOND + SECOND // 2, None, None), pose(1.0))
    assert tracker.prior(10 * SECOND + SECOND, None, None) is None
    assert tracker.prior(9 * SECOND, None, None) is None


def test_tracker_says_how_far_off_a_refused_pose_is():
    tracker = Tracker(GateOptions(), prior_max_age=0.5)
    tracker.judge(pose(), COVARIANCE, 0, pose(), np.eye(4))
    verdicts = tracker.judge(pose(2.0), COVARIANCE, SECOND, pose(), np.eye(4))
    assert not verdicts.accepted and "2.00 m" in verdicts.reason
    tracker.forget()
    assert tracker.judge(pose(2.0), COVARIANCE, SECOND, pose(), np.eye(4)).accepted


# --- motion ---


def test_planar_keeps_x_y_and_yaw():
    tilted = pose(1.0, 2.0, 0.3, 70.0) @ pose(roll=4.0)
    flat = planar(tilted)
    assert np.allclose(flat, pose(1.0, 2.0, 0.0, 70.0), atol=1e-3)
    assert tilt_deg(tilted) == pytest.approx(4.0)


def test_stepped_is_limited_and_arrives():
    target = pose(1.0, yaw=90.0)
    current = stepped(pose(), target, 0.1, np.radians(10.0))
    assert pose_error(current, pose()) == (pytest.approx(0.1), pytest.approx(10.0))
    for _ in range(9):
        current = stepped(current, target, 0.1, np.radians(10.0))
    assert np.allclose(current, target)


def test_correction_limits_the_robot_not_the_origin():
    correction = Correction(max_rate=0.5, max_rotation_rate=np.radians(20.0))
    odom_from_base = pose(50.0, 0.0)  # far from where the odometry began
    correction.measured(pose())
    correction.measured(pose(yaw=2.0))  # swings the robot by 1.75 m
    before = pose() @ odom_from_base
    for _ in range(100):
        after = correction.step(0.05, odom_from_base) @ odom_from_base
        assert pose_error(after, before)[0] <= 0.5 * 0.05 + 1e-9
        before = after
    assert np.allclose(correction.current, pose(yaw=2.0), atol=1e-6)


def test_correction_jumps_when_told_and_without_limits():
    limited, free = Correction(0.1, 0.1), Correction()
    for correction in (limited, free):
        assert correction.step(1.0, None) is None
        correction.measured(pose())
    limited.measured(pose(5.0), jump=True)
    free.measured(pose(5.0))
    assert np.allclose(limited.step(0.0, None), pose(5.0))
    assert np.allclose(free.step(0.1, pose(3.0)), pose(5.0))


# --- keyframes ---


def test_keyframes_by_motion_and_time():
    picker = KeyframePicker(KeyframeOptions(0.1, 10.0, min_interval=0.5, max_interval=3.0))
    assert picker.wants(pose(), 0)
    picker.took(pose(), 0)
    assert not picker.wants(pose(x=1.0), SECOND // 4)  # too soon
    assert not picker.wants(pose(x=0.05, yaw=5.0), SECOND)
    assert picker.wants(pose(x=0.11), SECOND)
    assert picker.wants(pose(yaw=11.0), SECOND)
    assert picker.wants(pose(), 3 * SECOND)  # standing still
    assert picker.wants(pose(), -SECOND)  # the recording began again


CAMERA = Camera(640, 480, 525.0, 525.0, 319.5, 239.5)  # sees 63 degrees


def watched(poses, rate=30, camera=CAMERA, **more):
    """A drive of which every frame is taken."""
    watch = DriveWatch(**more)
    for index, place in enumerate(poses):
        watch.saw(place, index * SECOND // rate)
        watch.took(place, camera)
    return watch


def around(count, step=3.0, metres=0.02):
    """A walk through the room that looks in all directions; optical axes turn about y."""
    turn = [Rotation.from_euler("y", step * index, degrees=True).as_matrix() for index in range(count)]
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, :3, :3] = turn
    poses[:, 0, 3] = metres * np.arange(count)
    return list(poses)


def test_a_good_drive_needs_no_advice():
    watch = watched(around(120), rate=10)
    texture = np.random.default_rng(0).integers(0, 255, (120, 160), np.uint8)
    for _ in range(60):
        watch.looked_at(texture)
    assert watch.advice() == []


def test_jumps_and_fast_turns_are_told():
    jumpy = watched([place @ pose(x=1.0 if index > 30 else 0.0) for index, place in enumerate(around(60, 1.0))])
    assert jumpy.jumps == 1 and "jumped" in jumpy.advice()[0]
    fast = watched(around(60, 4.0))
    assert fast.jumps == 0 and "slowly" in fast.advice()[0]


def test_neighbours_that_share_too_little_are_told():
    assert "overlap too little" in watched(around(40, 40.0), rate=1).advice()[0]
    assert "overlap too little" in watched(around(40, 10.0, metres=1.5), rate=1).advice()[0]
    assert watched(around(40, 10.0, metres=1.5), rate=1, metric=False).advice() == []


def test_blurred_images_are_told():
    watch = DriveWatch()
    sharp = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    blurred = cv2.GaussianBlur(sharp, (0, 0), 6.0)
    for index in range(40):
        watch.looked_at(blurred if index % 4 == 3 else sharp)
    assert watch.blurred == 10 and "blurred" in watch.advice()[0]


def test_too_few_viewpoints_are_told():
    assert "moved by less than" in watched(around(60, 5.0, metres=0.0), rate=10).advice()[0]
    ahead = watched([pose(x=0.05 * index) for index in range(60)])
    assert "look one way" in ahead.advice()[0]
    there_and_back = watched([pose(x=0.05 * index, roll=180.0 * (index >= 30)) for index in range(60)], rate=0.1)
    assert "look two ways" in there_and_back.advice()[-1]


def test_advice_speaks_of_what_comes_in_and_of_the_map():
    intake = Intake(images=100, silence="", no_pose=0, bad_pose=0, pose_fault="", seconds=60.0)
    good = Counters(taken=100)
    assert advice(intake, good, DriveWatch(), HeldBack()) == []
    assert advice(intake, good, DriveWatch(), HeldBack(10, 9)) == []
    assert "Only 5 of 10" in advice(intake, good, DriveWatch(), HeldBack(10, 5))[0]
    assert "covered" in advice(intake, Counters(taken=60, blurred=30), DriveWatch(), HeldBack())[0]
    assert "faster than they can be encoded" in advice(intake, Counters(60, overload=40), DriveWatch(), HeldBack())[0]
    assert "at least 10" in advice(intake, Counters(taken=3), DriveWatch(), HeldBack())[0]
    unposed = replace(intake, no_pose=100, pose_fault="no message on /pose so far")
    assert "100 images got no pose: no message" in advice(unposed, Counters(), DriveWatch(), HeldBack())[0]


def test_an_album_keeps_a_few_images_of_the_whole_drive():
    album = Album()
    for index in range(500):
        grey = np.full((48, 64), index // 2, np.uint8)
        album.show(grey, CAMERA, pose(x=index), f"frame {index}")
    frames = album.frames()
    assert 30 <= len(frames) <= 61
    places = [frame.map_from_camera[0, 3] for frame in frames]
    assert places[0] == 0 and places[-1] > 450 and len(set(np.diff(places))) == 1
    assert all(abs(int(frame.read().mean()) - frame.map_from_camera[0, 3] // 2) <= 2 for frame in frames)


# --- frames on their way ---


def test_slot_hands_out_the_newest():
    slot = LatestSlot()
    assert not slot.put(1)
    assert slot.put(2)
    assert slot.take() == 2
    waiter = threading.Thread(target=lambda: got.append(slot.take()))
    got = []
    waiter.start()
    slot.put(3)
    waiter.join(5.0)
    assert got == [3]
    slot.close()
    assert slot.take() is None


def test_arrival_check_sorts_frames():
    check = ArrivalCheck(max_age=1.0, max_rate=0.0)
    assert check.sort(10 * SECOND, 10 * SECOND) is Arrival.FRESH
    assert check.sort(9 * SECOND, 12 * SECOND) is Arrival.STALE
    assert check.sort(10 * SECOND, 10 * SECOND) is Arrival.LATE
    assert check.sort(10 * SECOND - 5, 10 * SECOND) is Arrival.LATE
    assert check.sort(11 * SECOND, 11 * SECOND) is Arrival.FRESH
    assert ArrivalCheck(0.0, 0.0).sort(0, 10**18) is Arrival.FRESH


def test_arrival_check_notices_that_time_went_back():
    check = ArrivalCheck(0.0, 0.0)
    check.sort(100 * SECOND, 0)
    order = [check.sort(stamp * SECOND, 0) for stamp in (1, 2, 3, 4)]
    assert order == [Arrival.LATE, Arrival.LATE, Arrival.RESTARTED, Arrival.FRESH]


def test_arrival_check_limits_the_rate():
    check = ArrivalCheck(0.0, max_rate=10.0)
    passed = [stamp for stamp in range(0, SECOND, SECOND // 30) if not check.too_soon(stamp)]
    assert 9 <= len(passed) <= 11


# --- map names ---


def test_map_names_stay_inside(tmp_path):
    maps = tmp_path / "maps"
    maps.mkdir()
    (maps / "inside").mkdir()
    (tmp_path / "outside").mkdir()
    (maps / "link").symlink_to(tmp_path / "outside")
    assert map_path(maps, "kitchen") == maps / "kitchen.safetensors"
    assert map_path(maps, "kitchen.safetensors") == maps / "kitchen.safetensors"
    assert map_path(maps, "floor1/kitchen") == maps / "floor1" / "kitchen.safetensors"
    assert map_path(maps, str(maps / "kitchen")) == maps / "kitchen.safetensors"
    for name in ("", " ", ".", "..", "a/..", "../x", "inside/../../x", "/etc/x", "link/x", "a/", "a\0b", "x" * 300):
        with pytest.raises(InputError, match="map name"):
            map_path(maps, name)


def test_residual_axes_are_those_of_the_gate():
    residual = pose_residual(pose(1.0, yaw=10.0), pose())
    assert np.allclose(residual, [1.0, 0, 0, 0, 0, np.radians(10.0)])
    assert np.allclose(invert(pose(1.0, yaw=10.0)) @ pose(1.0, yaw=10.0), np.eye(4))
