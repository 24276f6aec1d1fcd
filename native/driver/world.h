/* A module as describe.py writes it down, and what it takes to run it. Nothing here knows Python. */
#ifndef TAMIS_WORLD_H
#define TAMIS_WORLD_H
#include <stdio.h>
#include "../engine.h"

/* Descriptions of modules, in a file read once. */
typedef struct tm_worlds {
    uint8_t *file;
    tm_env *envs;
    uint64_t count;
} tm_worlds;

int worlds_open(tm_worlds *worlds, const char *path);
void worlds_close(tm_worlds *worlds);

/* What a run may use and what came of it. */
typedef struct tm_run {
    uint64_t slice;    /* ticks at a time: the same must come of any */
    uint64_t seed;     /* for the arguments */
    int exit;          /* TM_EXIT_ of the last, or OUT_OF_FUEL */
    uint64_t ticks;
    uint64_t hash;     /* of results, globals, memories and tables */
} tm_run;
enum { OUT_OF_FUEL = 1000 };

/* Instantiates the code with memories, tables and globals of its own, calls own function `own` and takes all down again.
   0, or -1 if the machine gives no memory or the function has a parameter that there is no value for. */
int world_run(tm_code *code, uint32_t own, tm_run *run);

/* Ends the process: what must hold does not. */
_Noreturn void broken(const char *what);
#endif
