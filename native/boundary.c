/* The way in and out of Python without a detour: functions that Python calls straight into the loop (vectorcall), host
   functions that the loop calls straight in Python, memories that slice, and the accounts of a store.

   This is a shortcut of the driver in Python (interp/exec/driver.py), not a second one: it does what happens all the time
   with plain numbers, and hands whatever else comes up, in the middle of an activation too, to `adopt` and its kin in
   interp/exec/shortcut.py. Whoever calls holds the interpreter's lock; the loop keeps it and offers it at slices.

   PyPy has no such objects: there `tm_boundary` gives 0, and everything goes through cffi. */
#include <stddef.h>
#ifdef PYPY_VERSION
int tm_boundary(void);
int tm_boundary(void) { return 0; }
#else
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>
#include <time.h>
#include "activation.h"
#include "numerics.h"

enum { MAX_PLAIN = 16 };                /* parameters; functions with more go the long way */
enum { YIELD_NS = 5000000 };            /* how long the interpreter's lock is kept from others, as sys.getswitchinterval */

static uint64_t now_ns(void) {
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

#include "boundary_accounts.inc"

/* ---- plain numbers ---- */

typedef struct {
    unsigned char n_params, n_results, is_signed; /* is_signed: Python's numbers; otherwise raw bits */
    unsigned char params[MAX_PLAIN], results[MAX_PLAIN]; /* T_I32, T_I64, T_F32 or T_F64 */
} Signature;

/* The value of an integer within at least 30 bits and a sign, as nearly all are. 0 for any other object. */
static inline int small_integer(PyObject *o, Py_ssize_t *value) {
    if (unlikely(!PyLong_CheckExact(o))) return 0;
#if PY_VERSION_HEX >= 0x030C0000
    if (unlikely(!PyUnstable_Long_IsCompact((PyLongObject *)o))) return 0;
    *value = PyUnstable_Long_CompactValue((PyLongObject *)o);
#else
    Py_ssize_t size = Py_SIZE(o);
    if (unlikely((size_t)(size + 1) > 2)) return 0;
    *value = size * (Py_ssize_t)((PyLongObject *)o)->ob_digit[0];
#endif
    return 1;
}

static int any_to_cell(int type, int is_signed, PyObject *o, word *cell);

/* A Python number as a cell. 0: it is none of the plain ones, and nothing was done. */
static inline int to_cell(int type, int is_signed, PyObject *o, word *cell) {
    Py_ssize_t v;
    if (likely(type == T_I32 || type == T_I64) && likely(small_integer(o, &v)) && likely(v >= 0 || is_signed)) {
        *cell = type == T_I32 ? (uint32_t)v : (uint64_t)v;
        return 1;
    }
    return any_to_cell(type, is_signed, o, cell);
}

static __attribute__((noinline)) int any_to_cell(int type, int is_signed, PyObject *o, word *cell) {
    if (is_signed && (type == T_F32 || type == T_F64)) {
        if (!PyFloat_CheckExact(o)) return 0;
        double x = PyFloat_AS_DOUBLE(o);
        if (type == T_F64) *cell = x != x ? UINT64_C(0x7FF8000000000000) : tm_bits_f64(x);
        else *cell = x != x ? 0x7FC00000 : tm_bits_f32((float)x);
        return 1;
    }
    if (!PyLong_CheckExact(o)) return 0;
    int overflow;
    long long v = PyLong_AsLongLongAndOverflow(o, &overflow);
    if (type == T_I32 || type == T_F32) {
        if (overflow || v > 0xFFFFFFFFLL || v < (is_signed ? -0x80000000LL : 0)) return 0;
        *cell = (uint32_t)v;
        return 1;
    }
    if (overflow > 0) {
        unsigned long long u = PyLong_AsUnsignedLongLong(o);
        if (u == (unsigned long long)-1 && PyErr_Occurred()) { PyErr_Clear(); return 0; }
        *cell = u;
        return 1;
    }
    if (overflow || (v < 0 && !is_signed)) return 0;
    *cell = (uint64_t)v;
    return 1;
}

static inline PyObject *from_cell(int type, int is_signed, word cell) {
    if (!is_signed) return type == T_I32 || type == T_F32 ? PyLong_FromUnsignedLong((uint32_t)cell) : PyLong_FromUnsignedLongLong(cell);
    switch (type) {
    case T_I32: return PyLong_FromLong((int32_t)cell);
    case T_I64: return PyLong_FromLongLong((int64_t)cell);
    case T_F32: return PyFloat_FromDouble((double)tm_float((uint32_t)cell));
    default: return PyFloat_FromDouble(tm_double(cell));
    }
}

/* Reads (params: bytes, results: bytes, is_signed). 0, or -1 with an exception. */
static int read_signature(Signature *s, PyObject *params, PyObject *results, int is_signed) {
    if (!PyBytes_Check(params) || !PyBytes_Check(results) || PyBytes_GET_SIZE(params) > MAX_PLAIN || PyBytes_GET_SIZE(results) > MAX_PLAIN) {
        PyErr_SetString(PyExc_ValueError, "no signature of plain numbers");
        return -1;
    }
    s->n_params = (unsigned char)PyBytes_GET_SIZE(params);
    s->n_results = (unsigned char)PyBytes_GET_SIZE(results);
    s->is_signed = (unsigned char)is_signed;
    memcpy(s->params, PyBytes_AS_STRING(params), s->n_params);
    memcpy(s->results, PyBytes_AS_STRING(results), s->n_results);
    return 0;
}

/* ---- Driver: one for a store ---- */

typedef struct {
    uint64_t addr;
    PyObject *func, *code; /* the HostFunc; what to call, or NULL if only the long way knows how */
    Signature signature;
} Host;

typedef struct {
    PyObject_HEAD
    tm_thread *thread;      /* owned by `owner` */
    Accounts *store;
    PyObject *owner;        /* what knows the long way: adopt, answered, failed, serve, sync */
    PyObject *active;       /* the list of activations, of both drivers */
    PyObject *clock;        /* time.monotonic */
    long long slice, first_pace, pace_factor;
    uint64_t short_ns, long_ns;
    Py_ssize_t nested;      /* limit of activations */
    Host *hosts;            /* by address, rising */
    size_t n_hosts;
} Driver;

static int driver_traverse(PyObject *self, visitproc visit, void *arg) {
    Driver *d = (Driver *)self;
    Py_VISIT(d->store);
    Py_VISIT(d->owner);
    Py_VISIT(d->active);
    Py_VISIT(d->clock);
    for (size_t k = 0; k < d->n_hosts; k++) { Py_VISIT(d->hosts[k].func); Py_VISIT(d->hosts[k].code); }
    return 0;
}

static int driver_clear(PyObject *self) {
    Driver *d = (Driver *)self;
    Host *hosts = d->hosts;
    size_t n = d->n_hosts;
    d->hosts = NULL;
    d->n_hosts = 0;
    d->thread = NULL;
    Py_CLEAR(d->store);
    Py_CLEAR(d->owner);
    Py_CLEAR(d->active);
    Py_CLEAR(d->clock);
    for (size_t k = 0; k < n; k++) { Py_XDECREF(hosts[k].func); Py_XDECREF(hosts[k].code); }
    PyMem_Free(hosts);
    return 0;
}

static void driver_dealloc(PyObject *self) {
    PyObject_GC_UnTrack(self);
    driver_clear(self);
    Py_TYPE(self)->tp_free(self);
}

static PyObject *driver_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"thread", "store", "owner", "active", "clock", "slice", "nested", "pace", NULL};
    unsigned long long thread;
    PyObject *store, *owner, *active, *clock;
    long long slice, first, factor;
    double short_s, long_s;
    Py_ssize_t nested;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "KO!OO!OLn(LLdd)", names, &thread, &AccountsType, &store, &owner, &PyList_Type,
                                     &active, &clock, &slice, &nested, &first, &factor, &short_s, &long_s))
        return NULL;
    Driver *d = (Driver *)type->tp_alloc(type, 0);
    if (!d) return NULL;
    d->thread = (tm_thread *)(uintptr_t)thread;
    d->store = (Accounts *)Py_NewRef(store);
    d->owner = Py_NewRef(owner);
    d->active = Py_NewRef(active);
    d->clock = Py_NewRef(clock);
    d->slice = slice;
    d->nested = nested;
    d->first_pace = first;
    d->pace_factor = factor;
    d->short_ns = (uint64_t)(short_s * 1e9);
    d->long_ns = (uint64_t)(long_s * 1e9);
    return (PyObject *)d;
}

