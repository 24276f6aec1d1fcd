/* The entry points of libFuzzer. TAMIS_WORLDS says where the descriptions are. */
#include "target.h"

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc; (void)argv;
    const char *path = getenv("TAMIS_WORLDS");
    if (!path || target_open(path)) { fprintf(stderr, "TAMIS_WORLDS names no descriptions\n"); exit(2); }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return target_one(data, size); }
