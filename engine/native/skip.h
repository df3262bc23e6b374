/* The everyday stretch of a column run (Skipper._play of runtime/skipping.py): from one bar at which a trigger fires, or
   an order waits for whatever comes, to the next. What else may happen (a timer, a limit order, a strategy that awaits)
   is left to Python, which goes on where this stopped. */

#pragma once

#include "times.h"
#include "way_out.h"

enum { SKIPPER, PUBLISHED, TIMES, COLUMNS, ROWS, CALLS, DUE, TURN, AFTER_CALL, SEATS, TAPS, NAME, INTERVAL, NUMBERS };

/* Buffers of eight bytes an item: how many rows were published, the rows' ends, their five columns. */
typedef struct {
    Py_buffer all[7];
    int held;
    int64_t *published;
    const int64_t *times;
    const double *columns[5];
} Views;

static void
let_go(Views *views)
{
    while (views->held > 0)
        PyBuffer_Release(&views->all[--views->held]);
}

/* -1 with an error set where one is shorter than the batch, or lies askew. */
static int
look(PyObject *const *args, Py_ssize_t count, Views *views)
{
    for (views->held = 0; views->held < 7;) {
        int k = views->held;
        PyObject *from = k < 2 ? args[PUBLISHED + k] : PyTuple_GetItem(args[COLUMNS], k - 2);
        Py_buffer *to = &views->all[k];
        if (from == NULL || PyObject_GetBuffer(from, to, k ? PyBUF_CONTIG_RO : PyBUF_CONTIG) < 0)
            return -1;
        views->held++;
        if (to->itemsize != 8 || to->len < (k ? count : 1) * 8 || (uintptr_t)to->buf % 8) {
            PyErr_SetString(PyExc_ValueError, "a column is shorter than its batch, or lies askew");
            return -1;
        }
        if (k > 1)
            views->columns[k - 2] = to->buf;
    }
    views->published = views->all[0].buf;
    views->times = views->all[1].buf;
    return 0;
}

/* Rows that are played lie far apart in memory: what will be read soon is asked for now. */
#ifdef __GNUC__
#define SOON(address) __builtin_prefetch(address)
#else
#define SOON(address) ((void)(address))
#endif

static inline void
soon(Way *way, const Views *views, Py_ssize_t row)
{
    SOON(views->times + row);
    for (int k = 0; k < 5; k++)
        SOON(views->columns[k] + row);
}

static inline void
price_soon(Way *way, double price)
{
    const char *known = (const char *)price_at(way->prices, price);
    SOON(known);
    SOON(known + sizeof(Price) - 1);
}

/* The bar of a row, made as _Line.bar makes it; out of the last one, where nobody kept that. */
static PyObject *
bar_at(Way *way, PyObject *const *args, const Views *views, Py_ssize_t row)
{
    const Py_ssize_t places[] = {way->Bar_open, way->Bar_high, way->Bar_low, way->Bar_close, way->Bar_volume};
    PyTypeObject *type = (PyTypeObject *)way->Bar;
    PyObject *bar = way->spare_bar;
    way->spare_bar = NULL;
    if (bar == NULL && (bar = type->tp_alloc(type, 0)) == NULL)
        return NULL;
    /* It ends now. */
    PUT(bar, Bar, ts_ns, Py_NewRef(GET(way->clock, ReplayClock, now_ns)));
    PUT(bar, Bar, instrument, Py_NewRef(args[NAME]));
    PUT(bar, Bar, interval_ns, Py_NewRef(args[INTERVAL]));
    for (int k = 0; k < 5; k++) {
        PyObject *number = PyFloat_FromDouble(views->columns[k][row]);
        if (number == NULL) {
            Py_DECREF(bar);
            return NULL;
        }
        put_at(bar, places[k], number);
    }
    return bar;
}

/* Nobody here needs a bar any more. */
static void
done_with_bar(Way *way, PyObject *bar)
{
    if (Py_REFCNT(bar) == 1 && IS(bar, Bar) && way->spare_bar == NULL)
        way->spare_bar = bar;
    else
        Py_DECREF(bar);
}

/* Whether a strategy awaits something, or somebody listens after them: -1 on error. */
static int
anybody_else(PyObject *const *args, Py_ssize_t waiting_for)
{
    if (PyDict_GET_SIZE(args[TAPS]))
        return 1;
    for (Py_ssize_t k = 0; k < PyList_GET_SIZE(args[SEATS]); k++) {
        PyObject *asked = AT(PyList_GET_ITEM(args[SEATS], k), waiting_for);
        if (asked != NULL && asked != Py_None)
            return 1;
    }
    return 0;
}

