/* Replaces words in textual response bodies. Configuration, one rule on a line:
 *
 *     FROM=TO                         staging.example.org=www.example.org
 */
#include "proxy_wasm.h"

typedef struct rule {
    str from, to;
    struct rule *next;
} rule;

enum { LEAVE, REWRITE }; /* what a stream's context remembers about its response */

u32 PW_EXPORT(proxy_on_configure)(u32 root, u32 size) {
    pw_begin();
    (void)size;
    str text = pw_configuration();
    rule *first = 0, **last = &first;
    while (text.len) {
        str line = str_cut(&text, '\n');
        if (!line.len) continue;
        rule *r = pw_keep(sizeof *r);
        u32 has_value = str_find(line, '=') < line.len;
        r->from = str_cut(&line, '=');
        r->to = line;
        r->next = 0;
        if (!has_value || !r->from.len) {
            pw_log(PW_ERROR, S("a rule is: FROM=TO"));
            return 0;
        }
        *last = r;
        last = &r->next;
    }
    pw_find(root)->config = first;
    return 1;
}

u32 PW_EXPORT(proxy_on_response_headers)(u32 context, u32 count, u32 end) {
    pw_begin();
    (void)count;
    int text = str_starts(pw_header(PW_RESPONSE_HEADERS, S("content-type")), S("text/"));
    int packed = pw_header(PW_RESPONSE_HEADERS, S("content-encoding")).len != 0;
    if (end || !text || packed) return PW_CONTINUE;
    pw_find(context)->value = REWRITE;
    /* The length will change, and by the time we know it these headers have left. Without the field the body is sent
     * in chunks. Pausing here instead would never end: the body only comes once the headers have gone on. */
    pw_remove_header(PW_RESPONSE_HEADERS, S("content-length"));
    return PW_CONTINUE;
}

/* Writes `body` with all replacements to `to`, or only counts when `to` is 0. */
static u32 rewrite(str body, const rule *rules, char *to) {
    u32 n = 0;
    while (body.len) {
        const rule *r = rules;
        while (r && !str_starts(body, r->from)) r = r->next;
        str piece = r ? r->to : (str){body.at, 1};
        if (to) pw_copy(to + n, piece);
        n += piece.len;
        body = str_from(body, r ? r->from.len : 1);
    }
    return n;
}

u32 PW_EXPORT(proxy_on_response_body)(u32 context, u32 size, u32 end) {
    pw_begin();
    (void)size;
    if (pw_find(context)->value == LEAVE) return PW_CONTINUE;
    /* A word may be cut in two by a chunk's end: let the host keep the body until all of it is here. */
    if (!end) return PW_PAUSE;
    str body = pw_buffer_bytes(PW_RESPONSE_BODY);
    u32 len = rewrite(body, pw_config(context), 0);
    char *to = pw_scratch(len);
    rewrite(body, pw_config(context), to);
    proxy_set_buffer_bytes(PW_RESPONSE_BODY, 0, PW_ALL, to, len);
    return PW_CONTINUE;
}
