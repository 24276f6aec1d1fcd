/* Loads, runs and frees: `driver WORLDS` every function of every module, `driver WORLDS INPUT...` inputs of the fuzz target;
   `driver --frames A B` see frames.c. */
#include "frames.h"
#include "target.h"

static int replay(const char *path) {
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(1 << 16);
    if (!file || !data) { fprintf(stderr, "cannot read %s\n", path); exit(2); }
    size_t size = fread(data, 1, 1 << 16, file);
    fclose(file);
    uint8_t *exact = malloc(size ? size : 1);
    if (!exact) broken("no memory");
    memcpy(exact, data, size);
    free(data);
    int ignored = target_one(exact, size);
    free(exact);
    return ignored;
}

int main(int argc, char **argv) {
    if (argc == 4 && !strcmp(argv[1], "--frames")) return frames_run((uint32_t)atoi(argv[2]), (uint32_t)atoi(argv[3]));
    if (argc < 2 || target_open(argv[1])) { fprintf(stderr, "usage: driver WORLDS [INPUT...]\n"); return 2; }
    const tm_worlds *worlds = target_worlds();
    uint64_t done = 0;
    for (int k = 2; k < argc; k++) done += !replay(argv[k]);
    for (uint64_t k = 0; argc == 2 && k < worlds->count; k++) {
        const tm_env *env = &worlds->envs[k];
        for (uint32_t own = 0; own < env->n_funcs - env->n_imported; own++, done++)
            if (target_code(env, own, k, 1 + own % 5)) broken("a module that was found valid once");
    }
    int bad = tm_self_test();
    target_close();
    printf("%llu %s, %s\n", (unsigned long long)done, argc == 2 ? "functions run" : "inputs", bad ? "self-test failed" : tm_dispatch());
    return bad != 0;
}
