/* The interface of the native part: read by the compiler (through engine.h) and by cffi alike, so plain declarations only. */

/* ---- linear memory (memory.c) ---- */
typedef struct tm_memory {
    uint8_t *base;
    uint64_t length;   /* bytes in use */
    uint64_t reserved; /* bytes of address space held; 0 for a moving memory */
} tm_memory;

tm_memory *tm_memory_new(uint64_t length, uint64_t reserve);
int tm_memory_grow(tm_memory *memory, uint64_t new_length);
void tm_memory_free(tm_memory *memory);
/* An image of a memory's contents as a sealed file without a name, on Linux: its descriptor, which is the caller's, or -1.
   Beyond *used it is all zeros. */
int tm_image_save(const tm_memory *memory, uint64_t *used);
/* A memory that begins with an image's contents and shares its pages until it writes them. NULL if that cannot be. */
tm_memory *tm_image_map(int fd, uint64_t used, uint64_t length, uint64_t reserve);

/* ---- the heap of a store (heap.c): objects by index; references are TM_OBJECT | index ---- */
enum { TM_SHAPE_STRUCTURE = 0x80, TM_SHAPE_EXCEPTION = 0x81 }; /* an array's shape is the width of its elements in bytes */

typedef struct tm_layout {
    uint32_t number;        /* for the caller to know it by */
    uint32_t shape;
    uint32_t cells;         /* of a structure or an exception */
    uint32_t n_refs;
    const uint32_t *refs;   /* the cells that hold references; of an array n_refs says whether its elements do */
    const uint32_t *line;   /* how many supertypes the type has, their numbers, the root's first, and its own */
} tm_layout;

typedef struct tm_object {
    const tm_layout *layout;
    uint32_t length;        /* elements of an array, else cells */
    uint32_t shape;         /* the layout's */
    uint64_t contents[];    /* cells, or elements side by side */
} tm_object;

typedef struct tm_heap {
    tm_object **objects;    /* by index; a free place holds the next free one, twice and one more */
    uint64_t capacity;
    uint64_t free;          /* the lowest free place of the last collection; capacity if there is none */
    uint64_t count;
    uint64_t bytes;         /* of all objects, 16 for each besides its contents */
    uint64_t limit;         /* up to so many bytes the loop makes objects without asking */
    uint64_t page_limit;    /* of the bytes of pages (blocks.h), which are more where blocks between others are free */
    struct tm_blocks *blocks;
    uint8_t *marks;
    uint32_t *pending;      /* marked, and not looked through yet; has room for every object */
    uint64_t n_pending;
} tm_heap;

tm_heap *tm_heap_new(void);
void tm_heap_free(tm_heap *heap);
/* Makes an object of zeros and gives its index, the lowest that is free; -1 when the machine gives no memory, -2 past the
   limit of pages. */
int64_t tm_heap_add(tm_heap *heap, const tm_layout *layout, uint32_t length);
/* Bytes of the pages that small objects stand on. */
uint64_t tm_heap_pages(const tm_heap *heap);
/* NULL where there is none. */
tm_object *tm_heap_at(const tm_heap *heap, uint64_t index);
/* Marks what n words refer to, those that are no references to objects being ignored. */
void tm_heap_visit(tm_heap *heap, const uint64_t *words, uint64_t n);
/* Marks what the marked objects lead to and frees all others. */
void tm_heap_sweep(tm_heap *heap);
/* Sets the marks of the external objects that objects refer to: one byte for each raw reference below n. */
void tm_heap_mark_externs(const tm_heap *heap, uint8_t *marks, uint64_t n);

/* ---- what the front end knows of a module (walk.c); all arrays belong to the caller and outlive the env ---- */
typedef struct tm_env {
    const uint8_t *bytes;
    uint64_t size;
    uint32_t n_types, n_funcs, n_imported, n_tables, n_mems, n_globals, n_elems, n_tags;
    int64_t n_datas;              /* -1: no data count section */
    const uint32_t *sigs;         /* per function type: parameter count, result count, types */
    const uint32_t *type_sig;     /* per type index: place in sigs, or 0xFFFFFFFF for a type that is no function type */
    const uint8_t *type_kinds;    /* per type index: 0 function, 1 structure, 2 array */
    const uint32_t *type_fields;  /* per type index: place in fields of a structure or array */
    const uint32_t *fields;       /* per structure or array: how many fields, their type codes; bit 31 for mutable ones */
    const uint32_t *field_cells;  /* as long as fields: per field the cell that it begins at, then how many cells there are */
    const uint32_t *type_line;    /* per type index: place in lines */
    const uint32_t *lines;        /* per type: how many supertypes it has, their canonical numbers, the root's first, its own */
    const uint32_t *func_types;   /* per function, imports first: type index */
    const uint32_t *code_offset;  /* per own function */
    const uint32_t *code_length;
    const uint32_t *table_types;  /* element type code (engine.h), bit 31 for i64 indices */
    const uint32_t *mem_types;    /* bit 0 for i64 addresses, from bit 8 on the logarithm of the page size */
    const uint32_t *global_types; /* type code, bit 31 for mutable */
    const uint32_t *elem_types;
    const uint32_t *tag_types;    /* per tag: type index */
    const uint8_t *declared;      /* per function: may stand in ref.func */
    uint64_t features;
    uint64_t max_function_bytes, max_locals, max_nesting, max_br_table, max_catches, max_frame_cells;
} tm_env;