/* 1 where an order waits that takes the next bar, with ``orders`` those of its instrument, borrowed; 0 where none is;
   -1 where Python must look (no error is set). */
static int
waits(Way *way, PyObject *name, PyObject **orders)
{
    Py_ssize_t names = PyDict_GET_SIZE(way->resting);
    if (names == 0)
        return 0;
    *orders = names == 1 ? FIND(way->resting, name) : NULL;
    PyErr_Clear();
    if (*orders == NULL || PyList_GET_SIZE(*orders) == 0 || !IS(PyList_GET_ITEM(*orders, 0), Resting))
        return -1;
    return GET(PyList_GET_ITEM(*orders, 0), Resting, limit) == Py_None ? 1 : -1;
}

/* Show a row to what waits; the whole bar is made only where more than its open is asked for. */
static int
show_row(Way *way, PyObject *const *args, const Views *views, Py_ssize_t row, PyObject *orders)
{
    int met = 0;
    if (way->opens) {
        int64_t ts_ns = views->times[row], interval_ns = natural(args[INTERVAL]);
        Filled it = {args[NAME], NULL, views->columns[0][row], ts_ns - interval_ns, ts_ns};
        it.waiting = orders;
        met = interval_ns < 0 || ts_ns < 0 ? 0 : fills(way, &it);
    }
    if (met)
        return met;
    PyObject *bar = bar_at(way, args, views, row);
    if (bar == NULL)
        return -1;
    met = for_nothing(Way_show(way, bar));
    done_with_bar(way, bar);
    return met;
}

/* What a handler raised, as Python would have caught it; new. */
static PyObject *
caught(void)
{
    PyObject *type, *error, *trace;
    PyErr_Fetch(&type, &error, &trace);
    PyErr_NormalizeException(&type, &error, &trace);
    if (trace != NULL)
        PyException_SetTraceback(error, trace);
    Py_XDECREF(type);
    Py_XDECREF(trace);
    return error;
}

/* One call of a trigger's function, as StrategyRunner.ear makes it. */
static int
hear(Way *way, PyObject *after_call, PyObject *call, PyObject *bar)
{
    PyObject *seat = PyTuple_GET_ITEM(call, 0), *handler = PyTuple_GET_ITEM(call, 2), *answer, *error = NULL;
    if (!IS(seat, Seat) || GET(seat, Seat, busy) != Py_False)
        return for_nothing(PyObject_CallOneArg(PyTuple_GET_ITEM(call, 1), bar));
    Py_INCREF(call);
    PUT(seat, Seat, busy, Py_NewRef(Py_True));
    if ((answer = PyObject_CallOneArg(handler, bar)) == NULL)
        error = caught();
    int queued = 0, done = 0;
    if (answer == Py_None) {
        PUT(seat, Seat, busy, Py_NewRef(GET(seat, Seat, gone)));
        queued = PyObject_IsTrue(GET(seat, Seat, queue));
    }
    if (queued < 0)
        done = -1;
    else if (answer != Py_None || queued) {
        PyObject *told[] = {seat, handler, answer ? answer : Py_None, error ? error : Py_None};
        done = for_nothing(PyObject_Vectorcall(after_call, told, 4, NULL));
    }
    Py_XDECREF(answer);
    Py_XDECREF(error);
    Py_DECREF(call);
    return done;
}

/* Stand before a row, and do what is due by then (Skipper._arrive): -1 on error. */
static int
arrive(Way *way, PyObject *const *args, const Views *views, Py_ssize_t row)
{
    views->published[0] = row;
    if (row > 0) {
        PyObject *before = PyLong_FromLongLong(views->times[row - 1]);
        if (before == NULL)
            return -1;
        PUT(way->clock, ReplayClock, now_ns, before);
    }
    PyObject *ts_ns = PyLong_FromLongLong(views->times[row]);
    int done = ts_ns == NULL ? -1 : for_nothing(PyObject_CallOneArg(args[TURN], ts_ns));
    Py_XDECREF(ts_ns);
    return done;
}

