/* orders.c, and orders for gRPC. More of WHEN: grpc_initial, grpc_receive, grpc_trailing, grpc_close (`/end` when its
 * status is OK, `/more` when it is not), request_metadata, response_metadata.
 *
 *     meta NAME=VALUE...                       initial metadata of the calls that follow
 *     unary SERVER PATH TIMEOUT MESSAGE        SERVER is a cluster, envoy:CLUSTER or google:TARGET (as a GrpcService),
 *     stream SERVER PATH                       or hex:BYTES; PATH is SERVICE/METHOD; both log the token
 *     token N                                  the token that the orders after it are about; else the last one given
 *     send END MESSAGE                         END is 0 or 1; a MESSAGE of `*N` is N bytes
 *     end, cancel                              proxy_grpc_close, proxy_grpc_cancel
 *     trailed CLUSTER PATH TIMEOUT NAME=VALUE...   an HTTP call with trailers
 */
#define MORE_ORDERS obey_grpc
#include "orders.c"

PW_IMPORT(proxy_grpc_call)(const char *server, u32 server_len, const char *service, u32 service_len, const char *method,
                           u32 method_len, const char *metadata, u32 metadata_len, const char *message, u32 len,
                           u32 timeout, u32 *token);
PW_IMPORT(proxy_grpc_stream)(const char *server, u32 server_len, const char *service, u32 service_len,
                             const char *method, u32 method_len, const char *metadata, u32 metadata_len, u32 *token);
PW_IMPORT(proxy_grpc_send)(u32 token, const char *message, u32 len, u32 end);
PW_IMPORT(proxy_grpc_close)(u32 token);
PW_IMPORT(proxy_grpc_cancel)(u32 token);

static u32 token;
static str metadata; /* kept */

/* A field of a protobuf message whose value is bytes; short ones only. */
static str field(u32 number, str value) {
    char head[2] = {(char)(number << 3 | 2), (char)value.len};
    return JOIN(((str){head, 2}), value);
}

static u32 hex_digit(char c) { return (u32)(c >= 'a' ? c - 'a' + 10 : c - '0'); }

static str server_of(str word) {
    if (str_starts(word, S("envoy:"))) return field(1, field(1, str_from(word, 6)));
    if (str_starts(word, S("google:"))) return field(2, field(1, str_from(word, 7)));
    if (!str_starts(word, S("hex:"))) return word;
    u32 n = (word.len - 4) / 2;
    char *at = pw_scratch(n);
    for (u32 i = 0; i < n; i++) at[i] = (char)(hex_digit(word.at[4 + 2 * i]) << 4 | hex_digit(word.at[5 + 2 * i]));
    return (str){at, n};
}

static str message_of(str args) {
    if (!str_starts(args, S("*"))) return args;
    u32 n = pw_number(str_from(args, 1), 0);
    char *at = pw_scratch(n);
    __builtin_memset(at, 'x', n);
    return (str){at, n};
}

static int obey_grpc(str order, str args) {
    u32 status;
    if (IS("meta")) {
        str map = serialised(args);
        char *kept = pw_keep(map.len);
        pw_copy(kept, map);
        metadata = (str){kept, map.len};
    } else if (IS("unary")) {
        str server = server_of(str_word(&args)), method = str_word(&args), service = str_cut(&method, '/');
        u32 timeout = next(&args);
        str message = message_of(args);
        status = proxy_grpc_call(STR_ARGS(server), STR_ARGS(service), STR_ARGS(method), STR_ARGS(metadata), STR_ARGS(message),
                                 timeout, &token);
        say(order, status, pw_decimal(token));
    } else if (IS("stream")) {
        str server = server_of(str_word(&args)), method = str_word(&args), service = str_cut(&method, '/');
        status = proxy_grpc_stream(STR_ARGS(server), STR_ARGS(service), STR_ARGS(method), STR_ARGS(metadata), &token);
        say(order, status, pw_decimal(token));
    } else if (IS("token")) {
        token = pw_number(args, 0);
    } else if (IS("send")) {
        u32 end = next(&args);
        str message = message_of(args);
        say(order, proxy_grpc_send(token, STR_ARGS(message), end), S(""));
    } else if (IS("end")) {
        say(order, proxy_grpc_close(token), S(""));
    } else if (IS("cancel")) {
        say(order, proxy_grpc_cancel(token), S(""));
    } else if (IS("trailed")) {
        str cluster = str_word(&args), path = str_word(&args);
        u32 timeout = next(&args), number = 0;
        str headers = serialised(JOIN(S(":method=POST :authority=order :path="), path)), trailers = serialised(args);
        status = proxy_http_call(STR_ARGS(cluster), STR_ARGS(headers), 0, 0, STR_ARGS(trailers), timeout, &number);
        say(order, status, pw_decimal(number));
    } else return 0;
    return 1;
}

static u32 ordered_initial(u32 root) { NOW("grpc_initial", root, 1, 0); }
static u32 ordered_receive(u32 root) { NOW("grpc_receive", root, 1, 0); }
static u32 ordered_trailing(u32 root) { NOW("grpc_trailing", root, 1, 0); }
static u32 ordered_close(u32 root, u32 fine) { NOW("grpc_close", root, fine, 0); }

void PW_EXPORT(proxy_on_grpc_receive_initial_metadata)(u32 root, u32 number, u32 n) {
    (void)number, (void)n;
    ordered_initial(root);
}
void PW_EXPORT(proxy_on_grpc_receive)(u32 root, u32 number, u32 size) {
    (void)number, (void)size;
    ordered_receive(root);
}
void PW_EXPORT(proxy_on_grpc_receive_trailing_metadata)(u32 root, u32 number, u32 n) {
    (void)number, (void)n;
    ordered_trailing(root);
}
void PW_EXPORT(proxy_on_grpc_close)(u32 root, u32 number, u32 status) {
    (void)number;
    ordered_close(root, status == 0);
}

u32 PW_EXPORT(proxy_on_request_metadata)(u32 context, u32 n) { (void)n; NOW("request_metadata", context, 1, 0); }
u32 PW_EXPORT(proxy_on_response_metadata)(u32 context, u32 n) { (void)n; NOW("response_metadata", context, 1, 0); }
