/* Changes headers by rules from the configuration, one on a line:
 *
 *     request  set    NAME VALUE      replaces the header, or adds it
 *     request  add    NAME VALUE      adds one more of that name
 *     response remove NAME            removes all of that name
 */
#include "proxy_wasm.h"

typedef struct rule {
    u32 map;
    enum { SET, ADD, REMOVE } what;
    str name, value;
    struct rule *next;
} rule;

/* One line into a rule; 0 when it makes no sense. The strings stay inside the configuration text, which is kept. */
static int parse(str line, rule *r) {
    str side = str_word(&line), what = str_word(&line);
    r->name = str_word(&line);
    r->value = line;
    r->map = str_eq(side, S("request")) ? PW_REQUEST_HEADERS : PW_RESPONSE_HEADERS;
    r->what = str_eq(what, S("set")) ? SET : str_eq(what, S("add")) ? ADD : REMOVE;
    int known = (str_eq(side, S("request")) || str_eq(side, S("response"))) &&
                (r->what != REMOVE || str_eq(what, S("remove")));
    return known && r->name.len && (r->what == REMOVE) == (r->value.len == 0);
}

u32 PW_EXPORT(proxy_on_configure)(u32 root, u32 size) {
    pw_begin();
    (void)size;
    str text = pw_configuration();
    rule *first = 0, **last = &first;
    while (text.len) {
        str line = str_cut(&text, '\n');
        if (!line.len) continue;
        rule *r = pw_keep(sizeof *r);
        if (!parse(line, r)) {
            /* A refused configuration is seen at deployment; a rule that is skipped is seen by nobody. */
            pw_log(PW_ERROR, JOIN(S("no rule: "), line));
            return 0;
        }
        r->next = 0;
        *last = r;
        last = &r->next;
    }
    pw_find(root)->config = first;
    return 1;
}

static u32 apply(u32 context, u32 map) {
    pw_begin();
    for (rule *r = pw_config(context); r; r = r->next) {
        if (r->map != map) continue;
        if (r->what == SET) pw_set_header(map, r->name, r->value);
        else if (r->what == ADD) pw_add_header(map, r->name, r->value);
        else pw_remove_header(map, r->name);
    }
    return PW_CONTINUE;
}

u32 PW_EXPORT(proxy_on_request_headers)(u32 context, u32 count, u32 end) {
    (void)count, (void)end;
    return apply(context, PW_REQUEST_HEADERS);
}

u32 PW_EXPORT(proxy_on_response_headers)(u32 context, u32 count, u32 end) {
    (void)count, (void)end;
    return apply(context, PW_RESPONSE_HEADERS);
}
