/* What a strategy does at nearly every trade: it asks what it holds (Context.position), and hands in an order that says
   nothing but side, instrument and quantity (Context.plain). */

#pragma once

#include "way_in.h"

/* What is told once of a strategy: its context, where orders are numbered; and what all its orders have alike. */
#define HELD(DO) DO(way) DO(context) DO(catalogue) DO(prefix) DO(account) DO(strategy) DO(long_way)

typedef struct {
    PyObject_HEAD
#define DO(name) PyObject *name;
    HELD(DO)
#undef DO
    Latest spec;
} Hand;

/* ``f"{prefix}{number}"`` */
static PyObject *
numbered(PyObject *prefix, int64_t number)
{
    char text[128];
    if (PyUnicode_IS_ASCII(prefix) && PyUnicode_GET_LENGTH(prefix) < 100) {
        Py_ssize_t size = PyUnicode_GET_LENGTH(prefix);
        memcpy(text, PyUnicode_1BYTE_DATA(prefix), (size_t)size);
        size += digits_of(number, text + size);
        return PyUnicode_FromKindAndData(PyUnicode_1BYTE_KIND, text, size);
    }
    return PyUnicode_FromFormat("%U%lld", prefix, (long long)number);
}

PyDoc_STRVAR(plain_doc, "plain(side, instrument, quantity)\n--\n\nAs ``Context.plain``.");

static PyObject *
Hand_plain(Hand *hand, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    Way *way = (Way *)hand->way;
    PyObject *spec = count == 3 && names == NULL ? look_up(&hand->spec, hand->catalogue, args[1]) : NULL;
    if (spec == NULL || !IS(spec, Instrument) || !PyLong_CheckExact(args[2])) {
        PyErr_Clear();
        return PyObject_Vectorcall(hand->long_way, args, (size_t)count, names);
    }
    Py_INCREF(spec);
    int counted = COUNT_AT(hand->context, Context, orders_made, 1);
    PyObject *order = counted < 0 ? NULL : copy_of(&way->request), *answer = NULL;
    int64_t number = order ? whole(GET(hand->context, Context, orders_made)) : 0;
    PyObject *client_id = order ? numbered(hand->prefix, number) : NULL;
    if (client_id == NULL)
        goto done;
    PUT(order, SubmitOrder, client_id, Py_NewRef(client_id));
    PUT(order, SubmitOrder, account, Py_NewRef(hand->account));
    PUT(order, SubmitOrder, strategy, Py_NewRef(hand->strategy));
    PUT(order, SubmitOrder, instrument, Py_NewRef(GET(spec, Instrument, id)));
    PUT(order, SubmitOrder, side, Py_NewRef(args[0]));
    PUT(order, SubmitOrder, quantity, Py_NewRef(args[2]));
    PUT(order, SubmitOrder, ts_ns, Py_NewRef(GET(way->clock, ReplayClock, now_ns)));
    PyObject *asked[] = {order, spec};
    PyObject *told = Way_submit(way, asked, 2);
    answer = told == NULL ? NULL : Py_NewRef(client_id);
    Py_XDECREF(told);
done:
    Py_XDECREF(client_id);
    Py_XDECREF(order);
    Py_DECREF(spec);
    return answer;
}

PyDoc_STRVAR(position_doc, "position(instrument)\n--\n\nAs ``Context.position``.");

static PyObject *
Hand_position(Hand *hand, PyObject *name)
{
    Way *way = (Way *)hand->way;
    PyObject *own = NULL;
    const Desk *desk = desk_of(way->desks, hand->account, hand->strategy, name);
    if (desk != NULL)
        own = desk->own;
    else {
        PyObject *key = PyTuple_Pack(2, hand->strategy, name);
        if (key == NULL)
            return NULL;
        own = FIND(way->own, key);
        Py_DECREF(key);
        if (own == NULL)
            return PyErr_Occurred() ? NULL : PyLong_FromLong(0);
    }
    return Py_NewRef(GET(own, Position, quantity));
}

static int
Hand_init(Hand *hand, PyObject *Py_UNUSED(args), PyObject *parts)
{
#define DO(name)                                                                                                      \
    if (take(&hand->name, parts, #name) < 0)                                                                          \
        return -1;
    HELD(DO)
#undef DO
    if (PyObject_TypeCheck(hand->context, (PyTypeObject *)((Way *)hand->way)->Context))
        return 0;
    PyErr_SetString(PyExc_TypeError, "context is a Context");
    return -1;
}

static int
Hand_traverse(Hand *hand, visitproc visit, void *arg)
{
#define DO(name) Py_VISIT(hand->name);
    HELD(DO)
#undef DO
    Py_VISIT(hand->spec.found);
    return 0;
}

static int
Hand_clear(Hand *hand)
{
#define DO(name) Py_CLEAR(hand->name);
    HELD(DO)
#undef DO
    forget_latest(&hand->spec);
    return 0;
}

static void
Hand_dealloc(Hand *hand)
{
    PyObject_GC_UnTrack(hand);
    Hand_clear(hand);
    Py_TYPE(hand)->tp_free((PyObject *)hand);
}

static PyMethodDef hand_methods[] = {
    {"plain", (PyCFunction)(void (*)(void))Hand_plain, METH_FASTCALL | METH_KEYWORDS, plain_doc},
    {"position", (PyCFunction)Hand_position, METH_O, position_doc},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject HandType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "engine.native.short_way.Hand",
    .tp_doc = PyDoc_STR("One strategy's way in; every part is given by name (runtime/compiled_way.py)."),
    .tp_basicsize = sizeof(Hand),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_new = PyType_GenericNew,
    .tp_init = (initproc)Hand_init,
    .tp_dealloc = (destructor)Hand_dealloc,
    .tp_traverse = (traverseproc)Hand_traverse,
    .tp_clear = (inquiry)Hand_clear,
    .tp_methods = hand_methods,
};
