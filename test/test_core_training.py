"""Muon, the training buffer, and the loop, on worlds whose points are known exactly."""

import time

import numpy as np
import pytest
import torch
from core_making import CPU, make_world, true_tracks

from ace_ros.errors import MappingError
from ace_ros.map.head import HeadShape
from ace_ros.mapping.buffer import TrainingBuffer
from ace_ros.mapping.calibration import miss
from ace_ros.mapping.muon import Muon, orthogonalize
from ace_ros.mapping.training import TrainingOptions, train

SCALE = 4.0
SHAPE = HeadShape(64, 64, 1)


def seeded(seed=0):
    return torch.Generator(CPU).manual_seed(seed)


@pytest.fixture(scope="module")
def world():
    return make_world(points=300, views=12, seed=11, at=(30.0, -20.0, 5.0))


@pytest.fixture(scope="module")
def packed(world):
    return world.packed()


def buffer_of(world, packed, per_view=1000, seed=0, known=lambda track: track % 2 == 0):
    tracks = true_tracks(world, packed)
    kept = known(tracks.track)
    return TrainingBuffer(
        packed, SCALE, per_view, tracks.points, tracks.view[kept], tracks.keypoint[kept], tracks.track[kept],
        seeded(seed),
    )  # fmt: skip


@pytest.mark.parametrize("size", [8, 64, 256])
def test_orthogonalize_is_close_to_u_vt(size):
    generator = seeded(2)
    u, v = (torch.linalg.qr(torch.randn(3, size, size, generator=generator))[0] for _ in range(2))
    values = torch.linspace(1.0, 0.1, size)
    found = orthogonalize(1e3 * u @ (values[:, None] * v.mT))
    assert found.dtype == torch.float32
    # In the axes of the decomposition the result is nearly the identity; Muon's iteration is content with 0.7 to 1.2.
    core = u.mT @ found @ v
    diagonal = core.diagonal(dim1=1, dim2=2)
    assert diagonal.min() > 0.6 and diagonal.max() < 1.3
    assert (core - torch.diag_embed(diagonal)).abs().max() < 0.06


def test_orthogonalize_does_not_care_for_scale_and_survives_zero():
    matrix = torch.randn(1, 16, 16, generator=seeded(3))
    torch.testing.assert_close(orthogonalize(matrix), orthogonalize(matrix * 1024), rtol=0, atol=0.02)
    assert not orthogonalize(torch.zeros(2, 16, 16)).any()


def test_muon_finds_a_linear_map():
    generator = seeded(4)
    truth = torch.randn(32, 32, generator=generator) / 6
    matrix = torch.nn.Parameter(torch.zeros(32, 32))
    muon = Muon([matrix])
    inputs = torch.randn(256, 32, generator=generator)
    losses = []
    for step in range(150):
        muon.zero_grad()
        loss = ((inputs @ matrix - inputs @ truth) ** 2).mean()
        loss.backward()
        muon.step(0.05 * (1 - step / 150))
        losses.append(loss.item())
    assert losses[-1] < 1e-3 * losses[0]


def test_a_sample_costs_what_is_documented(world, packed):
    buffer = buffer_of(world, packed)
    assert buffer.bytes_per_sample == 64 * 2 + 3 * 4 + 4 + 4 == 148
    assert buffer.features.dtype == torch.float16


def test_every_keypoint_is_a_sample_and_nothing_else(world, packed):
    buffer = buffer_of(world, packed)
    assert len(buffer) == sum(map(len, world.ids))
    few = buffer_of(world, packed, per_view=50)
    assert len(few) == 50 * len(world.views)
    assert len(torch.unique(few.features, dim=0)) == len(few)  # without repetition


def test_feature_bearing_view_and_point_of_a_sample_belong_together(world, packed):
    buffer = buffer_of(world, packed)
    order = torch.randperm(len(buffer), generator=seeded(1))
    features, batch = buffer.batch(order)
    ids = (features.float() @ torch.from_numpy(world.looks).T).argmax(1)
    truth = torch.from_numpy(world.points - packed.origin).float()[ids] / SCALE
    torch.testing.assert_close(
        torch.nn.functional.normalize(truth - batch.centres, dim=1), batch.rays, rtol=0, atol=1e-5
    )
    assert (batch.focals == 500).all()
    known = ~batch.targets.isnan().any(1)
    assert torch.equal(known, ids % 2 == 0)
    torch.testing.assert_close(batch.targets[known], truth[known])


