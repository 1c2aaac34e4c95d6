"""Every kind of detector. Importing this file fills the registry."""

from osler.models.detection import faster_rcnn

__all__ = ["faster_rcnn"]
