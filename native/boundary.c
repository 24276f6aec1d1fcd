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

enum { YIELD_NS = 5000000 }; /* how long the interpreter's lock is kept from others, as sys.getswitchinterval */

static uint64_t now_ns(void) {
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

#include "boundary_accounts.inc"
#include "boundary_numbers.inc"
#include "boundary_driver.inc"

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

/* ---- Pin: keeps an object from the garbage collector's finalizers ----

   The collector finalizes all garbage before it clears any, in no order, and so would free what `ffi.gc` made while a
   `__del__` that comes later can still reach it. It does not see this reference, takes the object for one in use, and
   leaves it to whoever clears the last reference, after all finalizers. The object must not refer back. */

typedef struct {
    PyObject_HEAD
    PyObject *held;
} Pin;

static PyObject *pin_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    PyObject *held;
    if (!PyArg_ParseTuple(args, "O", &held)) return NULL;
    Pin *pin = (Pin *)type->tp_alloc(type, 0);
    if (pin) pin->held = Py_NewRef(held);
    return (PyObject *)pin;
}
static void pin_dealloc(PyObject *self) {
    Py_XDECREF(((Pin *)self)->held);
    Py_TYPE(self)->tp_free(self);
}
static PyTypeObject PinType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "interp.boundary.Pin",
    .tp_doc = "A reference that the garbage collector does not see.",
    .tp_basicsize = sizeof(Pin),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = pin_new,
    .tp_dealloc = pin_dealloc,
};

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
    static PyTypeObject *types[] = {&AccountsType, &DriverType, &EntryType, &RegionType, &SlicesType, &PinType};
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
