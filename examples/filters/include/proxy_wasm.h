/* proxy_wasm.h: the Proxy-Wasm ABI 0.2.1 for freestanding C, in one header.
 *
 * Three parts: the numbers of the ABI, the host calls as they are imported, and helpers that make them pleasant:
 * a string with a length, memory, header pairs, and contexts. No libc is needed.
 *
 * Every filter includes this once, in its only source file, and exports the callbacks it wants with PW_EXPORT.
 */
#ifndef PROXY_WASM_H
#define PROXY_WASM_H

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

/* ---- numbers ---------------------------------------------------------------------------------------------------- */

enum pw_status { PW_OK = 0, PW_NOT_FOUND = 1, PW_BAD_ARGUMENT = 2, PW_EMPTY = 7, PW_CAS_MISMATCH = 8 };
enum pw_level { PW_TRACE, PW_DEBUG, PW_INFO, PW_WARN, PW_ERROR, PW_CRITICAL };
enum pw_action { PW_CONTINUE = 0, PW_PAUSE = 1 };
enum pw_map { PW_REQUEST_HEADERS = 0, PW_REQUEST_TRAILERS = 1, PW_RESPONSE_HEADERS = 2, PW_RESPONSE_TRAILERS = 3 };
enum pw_buffer { PW_REQUEST_BODY = 0, PW_RESPONSE_BODY = 1, PW_VM_CONFIG = 6, PW_PLUGIN_CONFIG = 7 };
#define PW_ALL 0xffffffffu      /* "to the end" for buffer lengths */
#define PW_NO_GRPC 0xffffffffu  /* a local response that says nothing about gRPC */

/* ---- host calls ------------------------------------------------------------------------------------------------- */

#define PW_EXPORT(name) __attribute__((export_name(#name), visibility("default"))) name
#define PW_IMPORT(name) __attribute__((import_module("env"), import_name(#name))) u32 name

PW_IMPORT(proxy_log)(u32 level, const char *text, u32 len);
PW_IMPORT(proxy_get_current_time_nanoseconds)(u64 *now);
PW_IMPORT(proxy_set_tick_period_milliseconds)(u32 period);
PW_IMPORT(proxy_get_property)(const char *path, u32 path_len, char **value, u32 *len);
PW_IMPORT(proxy_get_header_map_value)(u32 map, const char *key, u32 key_len, char **value, u32 *len);
PW_IMPORT(proxy_add_header_map_value)(u32 map, const char *key, u32 key_len, const char *value, u32 len);
PW_IMPORT(proxy_replace_header_map_value)(u32 map, const char *key, u32 key_len, const char *value, u32 len);
PW_IMPORT(proxy_remove_header_map_value)(u32 map, const char *key, u32 key_len);
PW_IMPORT(proxy_get_buffer_bytes)(u32 buffer, u32 start, u32 max, char **value, u32 *len);
PW_IMPORT(proxy_set_buffer_bytes)(u32 buffer, u32 start, u32 size, const char *data, u32 len);
PW_IMPORT(proxy_send_local_response)(u32 status, const char *details, u32 details_len, const char *body, u32 body_len,
                                     const char *headers, u32 headers_len, u32 grpc_status);
PW_IMPORT(proxy_get_shared_data)(const char *key, u32 key_len, char **value, u32 *len, u32 *cas);
PW_IMPORT(proxy_set_shared_data)(const char *key, u32 key_len, const char *value, u32 len, u32 cas);

/* The host looks for one of these names to learn which ABI we speak; it never calls it. */
void PW_EXPORT(proxy_abi_version_0_2_1)(void) {}

/* ---- memory ----------------------------------------------------------------------------------------------------- */

/* Two kinds of memory, and no free(): scratch lives until the callback returns, kept memory as long as the VM.
 * What the host hands us (header values, bodies, configuration) is scratch too, so nothing leaks and nothing is freed
 * by hand. Kept memory is for configuration and for contexts, which are recycled below. */
typedef struct { u32 next, end; } pw_region;
static pw_region pw_scratch_region, pw_kept_region;
static u32 pw_scratch_start;

