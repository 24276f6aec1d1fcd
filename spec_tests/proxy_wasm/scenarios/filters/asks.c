/* Asks what its configuration says, a question on a line, and logs the status and the answer in hexadecimal:
 *
 *     WHEN KIND NAME ARGUMENTS                 request_headers foreign compress 68656c6c6f
 *
 * WHEN is configure, request_headers, response_headers or log. KIND is property (NAME a path with dots), set (a property
 * to ARGUMENTS) or foreign (a function). ARGUMENTS are hexadecimal, or `last`: what the answer before it was.
 */
#include "proxy_wasm.h"

PW_IMPORT(proxy_set_property)(const char *path, u32 path_len, const char *value, u32 len);
PW_IMPORT(proxy_call_foreign_function)(const char *name, u32 name_len, const char *args, u32 args_len, char **result,
                                       u32 *len);

static str config, last;

static u32 digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

static str unhex(str text) {
    char *at = pw_scratch(text.len / 2 + 1);
    for (u32 i = 0; i + 1 < text.len; i += 2) at[i / 2] = (char)(digit(text.at[i]) << 4 | digit(text.at[i + 1]));
    return (str){at, text.len / 2};
}

static str hex(str data) {
    char *at = pw_scratch(2 * data.len + 1);
    for (u32 i = 0; i < data.len; i++) {
        at[2 * i] = "0123456789abcdef"[(unsigned char)data.at[i] >> 4];
        at[2 * i + 1] = "0123456789abcdef"[data.at[i] & 15];
    }
    return (str){at, 2 * data.len};
}

static str dotted(str path) {
    char *at = pw_scratch(path.len + 1);
    for (u32 i = 0; i < path.len; i++) at[i] = path.at[i] == '.' ? 0 : path.at[i];
    return (str){at, path.len};
}

static void ask(str line) {
    str kind = str_word(&line), name = str_word(&line), given = str_word(&line), answer = S("");
    str arguments = str_eq(given, S("last")) ? last : unhex(given);
    char *at = 0;
    u32 len = 0, status = 0;
    if (str_eq(kind, S("property"))) {
        str path = dotted(name);
        status = proxy_get_property(STR_ARGS(path), &at, &len);
    } else if (str_eq(kind, S("set"))) {
        str path = dotted(name);
        status = proxy_set_property(STR_ARGS(path), STR_ARGS(arguments));
    } else {
        status = proxy_call_foreign_function(STR_ARGS(name), STR_ARGS(arguments), &at, &len);
    }
    if (status == 0 && at) answer = (str){at, len};
    if (status == 0) {
        char *copy = pw_keep(answer.len + 1);
        pw_copy(copy, answer);
        last = (str){copy, answer.len};
    }
    pw_log(PW_INFO, answer.len ? JOIN(name, S(" "), pw_decimal(status), S(" "), hex(answer))
                               : JOIN(name, S(" "), pw_decimal(status)));
}

static void at(str when) {
    pw_begin();
    str rest = config;
    while (rest.len) {
        str line = str_cut(&rest, '\n');
        if (str_eq(str_word(&line), when)) ask(line);
    }
}

u32 PW_EXPORT(proxy_on_configure)(u32 root, u32 len) {
    (void)root, (void)len;
    str found = pw_configuration();
    char *copy = pw_keep(found.len + 1);
    pw_copy(copy, found);
    config = (str){copy, found.len};
    at(S("configure"));
    return 1;
}

u32 PW_EXPORT(proxy_on_request_headers)(u32 context, u32 headers, u32 end) {
    (void)context, (void)headers, (void)end;
    at(S("request_headers"));
    return 0;
}

u32 PW_EXPORT(proxy_on_response_headers)(u32 context, u32 headers, u32 end) {
    (void)context, (void)headers, (void)end;
    at(S("response_headers"));
    return 0;
}

void PW_EXPORT(proxy_on_log)(u32 context) {
    (void)context;
    at(S("log"));
}