/* add_host(func, addr, code, params, results, is_signed): code None for one that needs the long way. */
static PyObject *driver_add_host(PyObject *self, PyObject *args) {
    Driver *d = (Driver *)self;
    PyObject *func, *code, *params, *results;
    unsigned long long addr;
    int is_signed;
    if (!PyArg_ParseTuple(args, "OKOOOp", &func, &addr, &code, &params, &results, &is_signed)) return NULL;
    Host host = {.addr = addr};
    if (code != Py_None && read_signature(&host.signature, params, results, is_signed)) return NULL;
    if (d->n_hosts && d->hosts[d->n_hosts - 1].addr >= addr) {
        PyErr_SetString(PyExc_ValueError, "host functions come in the order of their addresses");
        return NULL;
    }
    if ((d->n_hosts & (d->n_hosts - 1)) == 0) { /* room for the next power of two */
        Host *hosts = PyMem_Realloc(d->hosts, (d->n_hosts ? 2 * d->n_hosts : 1) * sizeof *hosts);
        if (!hosts) return PyErr_NoMemory();
        d->hosts = hosts;
    }
    host.func = Py_NewRef(func);
    host.code = code == Py_None ? NULL : Py_NewRef(code);
    d->hosts[d->n_hosts++] = host;
    Py_RETURN_NONE;
}

