/* Traps when a request asks for it, some calls deep, to see what a host reports. The header x-crash chooses how:
 *
 *     1 unreachable code   2 memory out of bounds   3 division by zero   4 endless recursion   5 a bad function pointer
 */
#include "proxy_wasm.h"

/* Without this the compiler would fold the functions into one, and there would be no backtrace to look at. */
#define FRAME static __attribute__((noinline))

static volatile u32 zero; /* the compiler must not know */

/* What is done after the call keeps it from becoming a jump. */
FRAME u32 recurse(u32 n) {
    u32 result = zero ? 0 : recurse(n + 1);
    return result + zero;
}

FRAME u32 call_through(u32 (*function)(void)) { return function(); }

FRAME u32 explode(u32 kind) {
    switch (kind) {
    case 1: __builtin_trap();
    case 2: return *(volatile u32 *)(0xfffffff0u - zero);
    case 3: return kind / zero;
    case 4: return recurse(kind);
    case 5: return call_through((u32(*)(void))(0x7fffffu + zero));
    }
    return 0;
}

FRAME u32 inspect_token(str token) { return explode(pw_number(token, 0)) + zero; }

FRAME u32 inspect_request(void) {
    str token = pw_header(PW_REQUEST_HEADERS, S("x-crash"));
    return token.len ? inspect_token(token) + zero : 0;
}

u32 PW_EXPORT(proxy_on_request_headers)(u32 context, u32 count, u32 end) {
    pw_begin();
    (void)context, (void)count, (void)end;
    pw_log(PW_INFO, S("looking at the request"));
    inspect_request();
    return PW_CONTINUE;
}
