/* Does what its configuration orders, so that a scenario shows the whole of what it tests. An order on a line:
 *
 *     WHEN: ORDER ARGUMENTS...                 request_headers: add 0 x-seen yes
 *
 * WHEN is a callback without proxy_on_ (request_headers, tick, http_call_response, ...), with conditions behind it:
 * `/end` and `/more` by the end of the stream, `/2` the second time in this VM, `?NAME` when the request has that header.
 * Orders of a callback run in their order. Each one that asks for something logs what it was told:
 *
 *     ORDER STATUS VALUE...                    get 1, get 0 application/json
 *
 * The orders are the cases of `obey` below. Maps, buffers and streams are given by their numbers in the ABI.
 */
#include "proxy_wasm.h"

PW_IMPORT(proxy_get_header_map_pairs)(u32 map, char **value, u32 *len);
PW_IMPORT(proxy_set_header_map_pairs)(u32 map, const char *pairs, u32 len);
PW_IMPORT(proxy_get_header_map_size)(u32 map, u32 *size);
PW_IMPORT(proxy_get_buffer_status)(u32 buffer, u32 *len, u32 *flags);
PW_IMPORT(proxy_set_property)(const char *path, u32 path_len, const char *value, u32 len);
PW_IMPORT(proxy_register_shared_queue)(const char *name, u32 len, u32 *id);
PW_IMPORT(proxy_resolve_shared_queue)(const char *vm, u32 vm_len, const char *name, u32 len, u32 *id);
PW_IMPORT(proxy_enqueue_shared_queue)(u32 id, const char *data, u32 len);
PW_IMPORT(proxy_dequeue_shared_queue)(u32 id, char **data, u32 *len);
PW_IMPORT(proxy_define_metric)(u32 kind, const char *name, u32 len, u32 *id);
PW_IMPORT(proxy_increment_metric)(u32 id, i64 delta);
PW_IMPORT(proxy_record_metric)(u32 id, u64 value);
PW_IMPORT(proxy_get_metric)(u32 id, u64 *value);
PW_IMPORT(proxy_http_call)(const char *upstream, u32 upstream_len, const char *headers, u32 headers_len,
                           const char *body, u32 body_len, const char *trailers, u32 trailers_len, u32 timeout,
                           u32 *token);
PW_IMPORT(proxy_continue_stream)(u32 stream);
PW_IMPORT(proxy_close_stream)(u32 stream);
PW_IMPORT(proxy_get_status)(u32 *code, char **message, u32 *len);
PW_IMPORT(proxy_set_effective_context)(u32 context);
PW_IMPORT(proxy_call_foreign_function)(const char *name, u32 name_len, const char *args, u32 args_len, char **result,
                                       u32 *len);
PW_IMPORT(proxy_get_log_level)(u32 *level);
PW_IMPORT(proxy_done)(void);

/* What one order leaves for the next: there is one VM in these tests, and one thing at a time. */
static u32 queue, metric, version, stream;

static void say(str order, u32 status, str value) {
    pw_log(PW_INFO, value.len ? JOIN(order, S(" "), pw_decimal(status), S(" "), value)
                              : JOIN(order, S(" "), pw_decimal(status)));
}

static i64 signed_number(str s) {
    int minus = s.len && *s.at == '-';
    i64 n = (i64)pw_number(minus ? str_from(s, 1) : s, 0);
    return minus ? -n : n;
}

static u32 next(str *args) { return pw_number(str_word(args), 0); }

/* A path with dots as the ABI wants it. */
static str dotted(str path) {
    char *at = pw_scratch(path.len);
    for (u32 i = 0; i < path.len; i++) at[i] = path.at[i] == '.' ? 0 : path.at[i];
    return (str){at, path.len};
}

