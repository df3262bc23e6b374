/* The bars of a batch out of its columns, one after the other (engine/runtime/replay.py): objects as ``Bar(...)`` makes
   them, without lists of all their numbers before. */

#define PY_SSIZE_T_CLEAN
#include "pattern.h"
#include "times.h"

#ifndef SLUICE_SOURCE
#define SLUICE_SOURCE ""
#endif

/* A bar's fields, in order: its instrument, its end, five prices and volumes, its length. */
enum { INSTRUMENT, TS_NS, OPEN, VOLUME = 6, INTERVAL_NS, FIELDS };
enum { COLUMNS = VOLUME - TS_NS + 1 };

typedef struct {
    PyObject_HEAD
    Pattern bar;
    PyObject *samples;          /* A bar of each source. */
    Py_buffer columns[COLUMNS], source;
    int sourced;                /* Whether ``source`` says which source a row is of; else all are of the first. */
    int held;
    PyObject *spare;            /* A bar of these that nobody has a hold on any more. */
    Py_ssize_t row, count;
    long long due_ns;
    Py_ssize_t due_row;
} Bars;

/* -1 with an error set where the samples are no bars. */
static int
samples_of(Bars *bars)
{
    PyObject *samples = bars->samples;
    int fit = PyTuple_Check(samples) && PyTuple_GET_SIZE(samples) > 0;
    for (Py_ssize_t k = 0; fit && k < PyTuple_GET_SIZE(samples); k++)
        fit = Py_TYPE(PyTuple_GET_ITEM(samples, k)) == Py_TYPE(PyTuple_GET_ITEM(samples, 0));
    if (!fit) {
        PyErr_SetString(PyExc_TypeError, "samples is a tuple of bars, one a source");
        return -1;
    }
    return pattern_like(&bars->bar, PyTuple_GET_ITEM(samples, 0));
}

/* -1 with an error set where a row is of no source there is. */
static int
source_of(Bars *bars, PyObject *source)
{
    if (PyObject_GetBuffer(source, &bars->source, PyBUF_FORMAT | PyBUF_CONTIG_RO) < 0)
        return -1;
    bars->sourced = 1;
    const char *format = bars->source.format ? bars->source.format : "";
    int fits = (*format == 'l' || *format == 'q') && bars->source.itemsize == 8
        && bars->source.len == bars->columns[0].len && (uintptr_t)bars->source.buf % 8 == 0;
    const int64_t *rows = bars->source.buf;
    for (Py_ssize_t row = 0; fits && row < bars->count; row++)
        fits = rows[row] >= 0 && rows[row] < PyTuple_GET_SIZE(bars->samples);
    if (!fits)
        PyErr_SetString(PyExc_ValueError, "the number of a source for each row is wanted");
    return fits ? 0 : -1;
}

static int
Bars_init(Bars *bars, PyObject *columns, PyObject *parts)
{
    if (bars->held) {
        PyErr_SetString(PyExc_TypeError, "it has its columns");
        return -1;
    }
    PyObject *source = PyDict_GetItemString(parts, "source");
    if (take(&bars->samples, parts, "samples") < 0 || samples_of(bars) < 0)
        return -1;
    if (bars->bar.count != FIELDS || PyTuple_GET_SIZE(columns) != COLUMNS) {
        PyErr_SetString(PyExc_TypeError, "a bar of eight fields and six columns are wanted");
        return -1;
    }
    for (; bars->held < COLUMNS; bars->held++) {
        Py_buffer *to = &bars->columns[bars->held];
        int how = PyBUF_FORMAT | PyBUF_CONTIG_RO;
        if (PyObject_GetBuffer(PyTuple_GET_ITEM(columns, bars->held), to, how) < 0)
            return -1;
        const char *format = to->format ? to->format : "";
        int fits = bars->held ? *format == 'd' : *format == 'l' || *format == 'q';
        if (!fits || to->itemsize != 8 || to->len != bars->columns[0].len || (uintptr_t)to->buf % 8) {
            bars->held++;
            PyErr_SetString(PyExc_ValueError, "integers, then five columns of doubles, all of one length, are wanted");
            return -1;
        }
    }
    bars->count = bars->columns[0].len / 8;
    bars->due_row = -1;
    return source == NULL || source == Py_None ? 0 : source_of(bars, source);
}

