"""`tamis demo`: a bundled filter on a sample request, explained in ten lines."""

from __future__ import annotations

import textwrap
from importlib import resources
from typing import Any

import click

from hostabi.cli.errors import CommandError


@click.command
@click.option("--engine", metavar="NAME", help="native, or reference.")
@click.option("--transcript", is_flag=True, help="Show the full transcript, as tamis run does.")
def demo(engine: str | None, transcript: bool) -> None:
    """Show a filter at work: what it gets, what it does, what comes out."""
    import interp
    from hostabi.cli.exchange import Run, show
    from hostabi.cli.transcript import Page

    folder = resources.files("hostabi") / "demo"
    try:
        module, config = (folder / "filter.wasm").read_bytes(), (folder / "config.txt").read_text(encoding="utf-8")
        story = " ".join((folder / "story.txt").read_text(encoding="utf-8").split())
    except OSError as error:
        raise CommandError(f"the bundled filter is missing from this installation: {error}") from error
    options = dict(_OPTIONS, engine=engine, config=config)
    run = Run("filter.wasm", interp.validate(interp.decode(module)), options)
    exchange = run.perform()
    page = Page()
    if transcript:
        show("filter.wasm", exchange, page, run)
        return
    if exchange.request is None or exchange.response is None or exchange.trap is not None:
        raise CommandError("the demo filter did not do what it should: please report this")
    for line in textwrap.wrap(story, min(page.console.width, 100)):
        page.line(0, (line, ""))
    request, answer = run.request.header_pairs(), run.upstream.header_pairs()
    page.line(0, ("request    ", "bold"), (f"{_OPTIONS['method']} {_OPTIONS['path']}, {_plain(request)}", ""))
    page.line(0, ("filtered   ", "bold"), (_changes(request, exchange.request.headers), "green"))
    page.line(0, ("response   ", "bold"), (f"{_OPTIONS['status']}, {_plain(answer)}", ""))
    page.line(0, ("filtered   ", "bold"), (_changes(answer, exchange.response.headers), "green"))
    facts = f"{len(module)} bytes of WebAssembly, ABI {exchange.abi}, {exchange.engine} engine, {exchange.fuel} ticks"
    page.line(0, ("ran        ", "bold"), (facts, ""))
    page.line(0, ("next       ", "bold"), ("tamis demo --transcript; tamis run MODULE; tamis --help", ""))


_OPTIONS: dict[str, Any] = {
    "method": "GET",
    "path": "/teapots?colour=blue",
    "authority": "shop.example",
    "scheme": "https",
    "header": (("cookie", "session=secret"), ("accept", "text/html")),
    "body": None,
    "body_file": None,
    "chunk": None,
    "status": 200,
    "response_header": (("server", "old-and-known/1.0"),),
    "response_body": None,
    "call_response": (),
    "grpc_response": (),
    "grpc_cluster": {},
    "vm_config": None,
    "root_id": "",
    "property": (),
    "environ": (),
    "profile": "default",
    "log_level": "info",
    "fuel": None,
    "clock": 1_700_000_000 * 10**9,
    "seed": 1,
}


def _plain(pairs: tuple[tuple[bytes, bytes], ...]) -> str:
    """Headers but the pseudo-headers."""
    return ", ".join(f"{name.decode()}: {value.decode()}" for name, value in pairs if not name.startswith(b":"))


def _changes(before: tuple[tuple[bytes, bytes], ...], after: tuple[tuple[bytes, bytes], ...]) -> str:
    """What was added and taken away, in words."""
    gone = [f"- {name.decode()}: {value.decode()}" for name, value in before if (name, value) not in after]
    new = [f"+ {name.decode()}: {value.decode()}" for name, value in after if (name, value) not in before]
    return "   ".join(new + gone)