/* NAME=VALUE words as a serialised map. */
static str serialised(str words) {
    u32 n = 0, size = 4;
    for (str rest = words; rest.len;) {
        str word = str_word(&rest);
        if (word.len) n++, size += 8 + word.len + 1;
    }
    u32 *lengths = pw_scratch(size);
    char *at = (char *)(lengths + 1 + 2 * n);
    lengths[0] = n;
    for (u32 i = 0; i < n;) {
        str value = str_word(&words);
        if (!value.len) continue;
        str name = str_cut(&value, '=');
        lengths[1 + 2 * i] = name.len;
        lengths[2 + 2 * i] = value.len;
        pw_copy(at, name);
        at += name.len;
        *at++ = 0;
        pw_copy(at, value);
        at += value.len;
        *at++ = 0;
        i++;
    }
    return (str){(char *)lengths, (u32)(at - (char *)lengths)};
}

/* A serialised map as NAME=VALUE words. */
static str words(str map) {
    if (map.len < 4) return S("");
    const u32 *lengths = (const u32 *)map.at;
    const char *at = map.at + 4 + 8 * lengths[0];
    str text = S("");
    for (u32 i = 0; i < lengths[0]; i++) {
        str name = {at, lengths[1 + 2 * i]};
        str value = {at + name.len + 1, lengths[2 + 2 * i]};
        at = value.at + value.len + 1;
        text = text.len ? JOIN(text, S(" "), name, S("="), value) : JOIN(name, S("="), value);
    }
    return text;
}

#define IS(name) str_eq(order, S(name))

static int obey_maps(str order, str args) {
    u32 map = next(&args), status;
    if (IS("get")) {
        str name = str_word(&args), value = S("");
        status = proxy_get_header_map_value(map, STR_ARGS(name), (char **)&value.at, &value.len);
        say(order, status, status ? S("") : value);
    } else if (IS("set") || IS("add")) {
        str name = str_word(&args);
        status = (IS("set") ? proxy_replace_header_map_value : proxy_add_header_map_value)(map, STR_ARGS(name), STR_ARGS(args));
        if (status) say(order, status, S(""));
    } else if (IS("del")) {
        str name = str_word(&args);
        if ((status = proxy_remove_header_map_value(map, STR_ARGS(name)))) say(order, status, S(""));
    } else if (IS("pairs")) {
        str value = S("");
        status = proxy_get_header_map_pairs(map, (char **)&value.at, &value.len);
        say(order, status, status ? S("") : words(value));
    } else if (IS("assign")) {
        str map_text = serialised(args);
        if ((status = proxy_set_header_map_pairs(map, STR_ARGS(map_text)))) say(order, status, S(""));
    } else if (IS("size")) {
        u32 size = 0;
        status = proxy_get_header_map_size(map, &size);
        say(order, status, pw_decimal(size));
    } else return 0;
    return 1;
}

static int obey_buffers(str order, str args) {
    u32 buffer = next(&args), status;
    if (IS("read")) {
        u32 start = next(&args), most = pw_number(str_word(&args), PW_ALL);
        str value = S("");
        status = proxy_get_buffer_bytes(buffer, start, most, (char **)&value.at, &value.len);
        say(order, status, status ? S("") : value);
    } else if (IS("length")) {
        u32 len = 0, flags = 0;
        status = proxy_get_buffer_status(buffer, &len, &flags);
        say(order, status, pw_decimal(len));
    } else if (IS("write")) {
        u32 start = pw_number(str_word(&args), PW_ALL), size = pw_number(str_word(&args), PW_ALL);
        if ((status = proxy_set_buffer_bytes(buffer, start, size, STR_ARGS(args)))) say(order, status, S(""));
    } else return 0;
    return 1;
}

