/* The short way of an everyday order (engine/runtime/short_way.py), step by step the same, compiled.

   It reads and writes the same objects: orders, reservations, positions and what rests at the venue are the classes of
   the engine, so that every other room finds there what the way in Python leaves. Only the four records of an order
   are never made as objects: they are written as the bytes the journal would encode them to.

   Nothing here is decided that short_way.py does not decide. What is not everyday goes the long way, before anything
   was changed. tests/simulation/test_short_way.py holds all three equal. */

/* What it was made of (sources.py); hatch_build.py tells. */
#ifndef SLUICE_SOURCE
#define SLUICE_SOURCE ""
#endif

#include "way.h"
#include "way_in.h"
#include "way_out.h"
#include "hand.h"
#include "skip.h"

PyDoc_STRVAR(take_doc,
    "take()\n--\n\nThe records written so far as one msgpack array, and how many they are; then there are none.");

static PyObject *
Way_take(Way *way, PyObject *Py_UNUSED(nothing))
{
    Ink *ink = &way->ink;
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, 5 + ink->size);
    if (bytes == NULL)
        return NULL;
    char *at = PyBytes_AS_STRING(bytes);
    *at++ = (char)0xdd;
    for (int k = 3; k >= 0; k--)
        *at++ = (char)(ink->records >> (8 * k));
    put_raw(at, ink->data ? ink->data : "", ink->size);
    PyObject *taken = Py_BuildValue("Nn", bytes, ink->records);
    if (taken != NULL)
        ink->size = ink->records = 0;
    return taken;
}

PyDoc_STRVAR(rest_doc, "rest()\n--\n\nThe run is over: what was worked out of prices is let go of.");

static PyObject *
Way_rest(Way *way, PyObject *Py_UNUSED(nothing))
{
    forget_prices(way->prices);
    Py_RETURN_NONE;
}

static int
Way_init(Way *way, PyObject *Py_UNUSED(args), PyObject *parts)
{
#define DO(name)                                                                                                      \
    if (take(&way->name, parts, #name) < 0)                                                                           \
        return -1;
    PARTS(DO)
#undef DO
#define DO(type, field)                                                                                               \
    if ((way->type##_##field = place_of(way->type, #field)) < 0)                                                      \
        return -1;
    PLACES(DO)
#undef DO
#define IS_A(name, type)                                                                                              \
    if (!PyObject_TypeCheck(way->name, (PyTypeObject *)way->type))                                                    \
        return PyErr_Format(PyExc_TypeError, "%s is a %s", #name, #type), -1;
    IS_A(clock, ReplayClock) IS_A(manager, OrderManager) IS_A(venue, SimulatedVenue) IS_A(portfolio, Portfolio)
    IS_A(view, RiskView) IS_A(marks, Marks)
#undef IS_A
    if (way->prices == NULL && (way->prices = PyMem_Calloc(PRICES, sizeof(Price))) == NULL)
        return PyErr_NoMemory(), -1;
#define WRITTEN(name, count)                                                                                          \
    if (pieces_of(&way->name, PyDict_GetItemString(parts, #name), count) < 0)                                         \
        return -1;
    WRITTEN(bought, 15) WRITTEN(sold, 15) WRITTEN(filled, 9)
#undef WRITTEN
    way->opens = PyDict_GetItemString(parts, "opens") == Py_True;
#define LIKE(name)                                                                                                    \
    if (pattern_like(&way->name, way->like_##name) < 0)                                                               \
        return -1;
    LIKE(held) LIKE(rest) LIKE(request)
#undef LIKE
    return 0;
}

static int
Way_traverse(Way *way, visitproc visit, void *arg)
{
#define DO(name) Py_VISIT(way->name);
    PARTS(DO)
#undef DO
    for (int k = 0; k < DESKS; k++) {
        Py_VISIT(way->desks[k].account);
        Py_VISIT(way->desks[k].position);
        Py_VISIT(way->desks[k].own);
    }
    Py_VISIT(way->market.found);
    Py_VISIT(way->name.found);
    Py_VISIT(way->spare_list);
    Py_VISIT(way->spare_fills);
    return 0;
}

static int
Way_clear(Way *way)
{
#define DO(name) Py_CLEAR(way->name);
    PARTS(DO)
#undef DO
    for (int k = 0; k < DESKS; k++)
        desk_clear(&way->desks[k]);
    pattern_clear(&way->held);
    pattern_clear(&way->rest);
    pattern_clear(&way->request);
    forget_latest(&way->market);
    forget_latest(&way->name);
    Py_CLEAR(way->quiet);
    Py_CLEAR(way->hushed_one);
    Py_CLEAR(way->quantity);
    Py_CLEAR(way->units);
    forget_prices(way->prices);
    Py_CLEAR(way->spare_bar);
    Py_CLEAR(way->spare_list);
    Py_CLEAR(way->spare_fills);
    return 0;
}

static void
Way_dealloc(Way *way)
{
    PyObject_GC_UnTrack(way);
    Way_clear(way);
    PyMem_Free(way->ink.data);
    PyMem_Free(way->prices);
    PyMem_Free(way->bought.bytes);
    PyMem_Free(way->sold.bytes);
    PyMem_Free(way->filled.bytes);
    Py_TYPE(way)->tp_free((PyObject *)way);
}

static PyMethodDef methods[] = {
    {"submit", (PyCFunction)(void (*)(void))Way_submit, METH_FASTCALL, submit_doc},
    {"show", (PyCFunction)Way_show, METH_O, show_doc},
    {"take", (PyCFunction)Way_take, METH_NOARGS, take_doc},
    {"rest", (PyCFunction)Way_rest, METH_NOARGS, rest_doc},
    {"skip", (PyCFunction)(void (*)(void))Way_skip, METH_FASTCALL, skip_doc},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"records", T_PYSSIZET, offsetof(Way, ink.records), READONLY, "How many ``take`` would give."},
    {NULL, 0, 0, 0, NULL},
};

static PyTypeObject WayType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "engine.native.short_way.Way",
    .tp_doc = PyDoc_STR("Both steps of one run; every part is given by name (runtime/short_way.py)."),
    .tp_basicsize = sizeof(Way),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_init = (initproc)Way_init,
    .tp_dealloc = (destructor)Way_dealloc,
    .tp_traverse = (traverseproc)Way_traverse,
    .tp_clear = (inquiry)Way_clear,
    .tp_methods = methods,
    .tp_members = members,
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "engine.native.short_way", .m_doc = "See ``Way``.", .m_size = -1,
};

PyMODINIT_FUNC
PyInit_short_way(void)
{
#define NAME(name)                                                                                                    \
    if ((S_##name = PyUnicode_InternFromString(#name)) == NULL)                                                       \
        return NULL;
    NAME(check) NAME(fee) NAME(get) NAME(book) NAME(available_cash) NAME(reference) NAME(position) NAME(append)
#undef NAME
    S_strategy_position = PyUnicode_InternFromString("_strategy_position");
    if (S_strategy_position == NULL || PyType_Ready(&WayType) < 0 || PyType_Ready(&HandType) < 0)
        return NULL;
    PyObject *made = PyModule_Create(&module);
    if (made == NULL)
        return NULL;
    if (PyModule_AddObjectRef(made, "Way", (PyObject *)&WayType) < 0
        || PyModule_AddObjectRef(made, "Hand", (PyObject *)&HandType) < 0
        || PyModule_AddStringConstant(made, "SOURCE", SLUICE_SOURCE) < 0)
        Py_CLEAR(made);
    return made;
}
