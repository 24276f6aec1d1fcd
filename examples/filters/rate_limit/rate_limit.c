/* Lets a number of requests through in each period, and answers 429 to the others. Configuration:
 *
 *     REQUESTS MILLISECONDS           100 60000, which is also what holds without a configuration
 *
 * The count lives in the host's shared data, because every worker of a proxy has a VM of its own and the limit is meant
 * for all of them. A tick begins the next period.
 */
#include "proxy_wasm.h"

typedef struct { u32 requests, period; } limit;

/* What is stored in shared data, little-endian as it is in our memory. */
typedef struct { u64 began; u32 left, unused; } bucket;

static str key(void) {
    /* Two configurations with different root ids count apart. */
    char *id = 0;
    u32 len = 0;
    proxy_get_property(STR_ARGS(S("plugin_root_id")), &id, &len);
    return JOIN(S("rate_limit/"), ((str){id, len}));
}

static u64 now(void) {
    u64 ns = 0;
    proxy_get_current_time_nanoseconds(&ns);
    return ns;
}

/* Reads the bucket and its version number; a full one when nobody has written it yet. */
static bucket load(str name, const limit *l, u32 *version) {
    char *at = 0;
    u32 len = 0;
    *version = 0;
    if (proxy_get_shared_data(STR_ARGS(name), &at, &len, version) == PW_OK && len == sizeof(bucket))
        return *(bucket *)at;
    return (bucket){now(), l->requests, 0};
}

/* Writes it, unless another worker has written since `version` was read. */
static u32 store(str name, bucket b, u32 version) {
    return proxy_set_shared_data(STR_ARGS(name), (char *)&b, sizeof b, version);
}

u32 PW_EXPORT(proxy_on_configure)(u32 root, u32 size) {
    pw_begin();
    str text = size ? pw_buffer_bytes(PW_PLUGIN_CONFIG) : S("100 60000");
    limit *l = pw_keep(sizeof *l);
    l->requests = pw_number(str_word(&text), 0);
    l->period = pw_number(str_word(&text), 0);
    if (!l->requests || !l->period) {
        pw_log(PW_ERROR, S("the configuration is: REQUESTS MILLISECONDS"));
        return 0;
    }
    pw_find(root)->config = l;
    proxy_set_tick_period_milliseconds(l->period);
    return 1;
}

void PW_EXPORT(proxy_on_tick)(u32 root) {
    pw_begin();
    const limit *l = pw_config(root);
    str name = key();
    u32 version;
    bucket b = load(name, l, &version);
    u64 t = now();
    /* Every worker ticks. Only the first of them in a period fills the bucket; half a period of tolerance is there
     * because timers are late by different amounts. A lost race means that another has filled it: nothing to do. */
    if (t - b.began < (u64)l->period * 500000) return;
    store(name, (bucket){t, l->requests, 0}, version);
}

u32 PW_EXPORT(proxy_on_request_headers)(u32 context, u32 count, u32 end) {
    pw_begin();
    (void)count, (void)end;
    const limit *l = pw_config(context);
    str name = key();
    for (;;) {
        u32 version;
        bucket b = load(name, l, &version);
        if (!b.left) break;
        b.left--;
        /* On a mismatch somebody else took a token in between: look again. */
        if (store(name, b, version) != PW_CAS_MISMATCH) {
            pw_set_header(PW_REQUEST_HEADERS, S("x-ratelimit-remaining"), pw_decimal(b.left));
            return PW_CONTINUE;
        }
    }
    pw_pair headers[] = {{S("retry-after"), pw_decimal((l->period + 999) / 1000)}};
    pw_respond(429, S("rate_limit"), S("too many requests\n"), headers, 1);
    return PW_PAUSE;
}
