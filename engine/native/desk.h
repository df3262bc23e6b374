/* Where the orders of one strategy for one instrument are booked, found once: an account stays for the run, and so does
   a position from its first fill on. Names are told apart by where they lie; equal ones elsewhere are looked up. */

#pragma once

#include <Python.h>
#include <stdint.h>

#define DESKS 64

typedef struct {
    PyObject *account_id, *strategy, *name;
    PyObject *account, *position, *own;
} Desk;

static inline Desk *
desk_at(Desk *desks, PyObject *strategy, PyObject *name)
{
    return &desks[(((uintptr_t)name >> 4) ^ ((uintptr_t)strategy >> 6)) % DESKS];
}

/* NULL where nothing was learnt of them. */
static inline const Desk *
desk_of(Desk *desks, PyObject *account_id, PyObject *strategy, PyObject *name)
{
    const Desk *desk = desk_at(desks, strategy, name);
    return desk->name == name && desk->strategy == strategy && desk->account_id == account_id ? desk : NULL;
}

static void
desk_clear(Desk *desk)
{
    Desk old = *desk;
    memset(desk, 0, sizeof *desk);
    Py_XDECREF(old.account_id), Py_XDECREF(old.strategy), Py_XDECREF(old.name);
    Py_XDECREF(old.account), Py_XDECREF(old.position), Py_XDECREF(old.own);
}

static void
desk_learn(Desk *desks, Desk known)
{
    Desk *desk = desk_at(desks, known.strategy, known.name);
    Py_INCREF(known.account_id), Py_INCREF(known.strategy), Py_INCREF(known.name);
    Py_INCREF(known.account), Py_INCREF(known.position), Py_INCREF(known.own);
    desk_clear(desk);
    *desk = known;
}