static int obey_shared(str order, str args) {
    u32 status;
    if (IS("share")) {
        str value = S("");
        status = proxy_get_shared_data(STR_ARGS(args), (char **)&value.at, &value.len, &version);
        say(order, status, status ? S("") : value);
    } else if (IS("store")) {
        /* store KEY CAS VALUE, with `last` for the version that `share` saw */
        str key = str_word(&args), cas = str_word(&args);
        status = proxy_set_shared_data(STR_ARGS(key), STR_ARGS(args), str_eq(cas, S("last")) ? version : pw_number(cas, 0));
        say(order, status, S(""));
    } else if (IS("register")) {
        say(order, proxy_register_shared_queue(STR_ARGS(args), &queue), S(""));
    } else if (IS("resolve")) {
        str vm = str_find(args, ' ') < args.len ? str_word(&args) : S("");
        say(order, proxy_resolve_shared_queue(STR_ARGS(vm), STR_ARGS(args), &queue), S(""));
    } else if (IS("enqueue")) {
        say(order, proxy_enqueue_shared_queue(queue, STR_ARGS(args)), S(""));
    } else if (IS("dequeue")) {
        str value = S("");
        status = proxy_dequeue_shared_queue(queue, (char **)&value.at, &value.len);
        say(order, status, status ? S("") : value);
    } else if (IS("define")) {
        u32 kind = next(&args);
        say(order, proxy_define_metric(kind, STR_ARGS(args), &metric), S(""));
    } else if (IS("count")) {
        if ((status = proxy_increment_metric(metric, signed_number(args)))) say(order, status, S(""));
    } else if (IS("record")) {
        if ((status = proxy_record_metric(metric, pw_number(args, 0)))) say(order, status, S(""));
    } else if (IS("value")) {
        u64 value = 0;
        status = proxy_get_metric(metric, &value);
        say(order, status, pw_decimal(value));
    } else return 0;
    return 1;
}

static int obey_world(str order, str args) {
    u32 status;
    if (IS("property")) {
        str path = dotted(args), value = S("");
        status = proxy_get_property(STR_ARGS(path), (char **)&value.at, &value.len);
        say(order, status, status ? S("") : value);
    } else if (IS("number")) {
        /* a property of eight bytes */
        str path = dotted(args), value = S("");
        status = proxy_get_property(STR_ARGS(path), (char **)&value.at, &value.len);
        say(order, status, status || value.len != 8 ? S("") : pw_decimal(*(u64 *)value.at));
    } else if (IS("keep")) {
        str path = dotted(str_word(&args));
        if ((status = proxy_set_property(STR_ARGS(path), STR_ARGS(args)))) say(order, status, S(""));
    } else if (IS("call")) {
        /* call CLUSTER PATH TIMEOUT BODY */
        str cluster = str_word(&args), path = str_word(&args);
        u32 timeout = next(&args), token = 0;
        str headers = serialised(JOIN(S(":method="), args.len ? S("POST") : S("GET"), S(" :authority=order :path="), path));
        status = proxy_http_call(STR_ARGS(cluster), STR_ARGS(headers), STR_ARGS(args), 0, 0, timeout, &token);
        if (status) say(order, status, S(""));
    } else if (IS("reply")) {
        u32 code = next(&args);
        str details = str_word(&args);
        pw_respond(code, details, args, 0, 0);
    } else if (IS("foreign")) {
        str name = str_word(&args), value = S("");
        status = proxy_call_foreign_function(STR_ARGS(name), STR_ARGS(args), (char **)&value.at, &value.len);
        say(order, status, value);
    } else if (IS("time")) {
        u64 now = 0;
        status = proxy_get_current_time_nanoseconds(&now);
        say(order, status, pw_decimal(now));
    } else if (IS("status")) {
        u32 code = 0;
        str value = S("");
        status = proxy_get_status(&code, (char **)&value.at, &value.len);
        say(order, status, JOIN(pw_decimal(code), S(" "), value));
    } else if (IS("level")) {
        u32 level = 0;
        status = proxy_get_log_level(&level);
        say(order, status, pw_decimal(level));
    } else return 0;
    return 1;
}

#ifdef MORE_ORDERS /* of a filter that includes this one */
static int MORE_ORDERS(str order, str args);
#else
#define MORE_ORDERS(order, args) 0
#endif

static void obey(str order, str args) {
    if (IS("log")) {
        u32 level = next(&args);
        pw_log(level, args);
    } else if (IS("tick")) proxy_set_tick_period_milliseconds(pw_number(args, 0));
    else if (IS("continue")) say(order, proxy_continue_stream(pw_number(args, 0)), S(""));
    else if (IS("close")) say(order, proxy_close_stream(pw_number(args, 0)), S(""));
    else if (IS("effective")) say(order, proxy_set_effective_context(args.len ? pw_number(args, 0) : stream), S(""));
    else if (IS("done")) say(order, proxy_done(), S(""));
    else if (IS("grow")) say(order, 0, pw_decimal(__builtin_wasm_memory_grow(0, pw_number(args, 0))));
    else if (IS("trap")) __builtin_trap();
    else if (IS("spin")) for (volatile u32 i = 0;; i++) {}
    else if (!obey_maps(order, args) && !obey_buffers(order, args) && !obey_shared(order, args) && !obey_world(order, args) &&
             !MORE_ORDERS(order, args))
        pw_log(PW_ERROR, JOIN(S("no order: "), order));
}

