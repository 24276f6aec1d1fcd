"""The page of properties, written from the table of attributes."""

from __future__ import annotations

from hostabi.hostcalls.attributes import ATTRIBUTES, GROUPS, OLD_NAMES, Attribute, Type
from hostabi.hostcalls.filter_objects import FACTORIES

_INTRO = """\
# Properties

What `proxy_get_property` gives, as Envoy 1.40 does: every attribute, how its value is written for the guest, and
whether a plugin has it before there is a stream. Numbers are little-endian; a map is written as header maps are, with
keys and values by these same rules; a message is in Protocol Buffers, and a path steps into it by the names of its
fields. What is not known is NOT_FOUND; a group as a whole cannot be written, SERIALIZATION_FAILURE.

Facts come from `StreamInfo`. A test, a scenario file (`properties:`) and `tamis run --property` can set any of these,
and any other path, by dotted path: a message as a mapping, or its fields one by one (`xds.node.metadata.NAME`)."""

_STORED = """\
## What filters store

`proxy_set_property` stores bytes under a name; a path of one segment reads them back, and so does
`filter_state.wasm.NAME`. The foreign function `declare_property`, called before there is a stream, says of a name what
it holds (bytes, text, FlatBuffers, a message of Protocol Buffers), whether it is set once, and whether it lives as long
as the stream or as its connection. Of a message of a known kind the fields can be read; FlatBuffers are bytes.

`set_envoy_filter_state` makes objects that the proxy itself reads, of text; `filter_state.NAME` reads them:"""


def properties_page() -> str:
    """Every attribute with its type, what it was called before, and what filters can store."""
    lines = [_INTRO, ""]
    alone = [one for one in ATTRIBUTES.values() if "." not in one.path]
    groups = dict.fromkeys(one.group for one in ATTRIBUTES.values() if "." in one.path)
    lines += ["## At the top", "", *_table(alone), ""]
    for group in groups:
        lines += [
            f"## `{group}`",
            "",
            *_table([one for one in ATTRIBUTES.values() if one.path.startswith(f"{group}.")]),
            "",
        ]
    old = ", ".join(f"`{name}`" for name in OLD_NAMES)
    lines += ["## Old names", ""]
    lines += [f"Until Envoy 1.30 some had names of their own, without `xds.`: {old}.", ""]
    lines += ["They are gone from Envoy 1.40, and so from the profile `envoy`; filters still ask for them.", ""]
    others = [*sorted(GROUPS - set(groups)), "upstream_filter_state"]
    lines += [_STORED, "", ", ".join(f"`{name}`" for name in FACTORIES) + ".", ""]
    lines += [f"Groups without rows of their own: {', '.join(f'`{name}`' for name in others)}."]
    return "\n".join(lines) + "\n"


def _table(rows: list[Attribute]) -> list[str]:
    return [
        "| property | value | without a stream |",
        "|---|---|---|",
        *(f"| `{one.path}` | {_type(one)} | {'yes' if one.on_root else ''} |" for one in rows),
    ]


def _type(one: Attribute) -> str:
    return f"message `{one.message.name}`" if one.type is Type.MESSAGE and one.message else one.type.value
