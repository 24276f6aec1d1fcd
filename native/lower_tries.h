/* Try blocks write no code, only down where in the code they are. Part of lower.h. */
#ifndef TAMIS_LOWER_TRIES_H
#define TAMIS_LOWER_TRIES_H
static int more(void **array, uint32_t *capacity, uint32_t n, size_t size) {
    if (n < *capacity) return 0;
    uint32_t larger = *capacity ? 2 * *capacity : 16;
    void *p = realloc(*array, larger * size);
    if (!p) return -1;
    *array = p;
    *capacity = larger;
    return 0;
}

static uint32_t begin_region(tm_lower *l, uint32_t outer) {
    lower_barrier(l);
    if (more((void **)&l->regions, &l->regions_capacity, l->n_regions, sizeof *l->regions)) { l->out_of_memory = 1; return NO_REGION; }
    l->regions[l->n_regions] = (tm_region){.start = l->n, .outer = outer, .next = outer, .first = NO_CLAUSE};
    return l->n_regions++;
}

static void end_region(tm_lower *l, uint32_t region) {
    lower_barrier(l);
    if (region != NO_REGION) l->regions[region].end = l->n;
}

/* One more clause of a region; the caller gives it its target. */
static tm_clause *add_clause(tm_lower *l, uint32_t region, tm_clause clause) {
    static tm_clause nowhere;
    if (region == NO_REGION || more((void **)&l->clauses, &l->clauses_capacity, l->n_clauses, sizeof *l->clauses)) {
        l->out_of_memory = 1;
        return &nowhere;
    }
    tm_region *r = &l->regions[region];
    if (r->first == NO_CLAUSE) r->first = l->n_clauses;
    else l->clauses[r->last].next = l->n_clauses;
    r->last = l->n_clauses++;
    l->clauses[r->last] = clause;
    l->clauses[r->last].next = NO_CLAUSE;
    return &l->clauses[r->last];
}

static void place_clauses(tm_lower *l, uint32_t *head) {
    if (l->out_of_memory) return;
    for (uint32_t at = *head; at != NONE;) {
        uint32_t next = l->clauses[at].target;
        l->clauses[at].target = l->n;
        at = next;
    }
    *head = NONE;
    l->dirty = l->written;
    lower_barrier(l);
}
#endif
