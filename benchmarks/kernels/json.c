/* Strings: writes a JSON text of nested records, then scans it n times: tokens, escapes, numbers, nesting. */
#include "kernel.h"

static char text[40000];
static u32 length;

static void put(const char *s) {
    while (*s) text[length++] = *s++;
}

static void put_number(u32 value) {
    char digits[10];
    u32 count = 0;
    do digits[count++] = (char)('0' + value % 10);
    while (value /= 10);
    while (count) text[length++] = digits[--count];
}

static void write_text(void) {
    static const char *const words[8] = {"alpha", "b\\u00e9ta", "gamma ray", "d\\\"elta\\\"", "", "zeta/eta", "th\\neta", "iota"};
    u32 state = 0x0badf00d;
    length = 0;
    put("[");
    for (u32 i = 0; length < sizeof text - 400; i++) {
        put(i ? ",\n  {" : "\n  {");
        put("\"id\": "), put_number(next_random(&state));
        put(", \"name\": \""), put(words[next_random(&state) & 7]), put(" "), put(words[next_random(&state) & 7]);
        put("\", \"ratio\": -"), put_number(next_random(&state) & 1023), put("."), put_number(next_random(&state) & 65535);
        put("e-"), put_number(next_random(&state) & 7);
        put(", \"tags\": [");
        for (u32 k = next_random(&state) & 3; k; k--) put("true, null, \""), put(words[next_random(&state) & 7]), put("\", ");
        put("false], \"inner\": {\"empty\": {}, \"list\": [[], [1, 2, 3]]}}");
    }
    put("\n]");
}

static const char *at;
static u32 sum;

static void skip_space(void) {
    while (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r') at++;
}

static i32 scan_string(void) {
    u32 hash = 5381;
    for (at++; *at != '"'; at++) {
        u32 c = (u8)*at;
        if (c < ' ') return 0;
        if (c == '\\') {
            c = (u8)*++at;
            if (c == 'u') {
                c = 0;
                for (u32 k = 0; k < 4; k++) {
                    u32 digit = (u8)*++at;
                    c = c * 16 + (digit <= '9' ? digit - '0' : (digit | 32) - 'a' + 10);
                }
            } else if (c == 'n') {
                c = '\n';
            }
        }
        hash = hash * 33 + c;
    }
    at++;
    sum = sum * 17 + hash;
    return 1;
}

static i32 scan_number(void) {
    i32 negative = *at == '-';
    double value = 0, scale = 1;
    at += negative;
    if (*at < '0' || *at > '9') return 0;
    while (*at >= '0' && *at <= '9') value = value * 10 + (*at++ - '0');
    if (*at == '.')
        for (at++; *at >= '0' && *at <= '9'; at++) value += (*at - '0') * (scale /= 10);
    if (*at == 'e') {
        i32 down = *++at == '-', exponent = 0;
        at += down;
        while (*at >= '0' && *at <= '9') exponent = exponent * 10 + (*at++ - '0');
        while (exponent--) value = down ? value / 10 : value * 10;
    }
    sum = sum * 19 + (u32)(i64)(negative ? -value * 16 : value * 16);
    return 1;
}

static i32 scan_word(const char *word) {
    while (*word)
        if (*at++ != *word++) return 0;
    sum++;
    return 1;
}

static i32 scan_value(u32 depth) {
    if (depth > 100) return 0;
    skip_space();
    char open = *at;
    switch (open) {
    case '"': return scan_string();
    case 't': return scan_word("true");
    case 'f': return scan_word("false");
    case 'n': return scan_word("null");
    case '[':
    case '{': break;
    default: return scan_number();
    }
    char close = open == '[' ? ']' : '}';
    at++;
    skip_space();
    if (*at == close) return at++, 1;
    for (;;) {
        if (open == '{') {
            skip_space();
            if (*at != '"' || !scan_string()) return 0;
            skip_space();
            if (*at++ != ':') return 0;
        }
        if (!scan_value(depth + 1)) return 0;
        skip_space();
        if (*at == close) return at++, 1;
        if (*at++ != ',') return 0;
    }
}

EXPORT u32 run(u32 n) {
    write_text();
    sum = 0;
    while (n--) {
        at = text;
        if (!scan_value(0) || at != text + length) return 0xffffffff;
    }
    return sum;
}