/* A page is 64 KiB. New pages always come at the end of memory, behind the stack and the constants. */
static u32 pw_pages(u32 bytes) {
    u32 old = __builtin_wasm_memory_grow(0, (bytes + 0xffff) >> 16);
    if (old == 0xffffffffu) __builtin_trap(); /* the host refuses us memory: there is nothing better to do */
    return old << 16;
}

static void *pw_take(pw_region *region, u32 size) {
    u32 rounded = (size + 15) & ~15u;
    if (region->end - region->next < rounded) {
        region->next = pw_pages(rounded);
        region->end = region->next + ((rounded + 0xffff) & ~0xffffu);
    }
    u32 at = region->next;
    region->next += rounded;
    return (void *)at;
}

static void *pw_keep(u32 size) { return pw_take(&pw_kept_region, size); }

static void *pw_scratch(u32 size) {
    u32 end = pw_scratch_region.end;
    /* Twice what was there before, so that the blocks we give up on the way are never more than the last one. */
    if (end - pw_scratch_region.next < size + 16) {
        u32 twice = 2 * (end - pw_scratch_start);
        u32 bytes = size + 16 > twice ? size + 16 : twice;
        pw_scratch_start = pw_scratch_region.next = pw_pages(bytes);
        pw_scratch_region.end = pw_scratch_start + ((bytes + 0xffff) & ~0xffffu);
    }
    return pw_take(&pw_scratch_region, size);
}

/* First thing in a callback that allocates: what the last one left is garbage now. */
static void pw_begin(void) { pw_scratch_region.next = pw_scratch_start; }

/* The host calls this to put data into our memory. */
void *PW_EXPORT(proxy_on_memory_allocate)(u32 size) { return pw_scratch(size); }

/* ---- strings ---------------------------------------------------------------------------------------------------- */

/* Bytes with a length: header values and bodies may hold anything, NUL included. */
typedef struct { const char *at; u32 len; } str;
#define S(literal) ((str){(literal), sizeof(literal) - 1})
#define STR_ARGS(s) (s).at, (s).len

static void pw_copy(char *to, str from) { __builtin_memcpy(to, from.at, from.len); }

static int str_eq(str a, str b) {
    if (a.len != b.len) return 0;
    for (u32 i = 0; i < a.len; i++)
        if (a.at[i] != b.at[i]) return 0;
    return 1;
}

static int str_starts(str s, str prefix) { return s.len >= prefix.len && str_eq((str){s.at, prefix.len}, prefix); }
static str str_from(str s, u32 start) { return (str){s.at + start, s.len - start}; }

/* Where `c` is in `s`, or s.len. */
static u32 str_find(str s, char c) {
    u32 i = 0;
    while (i < s.len && s.at[i] != c) i++;
    return i;
}

/* Cuts the piece before the next `c` off the front of `s`. */
static str str_cut(str *s, char c) {
    u32 n = str_find(*s, c);
    str piece = {s->at, n};
    *s = str_from(*s, n < s->len ? n + 1 : n);
    return piece;
}

/* The next word of `s`, with the spaces around it removed; empty at the end. */
static str str_word(str *s) {
    while (s->len && *s->at == ' ') *s = str_from(*s, 1);
    return str_cut(s, ' ');
}

static str pw_join_n(const str *parts, u32 n) {
    u32 len = 0;
    for (u32 i = 0; i < n; i++) len += parts[i].len;
    char *to = pw_scratch(len);
    u32 at = 0;
    for (u32 i = 0; i < n; at += parts[i].len, i++) pw_copy(to + at, parts[i]);
    return (str){to, len};
}
#define JOIN(...) pw_join_n((str[]){__VA_ARGS__}, sizeof((str[]){__VA_ARGS__}) / sizeof(str))

static str pw_decimal(u64 n) {
    char *end = (char *)pw_scratch(20) + 20, *at = end;
    do *--at = (char)('0' + n % 10);
    while (n /= 10);
    return (str){at, (u32)(end - at)};
}

/* The number that `s` spells, or `otherwise` when it is empty or no number. */
static u32 pw_number(str s, u32 otherwise) {
    u32 n = 0;
    for (u32 i = 0; i < s.len; i++) {
        if (s.at[i] < '0' || s.at[i] > '9') return otherwise;
        n = n * 10 + (u32)(s.at[i] - '0');
    }
    return s.len ? n : otherwise;
}

