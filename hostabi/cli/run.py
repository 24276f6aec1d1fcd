"""`tamis run`: a filter on one exchange, an export by name, or a WASI program, as the module is."""

from __future__ import annotations

import json
from typing import Any

import click

from hostabi.cli import run_options as shared
from hostabi.cli.errors import CommandError

LOG_LEVELS = ("trace", "debug", "info", "warn", "error", "critical")


SECTIONS = {
    "The request": ("method", "path", "authority", "scheme", "header", "body", "body_file", "chunk"),
    "The upstream's answer": ("status", "response_header", "response_body"),
    "A connection": ("tcp", "downstream", "upstream"),
    "Answers to the filter's calls": (
        *("call_response", "grpc_response", "grpc_cluster", "redis_response", "redis_cluster", "dns"),
    ),
    "The filter": ("config", "vm_config", "root_id", "property", "profile", "log_level", "json"),
    "An export or a program": ("invoke", "folders", "environ"),
    "The machine": ("engine", "features", "fuel", "clock", "seed"),
}
"""Headings of the help, and the options under them."""


class RunCommand(shared.GuestCommand):
    """The command with its options under headings."""

    sections = SECTIONS


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":") if not text.startswith(":") else text[1:].partition(":")
    if not colon or not name:
        raise click.BadParameter(f"{text!r} is not NAME: VALUE")
    return (":" if text.startswith(":") else "") + name.strip().lower(), value.strip()


def _headers(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return tuple(_header(value) for value in values)


def _call_response(text: str) -> tuple[str, int, str]:
    cluster, equals, rest = text.partition("=")
    status, _, body = rest.partition(":")
    if not equals or not status.isdecimal():
        raise click.BadParameter(f"{text!r} is not CLUSTER=STATUS[:BODY]")
    return cluster, int(status), body


def _call_responses(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, int, str], ...]:
    return tuple(_call_response(value) for value in values)


def _grpc_responses(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, int, str], ...]:
    return tuple(_grpc_response(value) for value in values)


def _grpc_response(text: str) -> tuple[str, int, str]:
    from hostabi.abi.grpc import GrpcStatus

    cluster, equals, rest = text.partition("=")
    status, _, message = rest.partition(":")
    known = GrpcStatus.__members__
    if not equals or not (status.isdecimal() or status in known):
        raise click.BadParameter(f"{text!r} is not CLUSTER=STATUS[:MESSAGE], with a status such as OK, NOT_FOUND, 5")
    return cluster, int(known.get(status, status)), message


def _clusters(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, tuple[str, int]]:
    return dict(_cluster(value) for value in values)


def _cluster(text: str) -> tuple[str, tuple[str, int]]:
    name, _, address = text.rpartition("=")
    host, _, port = address.rpartition(":")
    if not name or not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise click.BadParameter(f"{text!r} is not NAME=HOST:PORT")
    return name, (host.removeprefix("[").removesuffix("]"), int(port))