static Host *find_host(Driver *d, uint64_t addr) {
    size_t low = 0, high = d->n_hosts;
    if (high && addr - d->hosts[0].addr < high && d->hosts[addr - d->hosts[0].addr].addr == addr) return &d->hosts[addr - d->hosts[0].addr];
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (d->hosts[middle].addr < addr) low = middle + 1; else high = middle;
    }
    return low < d->n_hosts && d->hosts[low].addr == addr ? &d->hosts[low] : NULL;
}

static PyMethodDef driver_methods[] = {{"add_host", driver_add_host, METH_VARARGS, NULL}, {NULL}};
static PyTypeObject DriverType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "interp.boundary.Driver",
    .tp_doc = "Turns the common exits of the loop into calls of Python, for one store.",
    .tp_basicsize = sizeof(Driver),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = driver_new,
    .tp_dealloc = driver_dealloc,
    .tp_traverse = driver_traverse,
    .tp_clear = driver_clear,
    .tp_methods = driver_methods,
};

/* ---- Entry: a function of an instance that can be called ---- */

typedef struct {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    Driver *driver; /* NULL: only the long way */
    PyObject *func; /* the FuncInst */
    uint64_t addr;
    Signature signature;
} Entry;

static PyObject *str_long_way, *str_adopt, *str_serve, *str_sync;

/* What a step of an activation came to. */
typedef enum { GO_ON, DONE } Step;

/* Whether the deadline passed; -1 with an exception. */
static int is_late(Driver *d) {
    if (likely(d->store->deadline < 0)) return 0;
    PyObject *now = PyObject_CallNoArgs(d->clock);
    if (!now) return -1;
    double t = PyFloat_AsDouble(now);
    Py_DECREF(now);
    return t >= d->store->deadline;
}

/* Leaves the rest of the activation to Python, which gives the raw results. Steals nothing. */
static PyObject *hand_over(Entry *e, Py_ssize_t level, int code) {
    PyObject *numbers[2] = {PyLong_FromSsize_t(level), PyLong_FromLong(code)};
    PyObject *args[] = {e->driver->owner, (PyObject *)e->func, numbers[0], numbers[1]};
    PyObject *result = numbers[0] && numbers[1] ? PyObject_VectorcallMethod(str_adopt, args, 4, NULL) : NULL;
    Py_XDECREF(numbers[0]);
    Py_XDECREF(numbers[1]);
    return result;
}

