"""Roadworthy: the road from car images to a model in service."""

__version__ = "0.1.0"
