/* orders.c, and orders for connections, DNS and statistics. More of WHEN: new_connection, downstream_data, upstream_data
 * (`/end` and `/more`), downstream_connection_close, upstream_connection_close, resolve_dns (`/more` when there is no
 * answer), stats_update.
 *
 *     told                 the number that the callback came with: how many bytes, who closed, which token
 *     lookup NAME          looks an address up; logs the token
 *     addresses            what was found: how many, how long each is valid, each address
 *     statistic NAME       its kind, its value, and of a counter what was added since the last time
 */
#define MORE_ORDERS obey_network
#include "orders.c"

PW_IMPORT(envoy_resolve_dns)(const char *name, u32 len, u32 *token);

static u32 told;

static str addresses(str data) {
    if (data.len < 4) return S("");
    const u32 *numbers = (const u32 *)data.at;
    str text = pw_decimal(numbers[0]), rest = str_from(data, 4 + 4 * numbers[0]);
    for (u32 i = 0; i < numbers[0]; i++)
        text = JOIN(text, S(" "), pw_decimal(numbers[1 + i]), S("s "), str_cut(&rest, 0));
    return text;
}

static str statistic(str data, str name) {
    for (u32 block = 0; block + 12 <= data.len; block += *(const u32 *)(data.at + block)) {
        const u32 *head = (const u32 *)(data.at + block);
        for (u32 at = block + 12, end = block + head[0]; at + 4 <= end;) {
            str here = {data.at + at + 4, *(const u32 *)(data.at + at)};
            const u64 *values = (const u64 *)(data.at + ((at + 4 + here.len + 7) & ~7u));
            if (str_eq(here, name))
                return head[1] == 1 ? JOIN(S("counter "), pw_decimal(values[0]), S(" +"), pw_decimal(values[1]))
                                    : JOIN(S("gauge "), pw_decimal(values[0]));
            at = (u32)((const char *)values - data.at) + (head[1] == 1 ? 16 : 8);
        }
    }
    return S("");
}

static int obey_network(str order, str args) {
    if (IS("told")) say(order, told, S(""));
    else if (IS("lookup")) {
        u32 token = 0, status = envoy_resolve_dns(STR_ARGS(args), &token);
        say(order, status, pw_decimal(token));
    } else if (IS("addresses")) say(order, 0, addresses(pw_buffer_bytes(8)));
    else if (IS("statistic")) say(order, 0, statistic(pw_buffer_bytes(8), args));
    else return 0;
    return 1;
}

static u32 ordered_opening(u32 context) { NOW("new_connection", context, 1, 0); }
static u32 ordered_downstream(u32 context, u32 end) { NOW("downstream_data", context, end, 0); }
static u32 ordered_upstream(u32 context, u32 end) { NOW("upstream_data", context, end, 0); }
static u32 ordered_downstream_close(u32 context) { NOW("downstream_connection_close", context, 1, 0); }
static u32 ordered_upstream_close(u32 context) { NOW("upstream_connection_close", context, 1, 0); }
static u32 ordered_dns(u32 root, u32 size) { NOW("resolve_dns", root, size > 4, 0); }
static u32 ordered_stats(u32 root) { NOW("stats_update", root, 1, 0); }

u32 PW_EXPORT(proxy_on_new_connection)(u32 context) {
    stream = context;
    return ordered_opening(context);
}
u32 PW_EXPORT(proxy_on_downstream_data)(u32 context, u32 size, u32 end) {
    stream = context, told = size;
    return ordered_downstream(context, end);
}
u32 PW_EXPORT(proxy_on_upstream_data)(u32 context, u32 size, u32 end) {
    stream = context, told = size;
    return ordered_upstream(context, end);
}
void PW_EXPORT(proxy_on_downstream_connection_close)(u32 context, u32 peer) {
    told = peer;
    ordered_downstream_close(context);
}
void PW_EXPORT(proxy_on_upstream_connection_close)(u32 context, u32 peer) {
    told = peer;
    ordered_upstream_close(context);
}
void PW_EXPORT(envoy_on_resolve_dns)(u32 root, u32 token, u32 size) {
    told = token;
    ordered_dns(root, size);
}
void PW_EXPORT(envoy_on_stats_update)(u32 root, u32 size) {
    told = size;
    ordered_stats(root);
}
