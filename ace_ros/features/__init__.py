"""What is seen in an image: encoders, and the keypoints with descriptors that they give. Knows no map and no pose."""

from ace_ros.features.encoder import Encoder, EncoderProfile, Likeness
from ace_ros.features.features import EncodedImage, Features
from ace_ros.features.grey import working_image
from ace_ros.features.registry import make_encoder, profile_of, register

__all__ = [
    "EncodedImage",
    "Encoder",
    "EncoderProfile",
    "Features",
    "Likeness",
    "make_encoder",
    "profile_of",
    "register",
    "working_image",
]
