"""Answers out of models, and times in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from datetime import datetime

    from pydantic import BaseModel


def reply(model: BaseModel, *, status: int = 200) -> web.Response:
    """Return an answer; fields that were left out of the model are left out of it."""
    text = model.model_dump_json(exclude_unset=True)
    return web.Response(text=text, status=status, content_type="application/json")


def to_ms(moment: datetime) -> int:
    """Return a time as answers give it: milliseconds since 1970."""
    return round(moment.timestamp() * 1000)