static void
let_go(Bars *bars)
{
    while (bars->held > 0)
        PyBuffer_Release(&bars->columns[--bars->held]);
    if (bars->sourced)
        PyBuffer_Release(&bars->source);
    bars->sourced = 0;
}

static void
Bars_dealloc(Bars *bars)
{
    let_go(bars);
    Py_XDECREF(bars->bar.sample);
    Py_XDECREF(bars->samples);
    Py_XDECREF(bars->spare);
    Py_TYPE(bars)->tp_free((PyObject *)bars);
}

static PyObject *
Bars_next(Bars *bars)
{
    Py_ssize_t row = bars->row;
    if (row >= bars->count) {
        let_go(bars);
        return NULL;
    }
    Py_ssize_t source = bars->sourced ? (Py_ssize_t)((const int64_t *)bars->source.buf)[row] : 0;
    PyObject *sample = PyTuple_GET_ITEM(bars->samples, source), *bar = bars->spare;
    const Py_ssize_t *places = bars->bar.places;
    bars->spare = NULL;
    if (bar == NULL && (bar = Py_TYPE(sample)->tp_alloc(Py_TYPE(sample), 0)) == NULL)
        return NULL;
    put_at(bar, places[INSTRUMENT], Py_NewRef(AT(sample, places[INSTRUMENT])));
    put_at(bar, places[INTERVAL_NS], Py_NewRef(AT(sample, places[INTERVAL_NS])));
    PyObject *made = PyLong_FromLongLong(((const int64_t *)bars->columns[0].buf)[row]);
    put_at(bar, places[TS_NS], made);
    for (int field = OPEN; field <= VOLUME && made != NULL; field++) {
        made = PyFloat_FromDouble(((const double *)bars->columns[field - TS_NS].buf)[row]);
        put_at(bar, places[field], made);
    }
    if (made == NULL)
        Py_CLEAR(bar);
    else
        bars->row++;
    return bar;
}

PyDoc_STRVAR(ahead_doc,
    "ahead(now_ns, due_ns)\n--\n\nHow many of those not taken yet end before ``due_ns``; ``now_ns``, the end of the last one\n"
    "taken, is known here. The columns are in order of time.");

static PyObject *
Bars_ahead(Bars *bars, PyObject *const *args, Py_ssize_t count)
{
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "ahead takes two instants");
        return NULL;
    }
    long long due_ns = PyLong_AsLongLong(args[1]);
    if (due_ns == -1 && PyErr_Occurred())
        return NULL;
    if (due_ns != bars->due_ns || bars->due_row < bars->row) {
        bars->due_ns = due_ns;
        bars->due_row = bars->row;
        if (bars->held)
            bars->due_row = first_from(bars->columns[0].buf, bars->row, bars->count, due_ns);
    }
    return PyLong_FromSsize_t(bars->due_row - bars->row);
}

PyDoc_STRVAR(hand_on_doc,
    "hand_on(count, handler, queue, due, clock, resting, steady, shown, latest, name, left)\n--\n\n"
    "The loop of ``bar_loop.in_a_row``, over the next ``count`` bars.");

enum { COUNT, HANDLER, QUEUE, DUE, CLOCK, RESTING, STEADY, SHOWN, LATEST, NAME, LEFT, HANDED };

