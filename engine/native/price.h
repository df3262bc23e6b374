/* Prices come again and again, and orders are mostly of one size: what a float is exactly, how that is written, what so
   many units are worth at it and cost, by the float's own bits. All of it is what the same operations on the same
   decimals gave before. */

#pragma once

#include "record.h"
#include "whole.h"
#include <math.h>

#define PRICES 4096

typedef struct {
    double price;
    PyObject *exact, *text;
    /* Of the latest quantity asked for, in units of this size, at this rate: borrowed, to tell them by. */
    PyObject *multiplier, *commission, *factor;
    int64_t quantity;
    PyObject *value, *fee, *fee_text;
    PyObject *paid[2];          /* What leaves the cash, by whether it is bought: below 0 where it is sold. */
    PyObject *cost, *cost_text; /* What of the cash a purchase may take. */
} Price;

static inline Price *
price_at(Price *prices, double price)
{
    uint64_t bits;
    memcpy(&bits, &price, sizeof bits);
    return &prices[bits * UINT64_C(0x9e3779b97f4a7c15) >> 52];
}

static void
forget_cost(Price *known)
{
    Py_CLEAR(known->cost);
    Py_CLEAR(known->cost_text);
}

static void
forget_worth(Price *known)
{
    forget_cost(known);
    Py_CLEAR(known->value);
    Py_CLEAR(known->fee);
    Py_CLEAR(known->fee_text);
    Py_CLEAR(known->paid[0]);
    Py_CLEAR(known->paid[1]);
}

static void
forget_prices(Price *prices)
{
    for (int k = 0; prices != NULL && k < PRICES; k++) {
        forget_worth(&prices[k]);
        Py_CLEAR(prices[k].exact);
        Py_CLEAR(prices[k].text);
    }
}

/* ``repr`` of a price of one to four decimal places, new; NULL without an error for any other. Where a number of at
   most 15 digits reads as the float it is the one that ``repr`` gives, and it has no place more than it needs. */
static PyObject *
short_text(double price)
{
    static const double scales[] = {1e1, 1e2, 1e3, 1e4};
    for (int places = 1; places <= 4; places++) {
        double units = rint(price * scales[places - 1]);
        if (!(units > 0.0 && units < 1e15))
            return NULL;
        if (units / scales[places - 1] == price) {
            char text[24];
            int size = digits_of((int64_t)units, text);
            if (size <= places) {
                memmove(text + places + 1 - size, text, (size_t)size);
                memset(text, '0', (size_t)(places + 1 - size));
                size = places + 1;
            }
            memmove(text + size - places + 1, text + size - places, (size_t)places);
            text[size - places] = '.';
            return PyUnicode_FromStringAndSize(text, size + 1);
        }
    }
    return NULL;
}

/* What is known of a price; else its text is read, or ``exact_price`` (engine.domain.money) asked. NULL on error. */
static Price *
price_of(Price *prices, double price, PyObject *exact_price, PyTypeObject *decimal)
{
    Price *known = price_at(prices, price);
    if (known->exact != NULL && memcmp(&known->price, &price, sizeof price) == 0)
        return known;
    PyObject *text = short_text(price), *exact = NULL;
    if (text != NULL)
        exact = PyObject_CallOneArg((PyObject *)decimal, text);
    else if (!PyErr_Occurred()) {
        PyObject *number = PyFloat_FromDouble(price);
        exact = number == NULL ? NULL : PyObject_CallOneArg(exact_price, number);
        text = exact == NULL ? NULL : PyObject_Str(exact);
        Py_XDECREF(number);
    }
    if (exact == NULL || text == NULL) {
        Py_XDECREF(text);
        Py_XDECREF(exact);
        return NULL;
    }
    forget_worth(known);
    known->price = price;
    Py_XSETREF(known->exact, exact);
    Py_XSETREF(known->text, text);
    return known;
}

/* price x units x multiplier, new. */
static PyObject *
value_at(PyObject *price, PyObject *units, PyObject *multiplier)
{
    PyObject *value = PyNumber_Multiply(price, units);
    if (value != NULL && natural(multiplier) != 1)
        Py_SETREF(value, PyNumber_Multiply(value, multiplier));
    return value;
}

/* Know ``value`` and ``fee`` of so many units, which are the quantity as a decimal; -1 on error. */
static int
know_worth(Price *known, int64_t quantity, PyObject *units, PyObject *multiplier, PyObject *commission)
{
    if (known->fee_text != NULL && known->quantity == quantity && known->multiplier == multiplier
        && known->commission == commission)
        return 0;
    forget_worth(known);
    known->quantity = quantity, known->multiplier = multiplier, known->commission = commission;
    known->value = value_at(known->exact, units, multiplier);
    known->fee = known->value == NULL ? NULL : PyNumber_Multiply(known->value, commission);
    known->fee_text = known->fee == NULL ? NULL : PyObject_Str(known->fee);
    return known->fee_text == NULL ? -1 : 0;
}

/* What leaves the cash for what ``know_worth`` was asked of, borrowed; NULL on error. */
static PyObject *
paid_at(Price *known, int buys)
{
    if (known->paid[buys] == NULL)
        known->paid[buys] = (buys ? PyNumber_Add : PyNumber_Subtract)(known->fee, known->value);
    return known->paid[buys];
}

/* Know ``cost`` of what ``know_worth`` was asked of, its value taken times a factor (None: 1); -1 on error. */
static int
know_cost(Price *known, PyObject *factor)
{
    if (known->cost_text != NULL && known->factor == factor)
        return 0;
    forget_cost(known);
    known->factor = factor;
    PyObject *value = factor == Py_None ? Py_NewRef(known->value) : PyNumber_Multiply(known->value, factor);
    known->cost = value == NULL ? NULL : PyNumber_Add(value, known->fee);
    known->cost_text = known->cost == NULL ? NULL : PyObject_Str(known->cost);
    Py_XDECREF(value);
    return known->cost_text == NULL ? -1 : 0;
}
