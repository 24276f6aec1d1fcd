/* Lowering of what reads and writes objects (handlers_objects.py). `type` is the code of a field or of elements, which may
   be packed. Part of lower.h. */
#ifndef TAMIS_LOWER_OBJECTS_H
#define TAMIS_LOWER_OBJECTS_H
enum { OBJECT_PLACES = REGISTERS_i + 1 };

/* The handlers that read a type, and how many destinations they know: a slot, or also the spare register, or any. */
typedef struct tm_reader {
    uint32_t base, nd, class_;
} tm_reader;

static uint32_t any_place(uint32_t c) { return c == CLASS_NONE ? 1 : registers_of[c] + 1u; }

static tm_reader field_reader(uint32_t type, int sign) {
    uint32_t c = class_of(type);
    switch (type) {
    case T_I8: return (tm_reader){sign ? BASE_struct_get_s8 : BASE_struct_get_u8, 2, CLASS_INT};
    case T_I16: return (tm_reader){sign ? BASE_struct_get_s16 : BASE_struct_get_u16, 2, CLASS_INT};
    case T_V128: return (tm_reader){BASE_struct_get_v, 1, CLASS_NONE};
    case T_F64: return (tm_reader){BASE_struct_get_f, any_place(c), c};
    default: return (tm_reader){BASE_struct_get_i, any_place(c), c};
    }
}

static tm_reader element_reader(uint32_t type, int sign) {
    uint32_t c = class_of(type);
    switch (type) {
    case T_I8: return (tm_reader){sign ? BASE_array_get_s8 : BASE_array_get_u8, 2, CLASS_INT};
    case T_I16: return (tm_reader){sign ? BASE_array_get_s16 : BASE_array_get_u16, 2, CLASS_INT};
    case T_V128: return (tm_reader){BASE_array_get_v, 1, CLASS_NONE};
    case T_I32: case T_F32: return (tm_reader){BASE_array_get_i32, any_place(c), c};
    case T_F64: return (tm_reader){BASE_array_get_f64, any_place(c), c};
    default: return (tm_reader){BASE_array_get_i64, any_place(c), c};
    }
}

static void lower_struct_get(tm_lower *l, uint32_t i, uint32_t type, int sign, uint32_t cell) {
    tm_reader reader = field_reader(type, sign);
    uint32_t b, a = place(l, i, 1, &b);
    pending_cut(l, i);
    emit_result(l, reader.base, reader.nd, OBJECT_PLACES, a, reader.class_, i, b, 0, 0);
    emit_word(l, cell);
}

static void lower_array_get(tm_lower *l, uint32_t i, uint32_t type, int sign) {
    tm_reader reader = element_reader(type, sign);
    uint32_t sb, sc, b = place(l, i + 1, 1, &sc), a = place(l, i, 1, &sb);
    pending_cut(l, i);
    emit_result(l, reader.base, reader.nd, OBJECT_PLACES * OBJECT_PLACES, a * OBJECT_PLACES + b, reader.class_, i, sb, sc, 0);
}

static void lower_array_len(tm_lower *l, uint32_t i) {
    uint32_t b, a = place(l, i, 1, &b);
    pending_cut(l, i);
    emit_result(l, BASE_array_len, 2, OBJECT_PLACES, a, CLASS_INT, i, b, 0, 0);
}

static void lower_struct_set(tm_lower *l, uint32_t i, uint32_t type, uint32_t cell) {
    uint32_t sa, sv, v = PLACE_SLOT, c = l->loc[i + 1].reg / 4;
    if (type == T_V128) sv = slot(l, i + 1);
    else v = place(l, i + 1, 1, &sv);
    if (v != PLACE_SLOT && c == CLASS_FLOAT) v += REGISTERS_i; /* a slot, integers, floats */
    uint32_t a = place(l, i, 1, &sa);
    pending_cut(l, i);
    emit(l, type == T_V128 ? BASE_struct_set_v + a : BASE_struct_set + v * OBJECT_PLACES + a, 0, sa, sv, 0);
    emit_word(l, cell);
}

static void lower_array_set(tm_lower *l, uint32_t i, uint32_t type) {
    const tm_loc *value = &l->loc[i + 2];
    uint32_t sa, sb, sv, v = PLACE_SLOT, c = value->reg / 4;
    if (value->kind == L_REG && value->reg == SPARE(c)) { v = c == CLASS_FLOAT ? 2 : 1; sv = 0; }
    else sv = slot(l, i + 2);
    uint32_t b = place(l, i + 1, 1, &sb), a = place(l, i, 1, &sa), base;
    switch (type) {
    case T_I8: base = BASE_array_set_8; break;
    case T_I16: base = BASE_array_set_16; break;
    case T_I32: case T_F32: base = BASE_array_set_32; break;
    case T_V128: base = BASE_array_set_v; break;
    default: base = BASE_array_set_64;
    }
    pending_cut(l, i);
    emit(l, base + (v * OBJECT_PLACES + a) * OBJECT_PLACES + b, sa, sb, sv, 0);
}
#endif
