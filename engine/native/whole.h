/* Whole numbers of Python as C has them. */

#pragma once

#include <Python.h>
#include <stdint.h>

/* As PyLong_AsLongLong: -1 with an error set where an int64 does not hold it. Moments are of three digits, and that
   function takes them byte by byte; where digits lie is known of 3.11 only. */
static inline int64_t
whole(PyObject *number)
{
#if PY_VERSION_HEX < 0x030C0000 && PYLONG_BITS_IN_DIGIT == 30
    if (number != NULL && PyLong_CheckExact(number)) {
        const digit *digits = ((PyLongObject *)number)->ob_digit;
        switch (Py_SIZE(number)) {
        case 0:
            return 0;
        case -1:
            return -(int64_t)digits[0];
        case 1:
            return digits[0];
        case 2:
            return (int64_t)digits[1] << 30 | digits[0];
        case 3:
            if (digits[2] < 8)
                return (int64_t)digits[2] << 60 | (int64_t)digits[1] << 30 | digits[0];
        }
    }
#endif
    return PyLong_AsLongLong(number);
}

#define SMALL_MAX 256 /* Python has one object for each number up to this. */

/* ``*place += by``: -1 with an error set where that can not be. A number nobody else has a hold on is changed where it
   lies. */
static inline int
add_whole(PyObject **place, int64_t by)
{
    PyObject *before = *place;
#if PY_VERSION_HEX < 0x030C0000 && PYLONG_BITS_IN_DIGIT == 30
    if (before != NULL && Py_REFCNT(before) == 1 && PyLong_CheckExact(before) && Py_SIZE(before) == 1) {
        int64_t after = (int64_t)((PyLongObject *)before)->ob_digit[0] + by;
        if (after > SMALL_MAX && after <= PyLong_MASK) {
            ((PyLongObject *)before)->ob_digit[0] = (digit)after;
            return 0;
        }
    }
#endif
    PyObject *after = PyLong_FromLongLong(whole(before) + by);
    if (after == NULL || PyErr_Occurred()) {
        Py_XDECREF(after);
        return -1;
    }
    *place = after;
    Py_XDECREF(before);
    return 0;
}

/* A whole number of at least 0 that an int64 holds; -1, and no error, for any other. */
static inline int64_t
natural(PyObject *number)
{
    if (number == NULL || !PyLong_CheckExact(number))
        return -1;
    int64_t value = whole(number);
    if (value < 0)
        PyErr_Clear();
    return value < 0 ? -1 : value;
}
