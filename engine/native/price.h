/* Prices come again and again: what a float is exactly, and how that is written, by the float's own bits. */

#pragma once

#include <Python.h>
#include <stdint.h>
#include <string.h>

#define PRICES 8192

typedef struct {
    double price;
    PyObject *exact, *text;
} Price;

/* What is known of a price, or of another one that fell on its place. */
static inline Price *
price_at(Price *prices, double price)
{
    uint64_t bits;
    memcpy(&bits, &price, sizeof bits);
    return &prices[bits * UINT64_C(0x9e3779b97f4a7c15) >> 51];
}

static inline int
is_price(const Price *known, double price)
{
    return known->exact != NULL && memcmp(&known->price, &price, sizeof price) == 0;
}

/* Ask ``exact_price`` (engine.domain.money) and keep the answer; NULL on error. */
static const Price *
price_learn(Price *known, double price, PyObject *exact_price)
{
    PyObject *number = PyFloat_FromDouble(price), *exact = NULL, *text = NULL;
    if (number != NULL)
        exact = PyObject_CallOneArg(exact_price, number);
    if (exact != NULL)
        text = PyObject_Str(exact);
    Py_XDECREF(number);
    if (text == NULL) {
        Py_XDECREF(exact);
        return NULL;
    }
    known->price = price;
    Py_XSETREF(known->exact, exact);
    Py_XSETREF(known->text, text);
    return known;
}

static void
prices_clear(Price *prices)
{
    for (int k = 0; prices != NULL && k < PRICES; k++) {
        Py_CLEAR(prices[k].exact);
        Py_CLEAR(prices[k].text);
    }
}