def _redis_responses(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    found = {}
    for text in values:
        cluster, equals, value = text.partition("=")
        if not cluster or not equals:
            raise click.BadParameter(f"{text!r} is not CLUSTER=VALUE")
        try:
            found[cluster] = json.loads(value)
        except (ValueError, RecursionError):
            found[cluster] = value
    return found


_OF_EXCHANGE = ("The request", "The upstream's answer", "A connection", "Answers to the filter's calls", "The filter")
FILTER_ONLY = [name for heading in _OF_EXCHANGE for name in SECTIONS[heading]]
"""Options that would be without effect on anything else."""

OF_HTTP = [*SECTIONS["The request"], "status", "response_header", "response_body"]
"""Options that would be without effect on a connection."""

REQUEST = [
    click.option("-X", "--method", default="GET", show_default=True, metavar="METHOD", help="Its method."),
    click.option("--path", default="/", show_default=True, help="Its path, with the query."),
    click.option("--authority", default="example.com", show_default=True, metavar="HOST", help="Its host."),
    click.option("--scheme", default="http", show_default=True, help="http or https."),
    click.option("-H", "--header", multiple=True, metavar="NAME: VALUE", callback=_headers, help="A header."),
    click.option("--body", metavar="TEXT", help="Its body."),
    click.option("--body-file", metavar="FILE", help="Its body from a file."),
    click.option("--chunk", type=click.IntRange(1), metavar="N", help="Send bodies in pieces of N bytes."),
]
ANSWER = [
    click.option("--status", type=click.IntRange(100, 999), default=200, show_default=True, help="Its status."),
    click.option("--response-header", multiple=True, metavar="NAME: VALUE", callback=_headers, help="A header of it."),
    click.option("--response-body", metavar="TEXT|@FILE", help="Its body; a greeting without."),
    click.option(
        "--call-response",
        multiple=True,
        metavar="CLUSTER=STATUS[:BODY]",
        callback=_call_responses,
        help="Answer http calls to this cluster; others fail.",
    ),
    click.option(
        "--grpc-response",
        multiple=True,
        metavar="CLUSTER=STATUS[:MESSAGE]",
        callback=_grpc_responses,
        help="Answer gRPC calls to this cluster: OK and the message, or a status and its text; others fail.",
    ),
    click.option(
        "--grpc-cluster",
        multiple=True,
        metavar="NAME=HOST:PORT",
        callback=_clusters,
        help="Send gRPC calls to this cluster to a real server, without TLS (needs the extra grpc).",
    ),
    click.option(
        "--redis-response",
        multiple=True,
        metavar="CLUSTER=VALUE",
        callback=_redis_responses,
        help="Answer queries to this Redis cluster: a number, null or a list in JSON, else text; others fail.",
    ),
    click.option(
        "--redis-cluster",
        multiple=True,
        metavar="NAME=HOST:PORT",
        callback=_clusters,
        help="Send queries to this Redis cluster to a real server.",
    ),
]
CONNECTION = [
    click.option("--tcp", is_flag=True, help="Show the filter a connection in place of a request."),
    click.option("--downstream", multiple=True, metavar="TEXT|@FILE", help="What the client sends on it; @- is stdin."),
    click.option("--upstream", multiple=True, metavar="TEXT|@FILE", help="What the upstream sends back each time."),
]
FILTER = [
    click.option("--config", metavar="TEXT|@FILE", help="The plugin configuration."),
    click.option("--vm-config", metavar="TEXT|@FILE", help="The VM configuration."),
    click.option("--root-id", default="", help="The root id."),
    click.option(
        "--property",
        multiple=True,
        type=shared.Property(),
        metavar="a.b=VALUE",
        help='A property that the filter can read. 5, 1.5, true have their types, "5" in double quotes is text.',
    ),
    click.option(
        "--dns",
        multiple=True,
        type=shared.Pair("=", "NAME=ADDRESS[,ADDRESS...]"),
        metavar="NAME=ADDRESS,...",
        help="What a name stands for that the filter looks up; others have no address.",
    ),
    click.option("--profile", default="default", show_default=True, metavar="NAME", help="Which host to behave like."),
    click.option("--log-level", type=click.Choice(LOG_LEVELS), default="info", show_default=True, help="Lowest level."),
]
MACHINE = [
    click.option("--json", is_flag=True, help="Print one JSON object instead of the transcript."),
    shared.ENGINE,
    shared.FEATURES,
    click.option("--invoke", metavar="NAME", help="Call this export with ARGS and print its results."),
    *shared.PROGRAM_OPTIONS,
]


@click.command(cls=RunCommand)
@click.argument("module")
@shared.add_options(REQUEST)
@shared.add_options(ANSWER)
@shared.add_options(CONNECTION)
@shared.add_options(FILTER)
@shared.add_options(MACHINE)
@click.argument("args", nargs=-1)
@click.pass_context
def run(ctx: click.Context, /, module: str, invoke: str | None, args: tuple[str, ...], **options: Any) -> None:
    """Run MODULE, whatever it is.

    A Proxy-Wasm filter is shown one exchange, or with --tcp one connection: a piece from the client, one from the
    upstream, and so on, until both end. Every callback and host call is listed. With --invoke an export is called
    with ARGS. Anything else must be a WASI program and gets ARGS; put -- before options that are its own.

    Exit codes: 0, 1 for a failure, 2 for wrong usage, 134 if the guest traps, else the program's own.
    """
    from hostabi.cli import program
    from hostabi.cli.sources import load_valid

    valid = load_valid(module, options["features"])
    exported = [export.name for export in valid.module.exports if export.kind == "func"]
    is_filter = any(name.startswith("proxy_abi_version_") for name in exported)
    if invoke is not None:
        shared.refuse(FILTER_ONLY, "goes with a filter's exchange, not with --invoke")
        program.invoke(module, valid, shared.program_settings(options), invoke, args)
    elif is_filter:
        shared.refuse(("folders",), "is for programs: a filter has no files")
        if args:
            raise click.UsageError(f"{module} is a filter and takes no arguments: {' '.join(args)}")
        if options["tcp"] or options["downstream"] or options["upstream"]:
            shared.refuse(OF_HTTP, "goes with a request, not with a connection")
        from hostabi.cli.exchange import run_filter

        run_filter(ctx, module, valid, options)
    elif "_start" in exported:
        shared.refuse(FILTER_ONLY, "is for filters")
        program.run_program(module, valid, shared.program_settings(options), args)
    else:
        raise CommandError(
            f"{module}: neither a filter (no proxy_abi_version_* export) nor a program (no _start export): use --invoke"
        )
