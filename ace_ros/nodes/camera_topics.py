"""Names of the topics of cameras, as the launch files take them."""

from __future__ import annotations


def beside(image: str) -> str:
    """The camera_info that belongs to the topic of images, as every driver has it: beside it."""
    parent, slash, _ = image.rpartition("/")
    return f"{parent}{slash}camera_info"


def camera_remaps(image: str, camera_info: str = "", images: str = "") -> dict[str, str]:
    """What a node's topics of images and camera_info are remapped to.

    Args:
        image, camera_info: of one camera; without ``camera_info`` it is beside the image.
        images: of several, with commas between them; it goes before the other two.
    """
    names = [name.strip() for name in images.split(",") if name.strip()]
    if not names:
        return {"image": image, "camera_info": camera_info or beside(image)}
    if len(names) == 1:
        return {"image": names[0], "camera_info": camera_info or beside(names[0])}
    remaps = {f"image_{index}": name for index, name in enumerate(names)}
    return remaps | {f"camera_info_{index}": beside(name) for index, name in enumerate(names)}