@pytest.mark.parametrize("size", [1, 64, 1000, 10**6])
def test_an_epoch_takes_every_sample_once(world, packed, size):
    buffer = buffer_of(world, packed, per_view=80)  # 960 samples
    batches = buffer.shuffled(size, seeded(7))
    per_epoch = max(1, len(buffer) // size)
    epochs = [torch.cat([next(batches) for _ in range(per_epoch)]) for _ in range(3)]
    for epoch in epochs:
        assert len(torch.unique(epoch)) == len(epoch) == len(buffer)
    assert not torch.equal(epochs[0], epochs[1])


def test_the_rest_that_fills_no_batch_waits_for_a_later_epoch(world, packed):
    buffer = buffer_of(world, packed, per_view=80)
    batches = buffer.shuffled(500, seeded(7))
    epochs = [next(batches) for _ in range(40)]  # one batch of 500 of 960 each
    assert all(len(torch.unique(batch)) == 500 for batch in epochs)
    assert len(torch.unique(torch.cat(epochs))) == len(buffer)


def test_the_buffer_is_seeded(world, packed):
    one, same, other = (buffer_of(world, packed, 50, seed) for seed in (5, 5, 6))
    assert torch.equal(one.features, same.features) and not torch.equal(one.features, other.features)
    orders = [next(one.shuffled(64, seeded(seed))) for seed in (5, 5, 6)]
    assert torch.equal(orders[0], orders[1]) and not torch.equal(orders[0], orders[2])


def test_good_keypoints_are_drawn_more_often(world, packed):
    buffer = buffer_of(world, packed, per_view=60)
    scores = torch.cat([packed.scores[i][packed.valid[i]] for i in range(packed.count)])
    every = torch.cat([packed.descriptors[i][packed.valid[i]] for i in range(packed.count)]).half()
    drawn = (buffer.features.float() @ every.float().T).argmax(1)
    assert scores[drawn].mean() > scores.mean() + 0.03


def median_error(head, world, packed):
    predicted = head.predict(torch.from_numpy(world.looks)).numpy() * SCALE + packed.origin
    return float(np.median(np.linalg.norm(predicted - world.points, axis=1)))


def test_a_head_learns_the_points_of_its_world(world, packed):
    """From rays alone for half of the points; the other half is supervised."""
    torch.manual_seed(0)
    reports = []
    options = TrainingOptions(steps=400, batch=512, shape=SHAPE)
    head, statistics = train(buffer_of(world, packed), options, seeded(), lambda *told: reports.append(told))
    assert statistics.steps == 400 and statistics.inliers > 0.8
    done, total, loss, _ = np.array(reports).T
    assert done[0] == 1 and done[-1] == 400 and (np.diff(done) > 0).all() and (total == 400).all()
    assert loss[-1] < 0.2 * loss[0] and statistics.loss == loss[-1]
    assert median_error(head, world, packed) < 0.1
    assert not any(parameter.requires_grad for parameter in head.parameters())


def test_how_far_off_views_are_found_while_a_head_is_trained(world, packed):
    """The figure that people watch: it falls, and at the end it is that of the finished head."""
    torch.manual_seed(0)
    misses = []

    def look(head):
        misses.append(miss(head, world.views, packed.origin, SCALE))

    options = TrainingOptions(steps=400, batch=512, shape=SHAPE)
    train(buffer_of(world, packed), options, seeded(), lambda *told: None, look)
    assert len(misses) == 4 and misses[-1] < 0.1 and misses[-1] < 0.5 * misses[0]


def test_triangulated_points_help(world, packed):
    options = TrainingOptions(steps=200, batch=512, shape=SHAPE)
    errors = []
    for known in (lambda track: track >= 0, lambda track: track < 0):
        torch.manual_seed(0)
        head, _ = train(buffer_of(world, packed, known=known), options, seeded(), lambda *told: None)
        errors.append(median_error(head, world, packed))
    assert errors[0] < 0.8 * errors[1]


def test_training_is_deterministic_for_a_seed(world, packed):
    def trained(seed):
        torch.manual_seed(seed)
        options = TrainingOptions(steps=30, batch=256, shape=SHAPE)
        head, _ = train(buffer_of(world, packed), options, seeded(seed), lambda *told: None)
        return head.state_dict()

    one, same, other = trained(1), trained(1), trained(2)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["out.weight"], other["out.weight"])


@pytest.mark.parametrize("options", [{"rate": 1e30}, {"adam_rate": 1e30}, {"rate": 1e30, "steps": 3}])
def test_diverging_is_said(world, packed, options):
    options = TrainingOptions(**{"steps": 60, "batch": 256, "shape": SHAPE} | options)
    with pytest.raises(MappingError, match="diverged"):
        train(buffer_of(world, packed), options, seeded(), lambda *told: None)


def test_a_budget_of_time_ends_the_schedule(world, packed):
    """The steps that fit the budget are the whole schedule: the rate falls to zero at its end, whatever the machine."""
    reports = []

    def slow(done, total, loss, inliers):
        reports.append((done, total))
        time.sleep(0.05)

    options = TrainingOptions(steps=10**7, seconds=0.5, batch=64, shape=SHAPE)
    _, statistics = train(buffer_of(world, packed), options, seeded(), slow)
    assert 1 <= statistics.steps < 10**6
    assert all(done <= total for done, total in reports)
    assert reports[-1][1] < 10**6  # what is announced follows the budget, not the steps


def test_a_budget_does_not_lengthen_training(world, packed):
    options = TrainingOptions(steps=5, seconds=3600.0, batch=64, shape=SHAPE)
    _, statistics = train(buffer_of(world, packed), options, seeded(), lambda *told: None)
    assert statistics.steps == 5


def test_a_report_that_raises_stops(world, packed):
    calls = []

    def stop(*told):
        calls.append(told)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(buffer_of(world, packed), TrainingOptions(steps=100, shape=SHAPE), seeded(), stop)
    assert len(calls) == 1


def test_fewer_samples_than_a_batch_train_too():
    small = make_world(points=60, views=10, seed=1)
    packed = small.packed()
    buffer = TrainingBuffer(
        packed, 1.0, 1, torch.empty(0, 3), *(torch.empty(0, dtype=torch.long) for _ in range(3)), seeded()
    )
    assert len(buffer) == 10
    _, statistics = train(buffer, TrainingOptions(steps=3, shape=SHAPE), seeded(), lambda *told: None)
    assert np.isfinite(statistics.loss)
