/* What both steps of the short way know of the run, and small things they do alike. */

#ifndef SLUICE_WAY_H
#define SLUICE_WAY_H

#define PY_SSIZE_T_CLEAN
#include "desk.h"
#include "pattern.h"
#include "price.h"
#include "record.h"
#include "slots.h"
#include "whole.h"

#ifdef Py_GIL_DISABLED
#error "written for an interpreter with its lock"
#endif

/* Records in the ink after which the journal is asked to take them. */
#define FULL 1024

/* Everything that is handed over once, by name. */
#define PARTS(DO)                                                                                                      \
    DO(manager) DO(venue) DO(portfolio) DO(view) DO(orders) DO(working) DO(resting) DO(accounts) DO(reservations)      \
    DO(own) DO(marks) DO(latches) DO(books) DO(costs) DO(conditional) DO(pending) DO(long_in) DO(long_out) DO(match)   \
    DO(exact_price) DO(pack) DO(pour) DO(sellable_from) DO(new_mark) DO(failures) DO(placed) DO(clock)                 \
    DO(Reservation) DO(Resting) DO(Free) DO(Seat) DO(SubmitOrder) DO(Order) DO(Position) DO(AccountBook) DO(Bar)       \
    DO(Instrument) DO(Marks) DO(ReplayClock) DO(OrderManager) DO(SimulatedVenue) DO(Portfolio) DO(RiskView)            \
    DO(Context) DO(buy) DO(sell) DO(zero) DO(nothing) DO(working_state) DO(filled_state) DO(like_held)         \
    DO(like_rest) DO(like_request)

/* Fields that are read where they lie: class, field. */
#define PLACES(DO)                                                                                                     \
    DO(SubmitOrder, client_id) DO(SubmitOrder, account) DO(SubmitOrder, strategy) DO(SubmitOrder, instrument)          \
    DO(SubmitOrder, side) DO(SubmitOrder, quantity) DO(SubmitOrder, ts_ns) DO(SubmitOrder, type) DO(Instrument, id)    \
    DO(Instrument, market) DO(Instrument, currency) DO(Instrument, multiplier) DO(Free, commission)                    \
    DO(Position, cost) DO(Position, locked) DO(Position, quantity) DO(Position, selling) DO(AccountBook, cash)         \
    DO(AccountBook, reserved) DO(AccountBook, margin) DO(AccountBook, positions) DO(AccountBook, fees)                 \
    DO(Reservation, book) DO(Reservation, position) DO(Reservation, quantity) DO(Reservation, open)                    \
    DO(Reservation, currency) DO(Reservation, cash) DO(Reservation, held) DO(Seat, waiting_for) DO(Seat, busy)         \
    DO(Seat, gone) DO(Seat, queue) DO(Order, request) DO(Order, state) DO(Order, venue_id) DO(Order, price)            \
    DO(Order, cum) DO(Order, value) DO(Order, fee) DO(Order, sent_ns) DO(Order, _quantity) DO(Order, _queued)          \
    DO(Order, _sent) DO(Order, _acked) DO(Order, _odd) DO(Order, _fills) DO(Resting, number) DO(Resting, request)      \
    DO(Resting, accepted_ns) DO(Resting, buys) DO(Resting, limit) DO(Resting, quantity) DO(Resting, leaves)            \
    DO(Resting, plain) DO(Resting, reserved) DO(Resting, acts_ns) DO(Bar, instrument) DO(Bar, ts_ns) DO(Bar, open)     \
    DO(Bar, high) DO(Bar, low) DO(Bar, close) DO(Bar, volume) DO(Bar, interval_ns) DO(Marks, latest)                   \
    DO(ReplayClock, now_ns) DO(OrderManager, quiet) DO(OrderManager, only_books) DO(SimulatedVenue, accepted)          \
    DO(Portfolio, fills) DO(RiskView, cost_factor) DO(Context, orders_made)

/* What was looked up last, by a key that is told by where it lies: most runs ask for one thing again and again. */
typedef struct {
    PyObject *key, *found;
} Latest;

typedef struct {
    PyObject_HEAD
#define DO(name) PyObject *name;
    PARTS(DO)
#undef DO
#define DO(type, field) Py_ssize_t type##_##field;
    PLACES(DO)
#undef DO
    int opens;                  /* The fill model takes the open, in full. */
    Latest market, name;        /* The rule book, and what a fill costs. */
    PyObject *quiet, *hushed_one; /* Those that hear nothing of acceptances; one that was found among them. */
    PyObject *fresh;            /* The bar at hand of a column run, borrowed: the latest of its instrument. */
    PyObject *quantity, *units; /* The quantity of the last order, and the same as a decimal. */
    PyObject *spare_bar, *spare_list, *spare_fills;     /* Each one that nobody has a hold on any more. */
    Price *prices;
    Desk desks[DESKS];
    Pattern held, rest, request;
    Pieces bought, sold, filled;
    Ink ink;
} Way;

