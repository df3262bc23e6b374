/* New records that are like another one but for some fields: no field is parsed, checked or filled in anew; and one
   that nobody has a hold on any more is used again. */

#ifndef SLUICE_PATTERN_H
#define SLUICE_PATTERN_H

#include "slots.h"

#define FIELDS_MAX 32

typedef struct {
    PyObject *sample, *spare;
    Py_ssize_t count, places[FIELDS_MAX];
} Pattern;

/* Learn from a Struct that the collector need not look at; -1 with an error set if it is none. */
static int
pattern_like(Pattern *pattern, PyObject *sample)
{
    Py_XSETREF(pattern->sample, Py_NewRef(sample));
    PyTypeObject *type = Py_TYPE(sample);
    PyObject *names = PyObject_GetAttrString((PyObject *)type, "__struct_fields__");
    if (names == NULL)
        return -1;
    Py_ssize_t count = PyTuple_Check(names) ? PyTuple_GET_SIZE(names) : FIELDS_MAX + 1;
    if (count > FIELDS_MAX || PyType_IS_GC(type)) {
        PyErr_Format(PyExc_TypeError, "%R can not be copied field by field", type);
        count = -1;
    }
    for (Py_ssize_t k = 0; k < count; k++) {
        const char *name = PyUnicode_AsUTF8(PyTuple_GET_ITEM(names, k));
        if (name == NULL || (pattern->places[k] = place_of((PyObject *)type, name)) < 0) {
            count = -1;
            break;
        }
    }
    Py_DECREF(names);
    if (count < 0)
        return -1;
    pattern->count = count;
    return 0;
}

/* One more of it. */
static inline PyObject *
copy_of(Pattern *pattern)
{
    if (pattern->spare != NULL) {
        PyObject *spare = pattern->spare;
        pattern->spare = NULL;
        return spare;
    }
    PyTypeObject *type = Py_TYPE(pattern->sample);
    PyObject *copy = type->tp_alloc(type, 0);
    if (copy != NULL)
        for (Py_ssize_t k = 0; k < pattern->count; k++)
            AT(copy, pattern->places[k]) = Py_XNewRef(AT(pattern->sample, pattern->places[k]));
    return copy;
}

/* A reference that is not needed any more: taken over. */
static inline void
done_with(Pattern *pattern, PyObject *object)
{
    if (pattern->spare != NULL || Py_REFCNT(object) != 1 || Py_TYPE(object) != Py_TYPE(pattern->sample)) {
        Py_DECREF(object);
        return;
    }
    for (Py_ssize_t k = 0; k < pattern->count; k++) {
        PyObject *blank = AT(pattern->sample, pattern->places[k]);
        if (AT(object, pattern->places[k]) != blank)
            put_at(object, pattern->places[k], Py_XNewRef(blank));
    }
    pattern->spare = object;
}

static inline void
pattern_clear(Pattern *pattern)
{
    Py_CLEAR(pattern->sample);
    Py_CLEAR(pattern->spare);
}

#endif
