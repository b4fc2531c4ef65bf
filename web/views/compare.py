"""Several jobs beside each other."""

from fastapi import APIRouter

from web.rendering import Renderer


def add(router: APIRouter, render: Renderer) -> None:
    """To be written."""
