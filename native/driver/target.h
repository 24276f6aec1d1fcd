#ifndef TAMIS_TARGET_H
#define TAMIS_TARGET_H
#include "world.h"

enum { HEAD = 4 }; /* bytes of an input in front of the body */

int target_open(const char *path);
void target_close(void);
const tm_worlds *target_worlds(void);
int target_code(const tm_env *env, uint32_t own, uint64_t seed, uint64_t slice);
int target_one(const uint8_t *data, size_t size);
#endif
