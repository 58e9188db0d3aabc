"""Groups of commands that load a command only when it is called.

Chain and storage libraries take a second to load, and `emr validate` needs none of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

if TYPE_CHECKING:
    from collections.abc import Mapping


def lazy_group(places: Mapping[str, str]) -> type[TyperGroup]:
    """Return a group of commands that live elsewhere.

    Args:
        places: by a command's name, in the order of the help, its `module:app` or `module:function`. Where
            an app has a command of that name, it is meant; else the app is the group.
    """

    class LazyGroup(TyperGroup):
        def list_commands(self, ctx: Any) -> list[str]:
            del ctx
            return list(places)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            return _loaded(ctx, places[cmd_name], cmd_name) if cmd_name in places else None

    return LazyGroup


def _loaded(ctx: Any, place: str, name: str) -> Any:
    module, _, attribute = place.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    holder = typer.Typer(add_completion=False)
    holder.callback()(_nothing)
    if isinstance(found, typer.Typer):
        holder.add_typer(found, name=name)
    else:
        holder.command(name)(found)
    command = get_group(holder).get_command(ctx, name)
    inner = command.get_command(ctx, name) if isinstance(command, TyperGroup) else None
    return inner or command


def _nothing() -> None:
    # A Typer of one command is that command, unless it has a callback.
    return
