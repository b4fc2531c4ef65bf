"""Prompts under names, and their versions."""

from fastapi import APIRouter

from web.rendering import Renderer


def add(router: APIRouter, render: Renderer) -> None:
    """To be written."""
