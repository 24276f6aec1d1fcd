/* Pinning: the locals that are read and written most, by loop depth, live in registers. Part of lower.h. */
#ifndef TAMIS_PIN_H
#define TAMIS_PIN_H
static const uint8_t *skip_numbers(const uint8_t *p, uint32_t n) {
    while (n--) while (*p++ & 0x80) { }
    return p;
}

/* A light pass over a valid body that counts the uses of its locals and its calls, each weighted by 8 to the loop depth.
   `uses` has room for the locals, all zero. Gives the weight of the calls; sets bit 0 of written for locals that change. */
static uint64_t count_uses(const uint8_t *p, const uint8_t *end, uint64_t *uses, uint8_t *changed) {
    uint8_t loops[64] = {0}; /* per nesting level up to 64: whether it is a loop; deeper ones count as their parent */
    uint32_t depth = 0;
    uint64_t weight = 1, calls = 0;
    while (p < end) {
        uint32_t op = tm_by_byte[*p++];
        if (op == 0) {
            uint8_t prefix = p[-1];
            uint32_t code = 0, shift = 0;
            do { code |= (uint32_t)(*p & 0x7F) << shift; shift += 7; } while (*p++ & 0x80);
            op = prefix == 0xFC ? tm_by_FC[code] : prefix == 0xFD ? tm_by_FD[code] : prefix == 0xFB ? tm_by_FB[code] : tm_by_FE[code];
        }
        const tm_op *row = &tm_ops[--op];
        switch (op) {
        case OP_block: case OP_loop: case OP_if: case OP_try_table: case OP_try:
            if (depth < 64) {
                loops[depth] = op == OP_loop;
                if (op == OP_loop && weight < 4096) weight *= 8; else loops[depth] = 0;
            }
            depth++;
            break;
        case OP_end: case OP_delegate:
            if (depth == 0) return calls;
            if (--depth < 64 && loops[depth]) weight /= 8;
            break;
        case OP_local_get: case OP_local_set: case OP_local_tee: {
            uint32_t x = 0, shift = 0;
            const uint8_t *q = p;
            do { x |= (uint32_t)(*q & 0x7F) << shift; shift += 7; } while (*q++ & 0x80);
            uses[x] += weight;
            if (op != OP_local_get) changed[x] = 1;
            break;
        }
        case OP_call: case OP_call_indirect: case OP_call_ref: calls += weight; break;
        default: break;
        }
        switch (row->imm) {
        case IMM_none: break;
        case IMM_i32: case IMM_i64: case IMM_mem: p = skip_numbers(p, 1); break;
        case IMM_f32: p += 4; break;
        case IMM_f64: p += 8; break;
        case IMM_v128: case IMM_lanes16: p += 16; break;
        case IMM_lane: p += 1; break;
        case IMM_memarg: p = skip_numbers(p, *p & 0x40 ? 3 : 2); break; /* its flags say whether a memory is named */
        case IMM_memarg_lane: p = skip_numbers(p, *p & 0x40 ? 3 : 2) + 1; break;
        default:
            if (op == OP_block || op == OP_loop || op == OP_if || op == OP_try_table || op == OP_try) { /* a type, or a number */
                if (*p == BYTE_REF || *p == BYTE_REF_NULL) p = skip_value_type(p);
                else p = skip_numbers(p, 1);
                if (op == OP_try_table) { /* clauses: their kind, a tag for two of them, a label */
                    uint32_t n = 0, shift = 0;
                    do { n |= (uint32_t)(*p & 0x7F) << shift; shift += 7; } while (*p++ & 0x80);
                    while (n--) { uint8_t kind = *p++; p = skip_numbers(p, kind < 2 ? 2 : 1); }
                }
                break;
            }
            if (row->indices != 0xFF) { p = skip_numbers(p, row->indices); break; }
            { /* a vector: labels with their default, or types */
                uint32_t n = 0, shift = 0;
                do { n |= (uint32_t)(*p & 0x7F) << shift; shift += 7; } while (*p++ & 0x80);
                if (op == OP_br_table) p = skip_numbers(p, n + 1);
                else while (n--) p = skip_value_type(p);
            }
        }
    }
    return calls;
}

/* Chooses the locals to pin. A call costs a reload, and a store too for a local that changes. */
static void choose_pins(tm_lower *l, const uint32_t *types, uint32_t n, const uint64_t *uses, const uint8_t *changed, uint64_t calls) {
    uint64_t best[ALL_REGISTERS] = {0};
    for (uint32_t r = 0; r < ALL_REGISTERS; r++) l->pinned[r] = NONE;
    memset(l->pins, NOT_PINNED, n);
    for (uint32_t x = 0; x < n; x++) {
        uint32_t c = class_of(types[x]);
        uint64_t cost = 3 + calls * (changed[x] ? 3 : 2);
        if (c == CLASS_NONE || registers_of[c] < 2 || uses[x] <= cost) continue;
        uint64_t gain = uses[x] - cost;
        uint32_t weakest = c * 4;
        for (uint32_t r = c * 4; r < SPARE(c); r++)
            if (best[r] < best[weakest]) weakest = r;
        if (gain > best[weakest]) { best[weakest] = gain; l->pinned[weakest] = x; }
    }
    l->dirty = l->written = 0;
    for (uint32_t r = 0; r < ALL_REGISTERS; r++)
        if (l->pinned[r] != NONE) {
            l->pins[l->pinned[r]] = (uint8_t)r;
            if (changed[l->pinned[r]]) l->written |= (uint8_t)(1u << r);
            l->pinned[r] = l->local_slot[l->pinned[r]];
        }
}
#endif
