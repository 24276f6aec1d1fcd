/* What this build is, for `tamis --version -v`. */
#include "engine.h"

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

const char *tm_compiler(void) {
#if defined(__clang__)
    return "clang " TEXT(__clang_major__) "." TEXT(__clang_minor__) "." TEXT(__clang_patchlevel__);
#elif defined(__GNUC__)
    return "gcc " TEXT(__GNUC__) "." TEXT(__GNUC_MINOR__) "." TEXT(__GNUC_PATCHLEVEL__);
#else
    return "unknown";
#endif
}

uint32_t tm_handler_count(void) { return H_COUNT; }