/* The same after a host function raised the current exception, or a signal did between two slices (args NULL). */
static PyObject *hand_over_error(Entry *e, Py_ssize_t level, word *at) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback) PyException_SetTraceback(value, traceback);
    PyObject *result = PyObject_CallMethod(e->driver->owner, "failed", "OnKO", e->func, level, (unsigned long long)(uintptr_t)at, value);
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    return result;
}

/* A host function gave something that is not one plain number, or another one than its type wants. */
static PyObject *hand_over_answer(Entry *e, Py_ssize_t level, word *at, PyObject *func, PyObject *answer) {
    return PyObject_CallMethod(e->driver->owner, "answered", "OnKOO", e->func, level, (unsigned long long)(uintptr_t)at, func, answer);
}

static int sync_hosts(Driver *d) {
    PyObject *result = PyObject_CallMethodNoArgs(d->owner, str_sync);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* Puts the activation on the list that both drivers keep; only once Python may look. 0, or -1 with an exception. */
static int list(Entry *e, Py_ssize_t level) {
    return PyList_GET_SIZE(e->driver->active) == level ? PyList_Append(e->driver->active, (PyObject *)e) : 0;
}

static Step host_call(Entry *e, Py_ssize_t level, PyObject **result) {
    Driver *d = e->driver;
    if (unlikely(list(e, level))) { *result = NULL; return DONE; }
    Host *h = find_host(d, d->thread->addr);
    int late = is_late(d);
    word *at = d->thread->args;
    if (unlikely(late < 0)) { *result = hand_over_error(e, level, at); return DONE; }
    if (unlikely(late || !h || !h->code)) { *result = hand_over(e, level, TM_EXIT_HOST_CALL); return DONE; }
    PyObject *values[1 + MAX_PLAIN];
    Py_ssize_t n = h->signature.n_params;
    for (Py_ssize_t k = 0; k < n; k++) {
        values[1 + k] = from_cell(h->signature.params[k], h->signature.is_signed, at[k]);
        if (unlikely(!values[1 + k])) {
            while (k--) Py_DECREF(values[1 + k]);
            *result = hand_over_error(e, level, at);
            return DONE;
        }
    }
    /* The host function may make others, and so move the table. */
    PyObject *code = Py_NewRef(h->code), *func = Py_NewRef(h->func);
    int n_results = h->signature.n_results, type = h->signature.results[0], is_signed = h->signature.is_signed;
    PyObject *answer = PyObject_Vectorcall(code, values + 1, (size_t)n | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    for (Py_ssize_t k = 0; k < n; k++) Py_DECREF(values[1 + k]);
    Py_DECREF(code);
    Step step = GO_ON;
    if (unlikely(answer && d->store->stale && sync_hosts(d))) Py_CLEAR(answer);
    if (unlikely(!answer)) {
        *result = hand_over_error(e, level, at);
        step = DONE;
    } else if (!(n_results == 0 ? answer == Py_None : n_results == 1 && to_cell(type, is_signed, answer, at))) {
        *result = hand_over_answer(e, level, at, func, answer);
        step = DONE;
    }
    Py_XDECREF(answer);
    Py_DECREF(func);
    return step;
}

/* Something that one meaning in Python does for all engines. */
static Step serve(Entry *e, Py_ssize_t level, PyObject **result) {
    Driver *d = e->driver;
    PyObject *number = PyLong_FromSsize_t(level); /* Python puts its own thread on the list */
    PyObject *args[] = {d->owner, e->func, number};
    *result = number ? PyObject_VectorcallMethod(str_serve, args, 3, NULL) : NULL;
    Py_XDECREF(number);
    if (*result != Py_None) return DONE; /* the raw results, or NULL */
    Py_CLEAR(*result);
    return PyList_SetItem(d->active, level, Py_NewRef(e)) ? DONE : GO_ON; /* Python's own thread stood there meanwhile */
}

/* Runs until the loop leaves: for no more ticks than the pace allows, but for those that it needs to get on. */
static inline int run_slice(const Driver *d, Accounts *s, tm_thread *t, long long need, long long pace) {
    long long granted = need > d->slice ? need : d->slice;
    if (s->fuel >= 0 && s->fuel < granted) granted = s->fuel;
    long long most = need > pace ? need : pace;
    if (most < granted) granted = most;
    t->left = granted;
    int code = tm_thread_run(t);
    long long used = granted - t->left;
    s->ticks += used;
    if (s->fuel >= 0) s->fuel -= used;
    return code;
}

/* Runs the activation at `level`, which left the loop with a code, to its end: *returned, and the results are in `cells`; or
   what Python gave, a list of raw results or NULL. */
static PyObject *drive(Entry *e, Py_ssize_t level, int code, int *returned, word *cells) {
    Driver *d = e->driver;
    Accounts *s = d->store;
    tm_thread *t = d->thread;
    PyObject *result = NULL;
    long long pace = d->first_pace, need = 1;
    uint64_t began = 0, yielded = 0; /* the first slice is not timed: most calls end in it */
    for (;; code = run_slice(d, s, t, need, pace), need = 1) {
        switch (code) {
        case TM_EXIT_RETURNED:
            for (int k = 0; k < e->signature.n_results; k++) cells[k] = t->sp[k];
            *returned = 1;
            return NULL;
        case TM_EXIT_HOST_CALL:
            if (host_call(e, level, &result) == DONE) return result;
            if (began) began = now_ns();
            break;
        case TM_EXIT_SERVICE:
            if (serve(e, level, &result) == DONE) return result;
            if (began) began = now_ns();
            break;
        case TM_EXIT_SLICE: {
            need = (long long)t->need;
            if (list(e, level)) return NULL; /* a signal's handler may call into the store */
            int late = is_late(d);
            if (late < 0) return hand_over_error(e, level, NULL);
            if (late || (s->fuel >= 0 && s->fuel < need)) return hand_over(e, level, code);
            uint64_t now = now_ns();
            if (began && now - began < d->short_ns) pace *= d->pace_factor;
            else if (began && now - began > d->long_ns) pace = pace / d->pace_factor > 1 ? pace / d->pace_factor : 1;
            if (pace > d->slice) pace = d->slice;
            if (now - yielded > YIELD_NS) {
                if (yielded) { Py_BEGIN_ALLOW_THREADS Py_END_ALLOW_THREADS }
                yielded = now_ns();
            }
            if (PyErr_CheckSignals()) return hand_over_error(e, level, NULL);
            began = now_ns();
            break;
        }
        default:
            return hand_over(e, level, code);
        }
    }
}

static PyObject *long_way(PyObject *self, PyObject *const *args, Py_ssize_t n) {
    PyObject *method = PyObject_GetAttr(self, str_long_way);
    if (!method) return NULL;
    PyObject *result = PyObject_Vectorcall(method, args, (size_t)n, NULL);
    Py_DECREF(method);
    return result;
}

static PyObject *give_several(const Signature *g, const word *cells);

/* Results as the caller wants them: raw bits in a list, or Python's numbers: None, one, or a tuple. */
static inline PyObject *give(const Signature *g, const word *cells) {
    if (likely(g->is_signed && g->n_results == 1)) return from_cell(g->results[0], 1, cells[0]);
    return give_several(g, cells);
}

static __attribute__((noinline)) PyObject *give_several(const Signature *g, const word *cells) {
    if (g->is_signed && g->n_results == 0) Py_RETURN_NONE;
    PyObject *made = g->is_signed ? PyTuple_New(g->n_results) : PyList_New(g->n_results);
    if (!made) return NULL;
    for (Py_ssize_t k = 0; k < g->n_results; k++) {
        PyObject *value = from_cell(g->results[k], g->is_signed, cells[k]);
        if (!value) { Py_DECREF(made); return NULL; }
        if (g->is_signed) PyTuple_SET_ITEM(made, k, value); else PyList_SET_ITEM(made, k, value);
    }
    return made;
}

/* The raw results that Python gave, as the caller wants them. Steals the list. */
static PyObject *convert(const Signature *g, PyObject *list) {
    if (!g->is_signed || !list) return list;
    word cells[MAX_PLAIN];
    int fits = PyList_CheckExact(list) && PyList_GET_SIZE(list) == g->n_results;
    for (Py_ssize_t k = 0; fits && k < g->n_results; k++) fits = to_cell(g->results[k], 0, PyList_GET_ITEM(list, k), &cells[k]);
    Py_DECREF(list);
    if (fits) return give(g, cells);
    PyErr_SetString(PyExc_SystemError, "an activation gave something else than its results");
    return NULL;
}

/* The rest of an activation whose first slice did not end it. Python may look at it now, and other threads too. */
static __attribute__((noinline)) PyObject *go_on(Entry *e, Py_ssize_t level, int code) {
    Driver *d = e->driver;
    Accounts *s = d->store;
    tm_thread *t = d->thread;
    Py_INCREF(e); /* the activation's */
    Py_INCREF(d);
    Py_ssize_t depth = s->depth, held = s->cells, activations = s->activations;
    s->thread = PyThread_get_thread_ident();
    s->activations = activations + 1;
    word results[MAX_PLAIN];
    int returned = 0;
    PyObject *result = drive(e, level, code, &returned, results);
    s->depth = depth;
    s->cells = held;
    s->activations = activations;
    if (PyList_GET_SIZE(d->active) > level && PyList_SetSlice(d->active, level, PyList_GET_SIZE(d->active), NULL)) { returned = 0; Py_CLEAR(result); }
    tm_thread_leave_to(t, (uint64_t)level);
    /* Making a list may collect garbage, and so run anything: the activation is over by now. */
    result = returned ? give(&e->signature, results) : convert(&e->signature, result);
    Py_DECREF(d);
    Py_DECREF(e);
    return result;
}

static PyObject *entry_call(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames) {
    Entry *e = (Entry *)self;
    Driver *d = e->driver;
    const Signature *g = &e->signature;
    Py_ssize_t n = PyVectorcall_NARGS(nargsf);
    if (unlikely(kwnames && PyTuple_GET_SIZE(kwnames))) {
        PyErr_SetString(PyExc_TypeError, "a WebAssembly function takes no keyword arguments");
        return NULL;
    }
    if (unlikely(!d || !d->thread || n != g->n_params || d->store->stale)) return long_way(self, args, n);
    Accounts *s = d->store;
    tm_thread *t = d->thread;
    if (unlikely(s->activations >= d->nested || (s->activations && s->thread != PyThread_get_thread_ident()))) return long_way(self, args, n);
    Py_ssize_t level = PyList_GET_SIZE(d->active);
    if (unlikely(t->active > (uint64_t)level)) tm_thread_leave_to(t, (uint64_t)level); /* whatever was interrupted while it was being left */
    word *top = tm_top(t);
    for (Py_ssize_t k = 0; k < n; k++)
        if (unlikely(!to_cell(g->params[k], g->is_signed, args[k], &top[k]))) return long_way(self, args, n);
    if (unlikely(t->active >= MAX_ACTIVATIONS)) return long_way(self, args, n);
    tm_begin(t, t->funcs[e->addr], top);
    int code = run_slice(d, s, t, 1, d->first_pace);
    if (unlikely(code != TM_EXIT_RETURNED)) return go_on(e, level, code);
    /* Nobody saw it: the interpreter's lock was kept, and no Python ran. */
    const word *results = t->sp;
    word cells[MAX_PLAIN];
    for (int k = 0; k < g->n_results; k++) cells[k] = results[k];
    tm_end(t, t->fp);
    return give(g, cells);
}

/* Without a driver all calls take the long way. */
static PyObject *entry_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    Entry *e = (Entry *)type->tp_alloc(type, 0);
    if (e) e->vectorcall = entry_call;
    return (PyObject *)e;
}

/* bind(driver, func, addr, params, results, is_signed) */
static PyObject *entry_bind(PyObject *self, PyObject *args) {
    Entry *e = (Entry *)self;
    PyObject *driver, *func, *params, *results;
    unsigned long long addr;
    int is_signed;
    if (!PyArg_ParseTuple(args, "O!OKOOp", &DriverType, &driver, &func, &addr, &params, &results, &is_signed)) return NULL;
    if (read_signature(&e->signature, params, results, is_signed)) return NULL;
    e->addr = addr;
    Py_XSETREF(e->func, Py_NewRef(func));
    Py_XSETREF(e->driver, (Driver *)Py_NewRef(driver));
    Py_RETURN_NONE;
}

static int entry_traverse(PyObject *self, visitproc visit, void *arg) {
    Py_VISIT(((Entry *)self)->driver);
    Py_VISIT(((Entry *)self)->func);
    return 0;
}
static int entry_clear(PyObject *self) {
    Py_CLEAR(((Entry *)self)->driver);
    Py_CLEAR(((Entry *)self)->func);
    return 0;
}
static void entry_dealloc(PyObject *self) {
    PyObject_GC_UnTrack(self);
    entry_clear(self);
    Py_TYPE(self)->tp_free(self);
}
static PyMethodDef entry_methods[] = {{"bind", entry_bind, METH_VARARGS, NULL}, {NULL}};
static PyTypeObject EntryType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "interp.boundary.Entry",
    .tp_doc = "A function to call: straight into the loop with plain numbers, else by `long_way(*args)` of the subclass.",
    .tp_basicsize = sizeof(Entry),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_vectorcall_offset = offsetof(Entry, vectorcall),
    .tp_call = PyVectorcall_Call,
    .tp_new = entry_new,
    .tp_dealloc = entry_dealloc,
    .tp_traverse = entry_traverse,
    .tp_clear = entry_clear,
    .tp_methods = entry_methods,
};