#define GET(object, type, field) AT(object, way->type##_##field)
#define PUT(object, type, field, value) put_at(object, way->type##_##field, value)
#define IS(object, type) ((PyObject *)Py_TYPE(object) == way->type)

static PyObject *S_check, *S_fee, *S_get, *S_book, *S_available_cash, *S_reference, *S_position, *S_strategy_position,
    *S_append;

/* dict.get(key), borrowed; NULL without an error where it is not there. */
#define FIND(dict, key) PyDict_GetItemWithError(dict, key)

/* mapping[key], borrowed from ``latest``; NULL without an error where it is not there. */
static PyObject *
look_up(Latest *latest, PyObject *mapping, PyObject *key)
{
    if (latest->key == key)
        return latest->found;
    PyObject *found = PyObject_GetItem(mapping, key);
    if (found == NULL) {
        if (PyErr_ExceptionMatches(PyExc_KeyError))
            PyErr_Clear();
        return NULL;
    }
    Py_XSETREF(latest->found, found);
    Py_XSETREF(latest->key, Py_NewRef(key));
    return found;
}

static void
forget_latest(Latest *latest)
{
    Py_CLEAR(latest->key);
    Py_CLEAR(latest->found);
}

/* dict[key] = dict.get(key, 0) + amount, or - amount. */
static int
add_to(Way *way, PyObject *dict, PyObject *key, PyObject *amount, int sign)
{
    PyObject *before = FIND(dict, key);
    if (before == NULL) {
        if (PyErr_Occurred())
            return -1;
        before = way->zero;
    }
    PyObject *after = sign > 0 ? PyNumber_Add(before, amount) : PyNumber_Subtract(before, amount);
    if (after == NULL)
        return -1;
    int done = PyDict_SetItem(dict, key, after);
    Py_DECREF(after);
    return done;
}

/* owner.field += number */
#define COUNT_AT(owner, type, field, number) add_whole(&GET(owner, type, field), number)

/* A quantity as a decimal, borrowed: an order is valued twice, and many are of one size. */
static PyObject *
units_of(Way *way, PyObject *quantity)
{
    if (way->quantity != quantity) {
        PyObject *units = PyNumber_Add(way->zero, quantity);
        if (units == NULL)
            return NULL;
        Py_XSETREF(way->units, units);
        Py_XSETREF(way->quantity, Py_NewRef(quantity));
    }
    return way->units;
}

/* RiskView.reference, new; None where there is no price. ``known``: what else is known of it, or NULL. */
static PyObject *
reference(Way *way, PyObject *name, Price **known)
{
    PyObject *latest = GET(way->marks, Marks, latest), *event;
    *known = NULL;
    if (way->fresh != NULL && GET(way->fresh, Bar, instrument) == name)
        event = Py_NewRef(way->fresh);
    else if (PyDict_CheckExact(latest))
        event = Py_XNewRef(FIND(latest, name));
    else
        event = PyObject_CallMethodOneArg(latest, S_get, name);
    if (event == NULL && PyErr_Occurred())
        return NULL;
    PyObject *found = NULL;
    if (event != NULL && IS(event, Bar) && PyFloat_CheckExact(GET(event, Bar, close))) {
        double close = PyFloat_AS_DOUBLE(GET(event, Bar, close));
        if (close > 0.0 && close < Py_HUGE_VAL) {
            *known = price_of(way->prices, close, way->exact_price, Py_TYPE(way->zero));
            found = *known == NULL ? NULL : Py_NewRef((*known)->exact);
        }
        else
            found = Py_NewRef(Py_None);
    }
    else
        found = PyObject_CallMethodOneArg(way->view, S_reference, name);
    Py_XDECREF(event);
    return found;
}

/* -1 for an error, else 0, of a call whose answer nobody needs. */
static int
for_nothing(PyObject *answer)
{
    Py_XDECREF(answer);
    return answer == NULL ? -1 : 0;
}

/* Records that others made stand before ours: put them into the ink. */
static int
pour(Way *way)
{
    if (PyList_GET_SIZE(way->pending) == 0)
        return way->ink.records < FULL ? 0 : for_nothing(PyObject_CallNoArgs(way->pack));
    PyObject *told = PyObject_CallNoArgs(way->pour);
    char *bytes;
    Py_ssize_t size, count;
    int done = -1;
    if (told != NULL && PyArg_ParseTuple(told, "y#n", &bytes, &size, &count)) {
        char *at = ink_room(&way->ink, size);
        if (at != NULL) {
            ink_upto(&way->ink, put_raw(at, bytes, size), count);
            done = 0;
        }
    }
    Py_XDECREF(told);
    return done;
}

#endif