typedef struct tm_error {
    int32_t id; /* row of BODY_ERRORS; -1: none; -2: the machine gave no memory */
    uint32_t func;
    uint64_t offset;
    uint64_t a, b;
} tm_error;

typedef struct tm_func tm_func;
typedef struct tm_code tm_code; /* a validated module: its functions, lowered on first call, shared by all instances */

tm_code *tm_code_new(const tm_env *env);
/* Validates every body in order. Returns 0, or -1 with error filled in. frame_cells has room for every own function. */
int tm_code_validate(tm_code *code, uint32_t *frame_cells, uint64_t *features, tm_error *error);
void tm_code_free(tm_code *code);
uint64_t tm_code_bytes(const tm_code *code);
/* Lowers one function now. 0, or -1 when the machine gives no memory. */
int tm_code_lower(tm_code *code, uint32_t own_index);
/* The byte offsets of the instructions that n places in a function's lowered code belong to, in one walk over it: each place
   is replaced by its offset. */
void tm_code_offsets(tm_code *code, uint32_t own_index, uint64_t *places, uint64_t n);

/* ---- instances and threads (store.c, run.c) ---- */
typedef struct tm_table {
    uint64_t *cells;
    uint64_t length;
} tm_table;

typedef struct tm_funcinst {
    tm_func *func;            /* NULL for a host function */
    struct tm_instance *instance;
    const uint32_t *line;     /* its type's line of supertypes, as in tm_env.lines */
    uint32_t type_id;         /* its type's canonical number */
    uint32_t addr;
} tm_funcinst;

typedef struct tm_instance {
    tm_memory *memory;        /* memory 0, or one of length 0 */
    tm_memory **memories;
    uint64_t **globals;       /* per global: its cell */
    tm_table **tables;
    const tm_layout **layouts; /* per type index: of a structure or array; NULL for an instance without such types */
    uint32_t *imported;       /* per imported function: its address */
    uint32_t *tags;           /* per tag: its number in the store */
    uint32_t n_imported;
    uint32_t first_addr;      /* own functions have consecutive addresses from here */
    tm_code *code;
    uint32_t number;          /* for the caller to know it by */
} tm_instance;

typedef struct tm_frame {
    const uint64_t *ip;       /* where this function goes on when its callee returns */
    uint64_t *sp;
    tm_func *func;
    tm_instance *instance;
    uint64_t cells;           /* sum of frame_cells up to this frame */
} tm_frame;

typedef struct tm_registers {
    uint64_t r[4];
    double f[4];
    int tail;
} tm_registers;

typedef struct tm_thread {
    int64_t left;             /* ticks before the loop must leave */
    tm_frame *fp;
    uint64_t cells_limit;
    tm_frame *fp_limit;       /* not beside fp: a compiler would read both as one vector, right after each was written */
    tm_instance *instance;
    tm_heap *heap;            /* the store's */
    tm_funcinst **funcs;      /* the store's functions by address */
    uint64_t n_funcs;
    tm_funcinst **owned;      /* blocks of function records, freed with the thread */
    uint64_t n_owned;
    const uint64_t *ip;       /* where to go on */
    uint64_t *sp;
    uint64_t *stack;
    tm_frame *frames;
    tm_registers *saved;      /* per suspended activation */
    uint64_t stack_cells, frame_count;
    uint64_t active;          /* how many activations there are */
    uint64_t stretch;         /* bytes that are moved or filled here; more of them are a service */


    uint64_t r[4];            /* the registers of the loop, while it is left */
    double f[4];
    /* what an exit tells */
    int exit;
    uint32_t trap;            /* row of TRAPS */
    uint32_t service;
    uint64_t need;            /* ticks asked for, or the table index of a trap */
    uint64_t addr;            /* host function */
    uint64_t *args;           /* its arguments, and where results go; operands of a service; values of an exception */
    uint64_t imm1, imm2;
    uint32_t words;           /* of the instruction of a service */
    uint64_t operands[3];     /* where args points if they stand apart */
    int tail;                 /* a host function was tail-called: the innermost frame is over */
    /* the exception on its way (unwind.c) */
    uint32_t thrown;          /* the number of its tag */
    uint32_t thrown_cells;    /* cells of its values, which stand at args */
    struct tm_frame *catcher; /* where it goes on */
    uint32_t clause;
    uint64_t *fence;          /* cells from here on are poisoned, in the builds that have fence.h */
} tm_thread;