/* One bar: 1 to go on, 0 to end with ``answer``, -1 on error. */
static int
hand_one(
    Bars *bars, PyObject *const *args, PyObject *bar, PyObject *known, Py_ssize_t now_ns, PyObject **answer)
{
    PyObject *due = args[DUE];
    Py_ssize_t resting = PyDict_GET_SIZE(args[RESTING]);
    if (PyList_GET_SIZE(due) == 0 || PyList_GET_ITEM(due, 0) != known || (resting && args[STEADY] != Py_True))
        return PyList_Append(args[LEFT], bar);
    put_at(args[CLOCK], now_ns, Py_NewRef(AT(bar, bars->bar.places[TS_NS])));
    if (resting) {
        PyObject *ended = PyObject_CallOneArg(args[SHOWN], bar);
        int over = ended == NULL ? -1 : PyObject_IsTrue(ended);
        Py_XDECREF(ended);
        if (over)
            return over < 0 ? -1 : 0;
    }
    if (PyDict_SetItem(args[LATEST], args[NAME], bar) < 0)
        return -1;
    PyObject *told = PyObject_CallOneArg(args[HANDLER], bar);
    if (told == NULL)
        return -1;
    if (told != Py_None) {
        Py_SETREF(*answer, told);
        return 0;
    }
    Py_DECREF(told);
    int waits = PyObject_IsTrue(args[QUEUE]);
    return waits < 0 ? -1 : !waits;
}

static PyObject *
Bars_hand_on(Bars *bars, PyObject *const *args, Py_ssize_t given)
{
    if (given != HANDED || !PyList_Check(args[DUE]) || PyList_GET_SIZE(args[DUE]) == 0 || !PyDict_Check(args[RESTING])
        || !PyDict_CheckExact(args[LATEST]) || !PyList_Check(args[LEFT])) {
        PyErr_SetString(PyExc_TypeError, "hand_on takes eleven arguments, lists and dicts among them");
        return NULL;
    }
    Py_ssize_t count = PyLong_AsSsize_t(args[COUNT]), now_ns = place_of((PyObject *)Py_TYPE(args[CLOCK]), "now_ns");
    if (PyErr_Occurred())
        return NULL;
    PyObject *known = Py_NewRef(PyList_GET_ITEM(args[DUE], 0)), *answer = Py_NewRef(Py_None), *before = NULL;
    int more = 1;
    while (more > 0 && count-- > 0) {
        PyObject *bar = Bars_next(bars);
        if (bar == NULL)
            break;
        more = hand_one(bars, args, bar, known, now_ns, &answer);
        /* The one before it is not the latest any more: mostly nobody has kept it. */
        if (before != NULL && Py_REFCNT(before) == 1 && bars->spare == NULL)
            bars->spare = before;
        else
            Py_XDECREF(before);
        before = bar;
    }
    Py_XDECREF(before);
    Py_DECREF(known);
    if (PyErr_Occurred())
        Py_CLEAR(answer);
    return answer;
}

static PyMethodDef methods[] = {
    {"hand_on", (PyCFunction)(void (*)(void))Bars_hand_on, METH_FASTCALL, hand_on_doc},
    {"ahead", (PyCFunction)(void (*)(void))Bars_ahead, METH_FASTCALL, ahead_doc},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject BarsType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "engine.native.bars.Bars",
    .tp_doc = PyDoc_STR("Bars(ts_ns, open, high, low, close, volume, *, samples, source=None)\n--\n\n"
                        "``samples``: of each source a bar of its instrument and length; ``source``: of which each\n"
                        "row is, where there are several."),
    .tp_basicsize = sizeof(Bars),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = PyType_GenericNew,
    .tp_init = (initproc)Bars_init,
    .tp_dealloc = (destructor)Bars_dealloc,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = (iternextfunc)Bars_next,
    .tp_methods = methods,
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "engine.native.bars", .m_doc = "See ``Bars``.", .m_size = -1,
};

PyMODINIT_FUNC
PyInit_bars(void)
{
    if (PyType_Ready(&BarsType) < 0)
        return NULL;
    PyObject *made = PyModule_Create(&module);
    if (made != NULL && (PyModule_AddObjectRef(made, "Bars", (PyObject *)&BarsType) < 0
                         || PyModule_AddStringConstant(made, "SOURCE", SLUICE_SOURCE) < 0))
        Py_CLEAR(made);
    return made;
}