/* ---- headers, configuration, responses -------------------------------------------------------------------------- */

static void pw_log(u32 level, str text) { proxy_log(level, STR_ARGS(text)); }

/* The value of a header; empty when it is absent (the ABI does not tell the two apart in every SDK either). */
static str pw_header(u32 map, str name) {
    char *value = 0;
    u32 len = 0;
    if (proxy_get_header_map_value(map, STR_ARGS(name), &value, &len) != PW_OK) len = 0;
    return (str){value, len};
}
static void pw_set_header(u32 map, str name, str value) {
    proxy_replace_header_map_value(map, STR_ARGS(name), STR_ARGS(value));
}
static void pw_add_header(u32 map, str name, str value) {
    proxy_add_header_map_value(map, STR_ARGS(name), STR_ARGS(value));
}
static void pw_remove_header(u32 map, str name) { proxy_remove_header_map_value(map, STR_ARGS(name)); }

static str pw_buffer_bytes(u32 buffer) {
    char *value = 0;
    u32 len = 0;
    if (proxy_get_buffer_bytes(buffer, 0, PW_ALL, &value, &len) != PW_OK) len = 0;
    return (str){value, len};
}

/* The plugin's configuration in memory that stays. */
static str pw_configuration(void) {
    str text = pw_buffer_bytes(PW_PLUGIN_CONFIG);
    char *kept = pw_keep(text.len);
    pw_copy(kept, text);
    return (str){kept, text.len};
}

typedef struct { str name, value; } pw_pair;

/* Answers the client; `pairs` are headers besides content-length, which the host adds.
 * The wire form of a header list: count, then a pair of lengths for each, then the bytes, each with a NUL behind. */
static void pw_respond(u32 status, str details, str body, const pw_pair *pairs, u32 n) {
    u32 size = 4;
    for (u32 i = 0; i < n; i++) size += 8 + pairs[i].name.len + 1 + pairs[i].value.len + 1;
    u32 *lengths = pw_scratch(size);
    char *at = (char *)(lengths + 1 + 2 * n);
    lengths[0] = n;
    for (u32 i = 0; i < n; i++) {
        lengths[1 + 2 * i] = pairs[i].name.len;
        lengths[2 + 2 * i] = pairs[i].value.len;
        pw_copy(at, pairs[i].name);
        at += pairs[i].name.len;
        *at++ = 0;
        pw_copy(at, pairs[i].value);
        at += pairs[i].value.len;
        *at++ = 0;
    }
    proxy_send_local_response(status, STR_ARGS(details), STR_ARGS(body), (char *)lengths, size, PW_NO_GRPC);
}

/* ---- contexts --------------------------------------------------------------------------------------------------- */

/* One VM can serve several configurations ("root contexts", parent 0), each with many streams at once. So nothing that
 * belongs to one of them may be a global variable; it is found by the id that every callback brings. */
typedef struct pw_context {
    u32 id;
    struct pw_context *root; /* itself, for a root */
    void *config;            /* of a root: what its configuration was parsed into */
    u64 value;               /* of a stream: whatever the filter wants to remember */
    struct pw_context *next;
} pw_context;
static pw_context *pw_live, *pw_spare;

static pw_context *pw_find(u32 id) {
    pw_context *c = pw_live;
    while (c && c->id != id) c = c->next;
    if (!c) __builtin_trap(); /* the host never calls us for a context that it did not create */
    return c;
}

static void *pw_config(u32 id) { return pw_find(id)->root->config; }

void PW_EXPORT(proxy_on_context_create)(u32 id, u32 parent) {
    pw_context *c = pw_spare;
    if (c) pw_spare = c->next;
    else c = pw_keep(sizeof *c);
    *c = (pw_context){id, parent ? pw_find(parent) : c, 0, 0, pw_live};
    pw_live = c;
}

void PW_EXPORT(proxy_on_delete)(u32 id) {
    pw_context **at = &pw_live;
    while (*at && (*at)->id != id) at = &(*at)->next;
    pw_context *gone = *at;
    if (!gone) return;
    *at = gone->next;
    gone->next = pw_spare;
    pw_spare = gone;
}

#endif