tm_thread *tm_thread_new(uint64_t stack_cells, uint64_t depth);
void tm_thread_free(tm_thread *thread);
/* Where the arguments of the next activation go: the first free cell. */
uint64_t *tm_thread_top(tm_thread *thread);
/* Gives store addresses to the own functions of an instance. 0, or -1 when the machine gives no memory. */
int tm_thread_link(tm_thread *thread, tm_instance *instance);
/* The line of the function's type belongs to the caller and outlives the thread. */
int tm_thread_add_host(tm_thread *thread, uint64_t addr, const uint32_t *line);
/* Begins an activation above whatever is suspended; arguments are at tm_thread_top. */
int tm_thread_enter(tm_thread *thread, uint64_t addr);
/* Runs until it must leave; returns a TM_EXIT_ number. */
int tm_thread_run(tm_thread *thread);
/* Finds the clause that takes the exception of `thrown`, `thrown_cells` and `args`, and goes there: TM_EXIT_LANDED. `after` as
   below. Else TM_EXIT_SLICE (the clause is in front of a loop and there is no tick), TM_EXIT_UNCAUGHT, or TM_EXIT_CAUGHT: the
   clause wants a reference to the exception, with which tm_thread_land is to be called. Only landing changes anything. */
int tm_thread_throw(tm_thread *thread, int after);
void tm_thread_land(tm_thread *thread, uint64_t reference);
/* Ends activations, whatever they are doing, until there are n. Done twice it is done once: a signal may come between. */
void tm_thread_leave_to(tm_thread *thread, uint64_t n);
/* All words that may be references: the stack, and behind it the registers. n gets how many. */
uint64_t *tm_thread_roots(tm_thread *thread, uint64_t *n);
/* How many frames the innermost activation has. */
uint64_t tm_thread_depth(tm_thread *thread);
/* Frame n (0 = innermost, below tm_thread_depth) of it: instance number, own index, word of its code.
   `after` says that the thread stands behind its instruction, as in a host call. */
void tm_thread_where(tm_thread *thread, uint64_t n, int after, uint32_t *number, uint32_t *own_index, uint64_t *word);

/* ---- data segments in bulk (sections.c); a segment is simple if it is active, for memory 0, at a lone i32.const ---- */
/* Reads simple segments from pos on and stops before the first other one: per segment where it begins, where its contents
 * begin, its address. Gives how many there were; heads gets one entry more, the place after the last one. */
uint64_t tm_scan_datas(const uint8_t *bytes, uint64_t pos, uint64_t end, uint64_t count, uint32_t *heads, uint32_t *starts,
                       uint32_t *addresses);
/* Writes simple segments into a memory, in order, up to the first that does not fit; gives how many were written. */
uint64_t tm_write_datas(tm_memory *memory, const uint8_t *bytes, const uint32_t *heads, const uint32_t *starts,
                        const uint32_t *addresses, uint64_t count);

/* ---- the way in and out of Python (boundary.c) ---- */
/* Puts the module `interp.boundary` beside the imported ones. 1, or 0 where Python has no such objects. */
int tm_boundary(void);

/* ---- facts and checks ---- */
const char *tm_dispatch(void);  /* "tail calls (global registers)", ... and why */
const char *tm_compiler(void);
int tm_self_test(void);         /* 0, or 1 + the number of the first handler whose tail call was lost */
int tm_self_covers(uint32_t handler); /* whether the last self-test ran this handler from probe to probe */
uint32_t tm_handler_count(void);
/* In a build with TAMIS_COUNT=1: the counts of three handlers in a row (0xFFFF for none), of those that ran or of those that
   stand in lowered code, since the last question. Gives how many there are; always 0 in any other build. */
uint64_t tm_counted(int standing, uint16_t *parts, uint64_t *counts, uint64_t room);
/* One plain instruction by table id on raw bits, for comparing with the Python meanings. Trap row + 1, or 0. */
int tm_numeric(uint32_t op, uint64_t a, uint64_t b, uint64_t *result);
/* One vector instruction by table id: three operands of two cells each (a scalar stands in the first), its lane or its 16 lanes
   as two words, the result. 0, or -1 when there is no such instruction. */
int tm_vector(uint32_t op, const uint64_t *operands, const uint64_t *immediate, uint64_t *result);
