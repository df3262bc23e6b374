/* Fields of the engine's records, read where they lie.

   A Struct, and a class with __slots__, keeps each field at a fixed place of its objects; the class's descriptor tells
   which. Reading it there takes one instruction for a look-up by name. */

#ifndef SLUICE_SLOTS_H
#define SLUICE_SLOTS_H

#include <Python.h>
#include <structmember.h>

/* Where a class keeps a field; -1 with an error set if it keeps it nowhere fixed. */
static Py_ssize_t
place_of(PyObject *type, const char *name)
{
    Py_ssize_t place = -1;
    PyObject *found = PyObject_GetAttrString(type, name);
    if (found == NULL)
        return -1;
    if (Py_TYPE(found) == &PyMemberDescr_Type) {
        PyMemberDef *member = ((PyMemberDescrObject *)found)->d_member;
        if (member->type == T_OBJECT_EX || member->type == T_OBJECT)
            place = member->offset;
    }
    Py_DECREF(found);
    if (place < 0)
        PyErr_Format(PyExc_TypeError, "%R keeps %s at no fixed place", type, name);
    return place;
}

/* A field, borrowed; NULL, and no error, where it was never set. */
#define AT(object, place) (*(PyObject **)((char *)(object) + (place)))

/* Set a field to a new reference, which is taken over. */
static inline void
put_at(PyObject *object, Py_ssize_t place, PyObject *value)
{
    PyObject *old = AT(object, place);
    AT(object, place) = value;
    Py_XDECREF(old);
}

/* A part that is handed over by name, into its place; -1 with an error set if it is missing. */
static int
take(PyObject **place, PyObject *parts, const char *name)
{
    PyObject *part = parts == NULL ? NULL : PyDict_GetItemString(parts, name);
    if (part == NULL) {
        PyErr_Format(PyExc_TypeError, "%s is wanted, by name", name);
        return -1;
    }
    Py_XSETREF(*place, Py_NewRef(part));
    return 0;
}

#endif
