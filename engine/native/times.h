/* Instants in order. */

#pragma once

#include <Python.h>
#include <stdint.h>

/* The first row from ``place`` on that ends at or after an instant (bisect_left). */
static inline Py_ssize_t
first_from(const int64_t *times, Py_ssize_t place, Py_ssize_t count, int64_t instant)
{
    while (place < count) {
        Py_ssize_t middle = place + (count - place) / 2;
        if (times[middle] < instant)
            place = middle + 1;
        else
            count = middle;
    }
    return place;
}
