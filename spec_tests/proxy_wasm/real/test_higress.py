"""Filters that none of us wrote: plugins of Higress (Go and Rust) and of GPUStack, configured as their users do.

They come unmodified from the package gpustack-higress-plugins, an extra for tests; their marker is 0_2_100. What they
are expected to do is in their documentation (https://higress.cn and the package's README).
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from hostabi.core.events import StreamInfo
from hostabi.testing import Answer, FilterHost, exchange_data
from interp.exec.engines import available

_package = importlib.util.find_spec("gpustack_higress_plugins")
pytestmark = pytest.mark.skipif(_package is None, reason="pip install gpustack-higress-plugins for these")

# A Go program takes five million instructions to start: some seconds on the reference engine, so most of that is long.
on_both = pytest.mark.parametrize("engine", ["native", "reference"], indirect=True)
mostly_native = pytest.mark.parametrize(
    "engine", ["native", pytest.param("reference", marks=pytest.mark.long)], indirect=True
)
# This one builds its dictionaries when it starts: 50 million calls and loops, far too many for the reference engine.
MASKER = "ai-data-masking"
on_native = pytest.mark.parametrize("engine", ["native"], indirect=True)

JSON = {"content-type": "application/json"}
CHAT = "/v1/chat/completions"


def folder() -> Path:
    assert _package is not None and _package.submodule_search_locations is not None
    return Path(_package.submodule_search_locations[0], "plugins")


def plugin(name: str) -> Path:
    return max(folder().glob(f"{name}/*/plugin.wasm"))


def host(name: str, engine: str, config: object, **properties: object) -> FilterHost:
    named = {key.replace("__", "."): value for key, value in properties.items()}
    return FilterHost(plugin(name), engine=engine, config=json.dumps(config), properties=named)


def chat(text: str, **more: object) -> str:
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": text}], **more})


# --- transformer: headers, query and body


@on_both
def test_transformer_changes_headers_and_query(engine: str) -> None:
    filter = host(
        "transformer",
        engine,
        {
            "reqRules": [
                {"operate": "remove", "headers": [{"key": "X-remove"}], "querys": [{"key": "k1"}]},
                {"operate": "rename", "headers": [{"oldKey": "X-not-renamed", "newKey": "X-renamed"}]},
                {"operate": "replace", "headers": [{"key": "X-replace", "newValue": "replaced"}]},
                {
                    "operate": "add",
                    "headers": [{"key": "X-add", "value": "host-$1", "host_pattern": r"^(.*)\.com$"}],
                    "querys": [{"key": "k3", "value": "v3"}],
                },
                {"operate": "map", "headers": [{"fromKey": "X-add", "toKey": "X-map"}]},
                {"operate": "dedupe", "headers": [{"key": "X-dedupe", "strategy": "RETAIN_LAST"}]},
            ],
            "respRules": [{"operate": "add", "headers": [{"key": "x-added", "value": "yes"}]}],
        },
    )
    result = filter.exchange(
        path="/get?k1=v1&k2=v2",
        authority="foo.bar.com",
        headers=[
            *[("x-remove", "1"), ("x-not-renamed", "test"), ("x-replace", "old"), ("x-other", "kept")],
            *[("x-dedupe", "a"), ("x-dedupe", "b"), ("x-dedupe", "c")],
        ],
    )
    request, response = result.request, result.response
    assert request and response
    assert request.get("x-remove") is None and request.get("x-not-renamed") is None
    assert request.get("x-renamed") == "test" and request.get("x-replace") == "replaced"
    assert request.get("x-add") == request.get("x-map") == "host-foo.bar"
    assert request.get_all("x-dedupe") == ["c"] and request.get("x-other") == "kept"
    assert request.get(":path") == "/get?k2=v2&k3=v3"
    assert response.get("x-added") == "yes"


@mostly_native
def test_transformer_takes_a_header_from_the_body_and_changes_the_response(engine: str) -> None:
    """Header result 1 is taken literally under 0_2_100: the body comes while the headers wait."""
    filter = host(
        "transformer",
        engine,
        {
            "reqRules": [
                {"operate": "map", "mapSource": "body", "headers": [{"fromKey": "user.id", "toKey": "x-user-id"}]}
            ],
            "respRules": [{"operate": "add", "body": [{"key": "n", "value": "5", "value_type": "number"}]}],
        },
    )
    result = filter.exchange(
        "POST",
        headers=JSON,
        chunks=['{"user": {"i', 'd": 12}}'],
        response_headers={**JSON, "content-length": "8"},
        response_body='{"a": 1}',
    )
    assert result.request and result.request.get("x-user-id") == "12"
    assert result.request.body == b'{"user": {"id": 12}}'
    assert result.response and json.loads(result.response.body) == {"a": 1, "n": 5}
    assert result.response.get("content-length") is None


# --- ai-data-masking (Rust): words that must not pass, and secrets that must not leave


MASKING = {
    "deny_words": ["forbidden"],
    "deny_openai": True,
    "deny_raw": True,
    "deny_code": 403,
    "deny_message": "not allowed",
    "deny_raw_message": '{"errmsg": "not allowed"}',
    "replace_roles": [
        {"regex": "sk-[0-9a-zA-Z]*", "type": "hash", "restore": True},
        {
            "regex": "%{EMAILLOCALPART}@%{HOSTNAME:domain}",
            "type": "replace",
            "restore": True,
            "value": "****@$domain",
        },
    ],
}


@pytest.fixture(scope="module")
def masker(engine: str) -> FilterHost:
    return host(MASKER, engine, MASKING)


@on_native
def test_data_masking_hides_and_restores(masker: FilterHost) -> None:
    reply = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "sent to ****@gmail.com"}}]}
    result = masker.exchange(
        "POST",
        CHAT,
        headers=JSON,
        body=chat("mail bob@gmail.com the key sk-12345"),
        response_headers=JSON,
        response_body=json.dumps(reply),
    )
    assert result.request and result.response
    asked = json.loads(result.request.body)["messages"][0]["content"]
    assert asked.startswith("mail ****@gmail.com the key ") and "sk-12345" not in asked
    assert json.loads(result.response.body)["choices"][0]["message"]["content"] == "sent to bob@gmail.com"


@on_native
def test_data_masking_denies(masker: FilterHost) -> None:
    denied = masker.exchange("POST", CHAT, headers=JSON, body=chat("a forbidden thing"))
    assert denied.status == 403 and denied.request is None and denied.response
    assert json.loads(denied.response.body)["choices"][0]["message"]["content"] == "not allowed"
    raw = masker.exchange("POST", "/other", headers=JSON, body='{"a": "forbidden"}')
    assert raw.status == 403 and raw.response and json.loads(raw.response.body) == {"errmsg": "not allowed"}
    assert masker.exchange("POST", CHAT, headers=JSON, body=chat("a nice thing")).status == 200


# --- gpustack-ip-acl: who may come from where


@mostly_native
def test_ip_acl(engine: str) -> None:
    consumers = {
        "alice": {"deniedCidrs": ["10.0.0.0/8"]},
        "ci-*": {"allowedCidrs": ["192.168.1.7"]},
    }
    filter = host("gpustack-ip-acl", engine, {"consumers": consumers})
    for address, consumer, reason in [
        ("10.1.2.3:4444", "alice", "Client IP denied for this API key"),
        ("10.1.2.3:4444", "ci-runner", "Client IP not in API key whitelist"),
        ("10.1.2.3:4444", "bob", None),
        ("192.168.1.7:55", "alice", None),
        ("192.168.1.7:55", "ci-runner", None),
        ("192.168.1.8:55", "ci-runner", "Client IP not in API key whitelist"),
    ]:
        result = filter.exchange(headers={"x-mse-consumer": consumer}, info=StreamInfo(source_address=address))
        if reason is None:
            assert result.status == 200 and result.request is not None
            continue
        assert result.status == 403 and result.request is None
        assert result.response and json.loads(result.response.body) == {"message": reason}
        assert result.response.get("content-type") == "application/json"
        assert result.local_response and result.local_response.details == "gpustack.ip.acl.rejected"
    assert filter.exchange().status == 200


@mostly_native
def test_ip_acl_with_a_broken_configuration_lets_nobody_in(engine: str) -> None:
    filter = host("gpustack-ip-acl", engine, {"consumers": {"alice": {"allowedCidr": ["10.0.0.0/8"]}}})
    assert filter.exchange(headers={"x-mse-consumer": "bob"}).status == 403


# --- gpustack-ext-auth: asks a service, while the request waits


AUTH = {
    "route_match_regexes": ["^ai-"],
    "status_on_error": 503,
    "authz": {
        "endpoint": {"service_name": "auth.static", "service_port": 80, "path": "/token-auth"},
        "authorization_response": {
            "allowed_upstream_headers": [{"exact": "x-team"}],
            "allowed_client_headers": [{"exact": "www-authenticate"}],
        },
    },
    "upstream_request": {"headers_to_remove": ["cookie"]},
}


@on_both
def test_ext_auth(engine: str) -> None:
    filter = host("gpustack-ext-auth", engine, AUTH, route_name="ai-route", cluster_name="models")
    for answer, status, body in [
        (Answer(200, {"x-team": "blue", "x-mse-consumer": "ann"}), 200, b"page"),
        (Answer(401, {"www-authenticate": "Bearer"}, '{"e": 1}'), 401, b'{"e": 1}'),
        (Answer(500), 503, None),
        (Answer(failed="reset"), 503, None),
    ]:
        filter.exchanger.answers = {"outbound|80||auth.static": answer}
        headers = {"authorization": "Bearer key", "cookie": "c=1", "x-mse-consumer": "forged"}
        result = filter.exchange("POST", CHAT, headers=headers, body=chat("hi"), response_body="page")
        assert result.status == status and result.response
        assert len(result.calls) == 1
        asked = {name.lower(): value for name, value in result.calls[0].headers}
        assert asked[b":path"] == b"/token-auth" and asked[b"authorization"] == b"Bearer key"
        assert asked[b"x-forwarded-uri"] == CHAT.encode() and asked[b"x-forwarded-method"] == b"POST"
        assert body is None or result.response.body == body
        if status == 200:
            assert result.request and result.request.get_all("x-mse-consumer") == ["ann"]
            assert result.request.get("x-team") == "blue" and result.request.get("cookie") is None
            assert result.request.body == chat("hi").encode()
        else:
            assert result.request is None
        if status == 401:
            assert result.response.get("www-authenticate") == "Bearer"


@mostly_native
def test_ext_auth_leaves_other_routes_alone(engine: str) -> None:
    result = host("gpustack-ext-auth", engine, AUTH, route_name="other").exchange(headers={"cookie": "c=1"})
    assert result.request and result.request.get("cookie") == "c=1" and not result.calls


# --- gpustack-rate-limit: counts in shared data


@mostly_native
def test_rate_limit(engine: str) -> None:
    combination = {
        "name": "each",
        "match": [{"source": "header", "name": "x-user", "value": "regexp:.*"}],
        "query_limits": {"per_minute": 2},
    }
    config = {
        "rule_name": "r",
        "limit_combinations": [combination],
        "enable_on_path_suffix": ["*"],
        "show_limit_quota_header": True,
    }
    filter = host("gpustack-rate-limit", engine, config, route_name="route", cluster_name="models")
    ann = [filter.exchange(headers={"x-user": "ann"}) for _ in range(3)]
    assert [one.status for one in ann] == [200, 200, 429]
    refused = ann[2].response
    assert refused and json.loads(refused.body)["error"]["type"] == "rate_limit_exceeded"
    assert refused.get("x-ratelimit-limited-key") == "r|each|header:x-user=ann|q:60s"
    assert filter.exchange(headers={"x-user": "bob"}).status == 200
    counts = {name.rpartition("result.")[2]: n for name, n in filter.metrics().items() if "request_total" in name}
    assert counts == {"passed": 3, "limited": 1}
    filter.exchanger.now += 61 * 10**9
    assert filter.exchange(headers={"x-user": "ann"}).status == 200


# --- gpustack-generic-proxy-router, gpustack-set-header-pre-route: headers that a route is chosen by


@mostly_native
def test_router_reads_the_path_and_the_body(engine: str) -> None:
    config = {
        "aliasNameMapping": {"7": "qwen/qwen3"},
        "addProviderHeader": "x-provider",
        "modelToHeader": "x-model",
        "autoRouting": {
            "enable": True,
            "defaultModel": "small",
            "rules": [{"pattern": "(?i)code", "model": "acme/coder"}],
        },
    }
    filter = host("gpustack-generic-proxy-router", engine, config)
    by_path = filter.exchange("POST", "/model/proxy/7/v1/x").request
    assert by_path and by_path.get("x-higress-llm-model") == "qwen/qwen3"
    assert (by_path.get("x-provider"), by_path.get("x-model")) == ("qwen", "qwen3")
    for text, model, name in (("write CODE", "acme/coder", "coder"), ("sing", "small", "small")):
        body = chat(text, model="higress/auto")
        by_body = filter.exchange("POST", CHAT, headers=JSON, chunks=[body[:20], body[20:]]).request
        assert by_body and by_body.get("x-higress-llm-model") == model
        assert json.loads(by_body.body) == json.loads(chat(text, model=name))
    untouched = filter.exchange("POST", "/else", headers=JSON, body="{}").request
    assert untouched and untouched.get("x-higress-llm-model") is None


@mostly_native
def test_pre_route_headers(engine: str) -> None:
    filter = host(
        "gpustack-set-header-pre-route",
        engine,
        {"routeNameHeader": "x-route", "clusterNameHeader": "x-cluster", "enableOnPathSuffix": ["/completions"]},
        route_name="ai-route",
        cluster_name="outbound|80||llm.static",
    )
    inside = filter.exchange("POST", f"{CHAT}?a=1").request
    assert inside and (inside.get("x-route"), inside.get("x-cluster")) == ("ai-route", "llm.static")
    outside = filter.exchange("POST", "/health").request
    assert outside and outside.get("x-route") is None


# --- gpustack-token-usage, ai-statistics: read what a model answers


@mostly_native
def test_token_usage_asks_for_usage_and_adds_to_it(engine: str) -> None:
    filter = host(
        "gpustack-token-usage",
        engine,
        {"realIPHeader": "x-real-client", "header_add": {"x-trust": "token"}},
        cluster_name="outbound|80||model-1-2.static",
        source__address="9.8.7.6:1",
    )
    usage = {"prompt_tokens": 3, "completion_tokens": 7, "total_tokens": 10}
    events = ['{"choices":[{"delta":{"content":"x"}}]}', json.dumps({"choices": [], "usage": usage}), "[DONE]"]
    result = filter.exchange(
        "POST",
        CHAT,
        headers={**JSON, "x-trust": "forged"},
        body=chat("hi", stream=True),
        response_headers={"content-type": "text/event-stream"},
        response_chunks=[f"data: {event}\n\n" for event in events],
    )
    request, response = result.request, result.response
    assert request and response
    assert request.get("x-real-client") == "9.8.7.6" and request.get_all("x-trust") == ["token"]
    assert json.loads(request.body)["stream_options"] == {"include_usage": True}
    lines = response.body.decode().split("\n\n")
    assert lines[0] == f"data: {events[0]}" and lines[2] == "data: [DONE]"
    measured = json.loads(lines[1].removeprefix("data: "))["usage"]
    assert measured.items() >= usage.items()
    assert set(measured) - set(usage) == {"time_to_first_token_ms", "time_per_output_token_ms", "tokens_per_second"}
    # The clock is the host's: three milliseconds and more have passed since the request, and not a whole second.
    assert 0 < measured["time_to_first_token_ms"] < 1000


@mostly_native
def test_ai_statistics_counts_tokens(engine: str) -> None:
    consumer = {"key": "consumer", "value_source": "request_header", "value": "x-mse-consumer", "apply_to_log": True}
    filter = host("ai-statistics", engine, {"attributes": [consumer]}, route_name="ai-route", cluster_name="models")
    info = StreamInfo()
    reply: dict[str, Any] = {
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "yo"}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }
    filter.exchange(
        "POST",
        CHAT,
        headers={**JSON, "x-mse-consumer": "ann"},
        body=chat("hi"),
        response_headers=JSON,
        response_body=json.dumps(reply),
        info=info,
    )
    start = "route.ai-route.upstream.models.model.m.consumer.ann.metric"
    counts = filter.metrics()
    kinds = ("input_token", "output_token", "total_token")
    assert [counts[f"{start}.{kind}"] for kind in kinds] == [1, 2, 3]
    # The access log takes this from the stream; it is JSON with its quotes escaped once more.
    logged = json.loads((info.filter_state.get(b"ai_log") or b"").decode().replace('\\"', '"'))
    assert logged["consumer"] == "ann" and logged["total_token"] == 3


# --- gpustack-ai-proxy: speaks to a model's provider in its own way


@mostly_native
def test_ai_proxy_addresses_a_provider(engine: str) -> None:
    provider = {"id": "p", "type": "openai", "apiTokens": ["sk-secret"], "modelMapping": {"*": "gpt-x"}}
    filter = host("gpustack-ai-proxy", engine, {"provider": provider}, route_name="r", cluster_name="c")
    body = chat("hi")
    request = filter.exchange(
        "POST", CHAT, authority="me", headers={**JSON, "content-length": str(len(body))}, body=body
    ).request
    assert request and request.get("authorization") == "Bearer sk-secret"
    assert request.get(":authority") == "api.openai.com" and request.get(":path") == CHAT
    assert json.loads(request.body)["model"] == "gpt-x"
    assert request.get("content-length") is None


# --- all of them

PLUGINS = sorted(path.name for path in folder().iterdir()) if _package else []


def start_of(name: str, engine: str) -> tuple[object, ...]:
    result = FilterHost(plugin(name), engine=engine, seed=3).exchange(path=CHAT)
    assert result.abi == "0.2.100"
    if result.trap:
        assert result.trap.message == "proxy_on_configure returned false"
        assert result.logs
    return exchange_data(result) | {"engine": None}, result.transcript, result.commands


@on_native
@pytest.mark.parametrize("name", PLUGINS)
def test_every_plugin_starts(engine: str, name: str) -> None:
    """Without a configuration each of them starts, or says why it will not; none traps."""
    start_of(name, engine)


@pytest.mark.long
@pytest.mark.skipif("native" not in available(), reason="this installation has no native engine")
@pytest.mark.parametrize("name", [name for name in PLUGINS if name != MASKER])
def test_every_plugin_starts_alike_on_both_engines(name: str) -> None:
    assert start_of(name, "native") == start_of(name, "reference")


def test_there_are_fourteen_of_them() -> None:
    assert len(PLUGINS) >= 14