/* Whether this line's WHEN is now, and `line` cut to what is ordered. */
static int is_now(str *line, str name, u32 end, u32 times) {
    str when = str_cut(line, ':');
    if (!str_starts(when, name)) return 0;
    when = str_from(when, name.len);
    while (when.len) {
        char kind = *when.at;
        when = str_from(when, 1);
        u32 slash = str_find(when, '/'), mark = str_find(when, '?');
        str condition = {when.at, slash < mark ? slash : mark};
        when = str_from(when, condition.len);
        if (kind == '?') {
            char *value;
            u32 len;
            if (proxy_get_header_map_value(PW_REQUEST_HEADERS, STR_ARGS(condition), &value, &len) != PW_OK) return 0;
        } else if (kind != '/') return 0;
        else if (str_eq(condition, S("end")) ? !end : str_eq(condition, S("more")) ? end : pw_number(condition, 0) != times)
            return 0;
    }
    return 1;
}

static u32 act(str script, str name, u32 end, u32 times, u32 result) {
    while (script.len) {
        str line = str_cut(&script, '\n');
        if (!line.len || !is_now(&line, name, end, times)) continue;
        str order = str_word(&line);
        if (IS("return")) result = pw_number(line, 0);
        else obey(order, line);
    }
    return result;
}

#define NOW(name, context, end, result)                                                             \
    static u32 times;                                                                               \
    pw_begin();                                                                                     \
    str *script = pw_config(context);                                                               \
    return script ? act(*script, S(name), end, ++times, result) : result
#define STREAM(name)                                                                                \
    u32 PW_EXPORT(proxy_on_##name)(u32 context, u32 size, u32 end) {                                \
        (void)size;                                                                                 \
        stream = context;                                                                           \
        NOW(#name, context, end, 0);                                                                \
    }

STREAM(request_headers)
STREAM(request_body)
STREAM(response_headers)
STREAM(response_body)
u32 PW_EXPORT(proxy_on_request_trailers)(u32 context, u32 size) { (void)size; NOW("request_trailers", context, 1, 0); }
u32 PW_EXPORT(proxy_on_response_trailers)(u32 context, u32 size) { (void)size; NOW("response_trailers", context, 1, 0); }

static u32 ordered_done(u32 context) { NOW("done", context, 1, 1); }
static u32 ordered_log(u32 context) { NOW("log", context, 1, 0); }
static u32 ordered_tick(u32 root) { NOW("tick", root, 1, 0); }
static u32 ordered_queue(u32 root) { NOW("queue_ready", root, 1, 0); }
static u32 ordered_call(u32 root, u32 headers) { NOW("http_call_response", root, headers != 0, 0); }
static u32 ordered_configure(u32 root) { NOW("configure", root, 1, 1); }

u32 PW_EXPORT(proxy_on_done)(u32 context) { return ordered_done(context); }
void PW_EXPORT(proxy_on_log)(u32 context) { ordered_log(context); }
void PW_EXPORT(proxy_on_tick)(u32 root) { ordered_tick(root); }
void PW_EXPORT(proxy_on_queue_ready)(u32 root, u32 id) {
    queue = id;
    ordered_queue(root);
}
void PW_EXPORT(proxy_on_http_call_response)(u32 root, u32 token, u32 headers, u32 size, u32 trailers) {
    (void)token, (void)size, (void)trailers;
    ordered_call(root, headers);
}

u32 PW_EXPORT(proxy_on_configure)(u32 root, u32 size) {
    pw_begin();
    (void)size;
    str *script = pw_keep(sizeof *script);
    *script = pw_configuration();
    pw_find(root)->config = script;
    return ordered_configure(root);
}
