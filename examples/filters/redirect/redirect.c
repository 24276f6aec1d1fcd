/* Redirects paths to where they have moved. Configuration, one rule on a line, the first that fits wins:
 *
 *     STATUS PREFIX TARGET            308 /docs https://docs.example.org
 *
 * The rest of the path, with its query, is put behind the target: /docs/a?b goes to https://docs.example.org/a?b.
 */
#include "proxy_wasm.h"

typedef struct rule {
    u32 status;
    str prefix, target;
    struct rule *next;
} rule;

u32 PW_EXPORT(proxy_on_configure)(u32 root, u32 size) {
    pw_begin();
    (void)size;
    str text = pw_configuration();
    rule *first = 0, **last = &first;
    while (text.len) {
        str line = str_cut(&text, '\n');
        if (!line.len) continue;
        rule *r = pw_keep(sizeof *r);
        r->status = pw_number(str_word(&line), 0);
        r->prefix = str_word(&line);
        r->target = str_word(&line);
        r->next = 0;
        if (r->status < 300 || r->status > 399 || !str_starts(r->prefix, S("/")) || !r->target.len) {
            pw_log(PW_ERROR, S("a rule is: STATUS /PREFIX TARGET, with a status from 300 to 399"));
            return 0;
        }
        *last = r;
        last = &r->next;
    }
    pw_find(root)->config = first;
    return 1;
}

/* Whether `path` is `prefix` or something below it: /docs and /docs/a and /docs?q, but not /docserver. */
static int below(str path, str prefix) {
    if (!str_starts(path, prefix)) return 0;
    str rest = str_from(path, prefix.len);
    return !rest.len || rest.at[0] == '/' || rest.at[0] == '?' || prefix.at[prefix.len - 1] == '/';
}

u32 PW_EXPORT(proxy_on_request_headers)(u32 context, u32 count, u32 end) {
    pw_begin();
    (void)count, (void)end;
    str path = pw_header(PW_REQUEST_HEADERS, S(":path"));
    for (rule *r = pw_config(context); r; r = r->next) {
        if (!below(path, r->prefix)) continue;
        str location = JOIN(r->target, str_from(path, r->prefix.len));
        pw_pair headers[] = {{S("location"), location}, {S("content-type"), S("text/plain")}};
        pw_respond(r->status, S("redirect"), JOIN(S("moved to "), location, S("\n")), headers, 2);
        /* The response leaves after we have returned; the request must not go on meanwhile. */
        return PW_PAUSE;
    }
    return PW_CONTINUE;
}
