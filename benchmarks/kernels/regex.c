/* Backtracking: finds the matches of eight regular expressions (. [a-z] * + ? ^ $ and escapes) in 16 KiB of words, n times. */
#include "kernel.h"

#define SIZE 16384
static char text[SIZE + 1];

static const char *const patterns[8] = {
    "[a-e]+x", "q.*z$", "[^aeiou ]+[aeiou][^aeiou ]+ ", "a?b?c?d?e", "foo.[a-m]*r", "^[a-z]+ ", "[g-k][g-k][g-k]", "t[aeiou]+n *s"};

/* Where the atom at p ends. */
static const char *after(const char *p) {
    if (*p == '\\') return p + 2;
    if (*p != '[') return p + 1;
    do p++;
    while (*p != ']');
    return p + 1;
}

static i32 is_one(const char *p, char c) {
    if (c == 0 || c == '\n') return 0;
    if (*p == '.') return 1;
    if (*p == '\\') return p[1] == c;
    if (*p != '[') return *p == c;
    i32 inverted = *++p == '^', found = 0;
    for (p += inverted; *p != ']'; p++) {
        if (p[1] == '-') {
            found |= p[0] <= c && c <= p[2];
            p += 2;
        } else {
            found |= *p == c;
        }
    }
    return found != inverted;
}

static const char *match(const char *p, const char *s) {
    if (*p == 0) return s;
    if (*p == '$' && p[1] == 0) return *s == 0 || *s == '\n' ? s : 0;
    const char *rest = after(p), *end = s;
    u32 least = *rest == '+' || (*rest != '*' && *rest != '?'), most = *rest == '*' || *rest == '+' ? SIZE : 1;
    if (*rest == '*' || *rest == '+' || *rest == '?') rest++;
    while (most && is_one(p, *end)) end++, most--;
    for (; end >= s + least; end--) {
        const char *found = match(rest, end);
        if (found) return found;
    }
    return 0;
}

EXPORT u32 run(u32 n) {
    u32 state = 0x5eed5eed, sum = 0;
    for (u32 i = 0; i < SIZE; i++) {
        u32 r = next_random(&state) >> 8;
        text[i] = (char)(r % 61 == 0 ? '\n' : r % 6 == 0 ? ' ' : 'a' + (r / 64) % 26);
    }
    while (n--) {
        for (u32 k = 0; k < 8; k++) {
            const char *pattern = patterns[k], *s = text;
            i32 anchored = *pattern == '^';
            while (*s) {
                const char *found = !anchored || s == text || s[-1] == '\n' ? match(pattern + anchored, s) : 0;
                if (found) sum = sum * 31 + (u32)(found - s) + k;
                s = found && found > s ? found : s + 1;
            }
        }
    }
    return sum;
}
