/* A program of three calls whose frames are as small as one likes. */
#ifndef TAMIS_FRAMES_H
#define TAMIS_FRAMES_H
#include "../engine.h"

/* The first function touches cells 4 and 5 of its frame of `caller` cells after a call; that calls by a tail call another one,
   which touches cells 1 and 2 of its frame of `callee` cells. Frames of 6 and 3 cells are large enough; smaller ones are an
   error that no guest can make, and the fence (fence.h) has to find it. Gives 0. */
int frames_run(uint32_t caller, uint32_t callee);
#endif
