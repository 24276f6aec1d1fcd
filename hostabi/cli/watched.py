"""Running an export, a program or a filter on the reference engine while something watches every instruction."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import click

from hostabi.cli import run_options as shared
from hostabi.cli.run import ANSWER, FILTER, FILTER_ONLY, REQUEST, SECTIONS

if TYPE_CHECKING:
    import interp
    from hostabi.adapters.exchange import Exchange


class WatchCommand(shared.GuestCommand):
    """A command with the options of `tamis run` under headings."""

    sections = SECTIONS


#: The options of a command of this kind, after its own.
OPTIONS = [shared.FEATURES, *shared.PROGRAM_OPTIONS, *REQUEST, *ANSWER, *FILTER]


def is_filter(valid: interp.ValidModule) -> bool:
    """Whether a module says that it is a Proxy-Wasm filter."""
    return any(export.name.startswith("proxy_abi_version_") for export in valid.module.exports)


def check_options(module: str, filter: bool, args: tuple[str, ...]) -> None:
    """Raises UsageError for options that are without effect on what is run."""
    if not filter:
        shared.refuse(FILTER_ONLY, "goes with a filter's exchange")
    elif args:
        raise click.UsageError(f"{module} is a filter and takes no arguments: {' '.join(args)}")
    else:
        shared.refuse(("folders",), "is for programs: a filter has no files")


def watch_export(
    module: str,
    valid: interp.ValidModule,
    monitor: Any,
    invoke: str | None,
    args: tuple[str, ...],
    options: dict[str, Any],
    on_trap: Callable[[], None] = lambda: None,
) -> tuple[str, int]:
    """Call an export, or run a program: its results as text, and the ticks. Raises as `interp.invoke_bits`."""
    import interp
    from hostabi.cli import program
    from interp.tools.notation import print_value

    settings = shared.program_settings(options, engine="reference")
    store = program.make_store(settings)
    with program.loaded(module, valid, settings, () if invoke else args, store) as inst:
        func = program.exported_function(module, inst, invoke or "_start")
        bits = program.arguments(invoke, func.type, args) if invoke else []
        store.monitor = monitor
        try:
            results = interp.invoke_bits(store, func, bits)
        except interp.Trap:
            on_trap()
            raise
        texts = " ".join(print_value(t, b) for t, b in zip(func.type.results, results, strict=True))
        return texts, store.ticks


def watch_filter(module: str, valid: interp.ValidModule, monitor: Any, options: dict[str, Any]) -> Exchange:
    """Send one exchange through a filter; its start is watched as well."""
    from hostabi.cli.exchange import Run
    from hostabi.core.plugin import WasmGuest

    run = Run(module, valid, dict(options, engine="reference"))
    guest = run.plugin.vm.guest
    if isinstance(guest, WasmGuest):
        guest.store.monitor = monitor
    with run.network or nullcontext():
        return run.perform()


def trapped(module: str, exchange: Exchange) -> None:
    """Raises TrapError if the filter trapped."""
    from hostabi.cli.errors import TrapError, cut_frames

    if exchange.trap is not None:
        frames = cut_frames(exchange.trap.backtrace)
        raise TrapError(f"{module}: {exchange.trap.message}", tuple(f"  {frame}" for frame in frames))
