//! Counts what passes: requests by the class of their status, streams in flight, and how long each one took.
//! The configuration, when there is one, is a path under which the counts can be read, such as /stats.
//!
//! Freestanding: what it needs of the ABI is declared here.

const std = @import("std");
const memory = std.heap.wasm_allocator;

const Counter = 0;
const Gauge = 1;
const Histogram = 2;
const RequestHeaders = 0;
const ResponseHeaders = 2;
const PluginConfiguration = 7;
const Continue = 0;
const Pause = 1;
const Ok = 0;

extern "env" fn proxy_define_metric(kind: u32, name: [*]const u8, len: u32, id: *u32) u32;
extern "env" fn proxy_increment_metric(id: u32, delta: i64) u32;
extern "env" fn proxy_record_metric(id: u32, value: u64) u32;
extern "env" fn proxy_get_metric(id: u32, value: *u64) u32;
extern "env" fn proxy_get_current_time_nanoseconds(now: *u64) u32;
extern "env" fn proxy_get_header_map_value(map: u32, key: [*]const u8, key_len: u32, value: *?[*]u8, len: *u32) u32;
extern "env" fn proxy_get_buffer_bytes(kind: u32, start: u32, max: u32, value: *?[*]u8, len: *u32) u32;
extern "env" fn proxy_send_local_response(status: u32, details: [*]const u8, details_len: u32, body: [*]const u8, body_len: u32, headers: ?[*]const u8, headers_len: u32, grpc_status: i32) u32;

export fn proxy_abi_version_0_2_1() void {}

/// The host puts data here; whoever asked the host for it frees it.
export fn proxy_on_memory_allocate(size: u32) ?[*]u8 {
    const bytes = memory.alloc(u8, size) catch return null;
    return bytes.ptr;
}

/// Ids of our metrics. They belong to the VM, not to a stream: each definition makes a new id, so defining them with
/// every request would fill the host's table.
var responses: [classes.len]u32 = undefined; // by the first digit of the status; 0 for anything else
var in_flight: u32 = undefined;
var duration: u32 = undefined;

const classes = [_][]const u8{ "responses_other", "responses_1xx", "responses_2xx", "responses_3xx", "responses_4xx", "responses_5xx" };

const Stream = struct { root: u32, began: u64 };
var streams: std.AutoHashMapUnmanaged(u32, Stream) = .empty;
var stats_paths: std.AutoHashMapUnmanaged(u32, []const u8) = .empty; // by root: a VM can serve several configurations

fn define(kind: u32, name: []const u8) u32 {
    var id: u32 = 0;
    _ = proxy_define_metric(kind, name.ptr, name.len, &id);
    return id;
}

fn now() u64 {
    var ns: u64 = 0;
    _ = proxy_get_current_time_nanoseconds(&ns);
    return ns;
}

export fn proxy_on_vm_start(root: u32, size: u32) u32 {
    _ = .{ root, size };
    for (&responses, classes) |*id, name| id.* = define(Counter, name);
    in_flight = define(Gauge, "streams_in_flight");
    duration = define(Histogram, "stream_duration_us");
    return 1;
}

export fn proxy_on_configure(root: u32, size: u32) u32 {
    var at: ?[*]u8 = null;
    var len: u32 = 0;
    if (size > 0 and proxy_get_buffer_bytes(PluginConfiguration, 0, size, &at, &len) == Ok and len > 0)
        stats_paths.put(memory, root, at.?[0..len]) catch return 0;
    return 1;
}

export fn proxy_on_context_create(context: u32, parent: u32) void {
    if (parent == 0) return; // a plugin's own context is no stream
    streams.put(memory, context, .{ .root = parent, .began = now() }) catch return;
    _ = proxy_increment_metric(in_flight, 1);
}

/// The last callback of every stream, however it ended, so that the gauge comes back to where it was.
export fn proxy_on_delete(context: u32) void {
    const stream = streams.fetchRemove(context) orelse return;
    _ = proxy_increment_metric(in_flight, -1);
    _ = proxy_record_metric(duration, (now() - stream.value.began) / 1000);
}

/// A header's value, for the caller to free; empty when there is none.
fn header(map: u32, name: []const u8) []u8 {
    var at: ?[*]u8 = null;
    var len: u32 = 0;
    if (proxy_get_header_map_value(map, name.ptr, name.len, &at, &len) != Ok or len == 0) return &.{};
    return at.?[0..len];
}

export fn proxy_on_request_headers(context: u32, count: u32, end: u32) u32 {
    _ = .{ count, end };
    const stream = streams.get(context) orelse return Continue;
    const stats_path = stats_paths.get(stream.root) orelse return Continue;
    const path = header(RequestHeaders, ":path");
    defer memory.free(path);
    if (!std.mem.eql(u8, path, stats_path)) return Continue;
    var text: [256]u8 = undefined;
    var len: usize = 0;
    for (responses, classes) |id, name| {
        var value: u64 = 0;
        _ = proxy_get_metric(id, &value);
        const line = std.fmt.bufPrint(text[len..], "{s} {d}\n", .{ name, value }) catch break;
        len += line.len;
    }
    _ = proxy_send_local_response(200, "stats", 5, &text, len, null, 0, -1);
    return Pause;
}

export fn proxy_on_response_headers(context: u32, count: u32, end: u32) u32 {
    _ = .{ context, count, end };
    const status = header(ResponseHeaders, ":status");
    defer memory.free(status);
    const class = if (status.len == 3 and status[0] >= '1' and status[0] <= '5') status[0] - '0' else 0;
    _ = proxy_increment_metric(responses[class], 1);
    return Continue;
}