/* Everything at one row; the number of calls made, or -1. */
static Py_ssize_t
play_row(
    Way *way, PyObject *const *args, const Views *views, Py_ssize_t row, PyObject *orders, int turned,
    Py_ssize_t called, Py_ssize_t count)
{
    PyObject *rows = args[ROWS], *calls = args[CALLS], *bar = NULL;
    PyObject *now_ns = PyLong_FromLongLong(views->times[row]);
    if (now_ns == NULL)
        return -1;
    views->published[0] = row;
    PUT(way->clock, ReplayClock, now_ns, now_ns);
    if (turned)
        orders = FIND(way->resting, args[NAME]);
    if (orders != NULL && show_row(way, args, views, row, orders) < 0)
        return -1;
    if (orders != NULL || turned) {
        if (anybody_else(args, way->Seat_waiting_for)) {
            PyObject *after = PyObject_CallMethod(args[SKIPPER], "_publish", "nnnO", row, row + 1, called, Py_None);
            called = after == NULL ? -1 : PyLong_AsSsize_t(after);
            Py_XDECREF(after);
            return called;
        }
    }
    views->published[0] = row + 1;
    if (called >= PyList_GET_SIZE(rows) || PyLong_AsSsize_t(PyList_GET_ITEM(rows, called)) > row)
        return called;
    if ((bar = bar_at(way, args, views, row)) == NULL)
        return -1;
    if (called + 1 < PyList_GET_SIZE(rows))
        soon(way, views, PyLong_AsSsize_t(PyList_GET_ITEM(rows, called + 1)));
    price_soon(way, views->columns[3][row]);
    if (row + 1 < count)
        price_soon(way, views->columns[0][row + 1]);
    way->fresh = bar;
    while (called < PyList_GET_SIZE(rows) && PyLong_AsSsize_t(PyList_GET_ITEM(rows, called)) <= row) {
        if (hear(way, args[AFTER_CALL], PyList_GET_ITEM(calls, called), bar) < 0) {
            called = -1;
            break;
        }
        called++;
    }
    way->fresh = NULL;
    done_with_bar(way, bar);
    return called;
}

PyDoc_STRVAR(skip_doc,
    "skip(skipper, published, times, columns, rows, calls, due, turn, after_call, seats, taps, name, interval_ns,\n"
    "     called, place, count)\n--\n\n"
    "Plays on from ``place``; gives ``(called, place, due_row)`` where Python goes on: ``due_row`` is the first row\n"
    "from there on that ends at or after ``due[0]``, at which ``turn`` does what is due.");

static PyObject *
Way_skip(Way *way, PyObject *const *args, Py_ssize_t given)
{
    if (given != NUMBERS + 3) {
        PyErr_SetString(PyExc_TypeError, "skip takes sixteen arguments");
        return NULL;
    }
    Py_ssize_t called = PyLong_AsSsize_t(args[NUMBERS]), place = PyLong_AsSsize_t(args[NUMBERS + 1]);
    Py_ssize_t count = PyLong_AsSsize_t(args[NUMBERS + 2]), due_row = -1;
    int64_t known_due = -1;
    PyObject *rows = args[ROWS];
    Views views = {.held = 0};
    if (PyErr_Occurred() || look(args, count, &views) < 0) {
        let_go(&views);
        return NULL;
    }
    for (;;) {
        int64_t due = whole(PyList_GetItem(args[DUE], 0));
        if (due != known_due || due_row < place) {
            known_due = due;
            due_row = first_from(views.times, place, count, due);
        }
        if (PyErr_Occurred() || anybody_else(args, way->Seat_waiting_for))
            break;
        Py_ssize_t fires = PyList_GET_SIZE(rows);
        Py_ssize_t stop = called < fires ? PyLong_AsSsize_t(PyList_GET_ITEM(rows, called)) : count;
        PyObject *orders = NULL;
        int waiting = waits(way, args[NAME], &orders);
        if (waiting < 0)
            break;
        if (waiting && stop > place)
            stop = place;
        int turns = due_row <= stop;
        if (turns)
            stop = due_row;
        if (stop >= count)
            break;
        if (turns && arrive(way, args, &views, stop) < 0)
            break;
        called = play_row(way, args, &views, stop, orders, turns, called, count);
        if (called < 0)
            break;
        place = stop + 1;
    }
    let_go(&views);
    return PyErr_Occurred() ? NULL : Py_BuildValue("nnn", called, place, due_row);
}
