"""What is seen in an image: encoders, and the keypoints with descriptors that they give. Knows no map and no pose."""