#include "boundary_region.inc"

/* ---- the module ---- */

/* direct(cls): calls of a subclass of Entry go to it directly. (Before 3.12 classes made in Python do not inherit that.) */
static PyObject *direct(PyObject *module, PyObject *cls) {
    if (!PyType_Check(cls) || !PyType_IsSubtype((PyTypeObject *)cls, &EntryType) || ((PyTypeObject *)cls)->tp_call != PyVectorcall_Call) {
        PyErr_SetString(PyExc_TypeError, "not a subclass of Entry, or one with a __call__ of its own");
        return NULL;
    }
    ((PyTypeObject *)cls)->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL;
    return Py_NewRef(cls);
}

static PyMethodDef functions[] = {{"direct", direct, METH_O, NULL}, {NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "interp.boundary", NULL, -1, functions};

static PyObject *make_module(void) {
    static const struct { PyObject **at; const char *text; } strings[] = {
        {&str_long_way, "long_way"}, {&str_adopt, "adopt"}, {&str_serve, "serve"}, {&str_sync, "sync"},
        {&str_out_of_bounds, "out_of_bounds"}, {&str_view, "view"},
    };
    static PyTypeObject *types[] = {&AccountsType, &DriverType, &EntryType, &RegionType, &SlicesType};
    for (size_t k = 0; k < sizeof strings / sizeof *strings; k++)
        if (!(*strings[k].at = PyUnicode_InternFromString(strings[k].text))) return NULL;
    PyObject *module = PyModule_Create(&definition);
    if (module && PyModule_AddIntMacro(module, MAX_PLAIN)) Py_CLEAR(module);
    for (size_t k = 0; module && k < sizeof types / sizeof *types; k++)
        if (PyModule_AddType(module, types[k])) Py_CLEAR(module);
    return module;
}

/* Puts the module "interp.boundary" beside the imported ones. 1 if it is there, 0 if it cannot be. */
int tm_boundary(void);
int tm_boundary(void) {
    PyGILState_STATE state = PyGILState_Ensure();
    PyObject *module = make_module();
    int made = module && PyDict_SetItemString(PyImport_GetModuleDict(), "interp.boundary", module) == 0;
    PyErr_Clear();
    Py_XDECREF(module);
    PyGILState_Release(state);
    return made;
}
#endif
