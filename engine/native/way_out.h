/* The step out: a bar fills what rests alone at the venue (way_out of short_way.py). */

#pragma once

#include "way.h"

/* Everything of one fill, borrowed; price, value, fee, texts and what is paid are its own. ``bar``: NULL where only its
   open was made. */
typedef struct {
    PyObject *name, *bar;
    double open;
    int64_t start_ns, ts_ns;
    PyObject *waiting, *rest, *request, *order, *instrument, *quantity;
    PyObject *price, *price_text, *value, *fee, *fee_text, *paid;
    int64_t units;              /* The quantity. */
    Price *known;               /* Of its price, where that is one that may come again. */
} Filled;

/* The order that rests alone at an instrument and may fill in full by this bar; 0 where it is none, -1 on error. */
static int
meets(Way *way, PyObject *costs_of, Filled *it)
{
    PyObject *name = it->name, *waiting = it->waiting;
    if (waiting == NULL)
        waiting = FIND(way->resting, name);
    if (waiting == NULL || PyList_GET_SIZE(waiting) != 1)
        return PyErr_Occurred() ? -1 : 0;
    int plain = GET(way->manager, OrderManager, only_books) == Py_True;
    if (plain) {
        int conditional = PyDict_GET_SIZE(way->conditional) ? PyDict_Contains(way->conditional, name) : 0;
        plain = conditional < 0 ? -1 : !conditional;
    }
    if (plain < 1)
        return plain;
    PyObject *rest = PyList_GET_ITEM(waiting, 0);
    PyObject *request = IS(rest, Resting) ? GET(rest, Resting, request) : way->zero;
    if (it->start_ns <= 0 || it->start_ns > it->ts_ns || !IS(request, SubmitOrder))
        return 0;
    int64_t accepted_ns = natural(GET(rest, Resting, accepted_ns));
    if (GET(rest, Resting, limit) != Py_None || GET(rest, Resting, plain) != Py_True || accepted_ns < 0)
        return 0;
    it->units = natural(GET(rest, Resting, leaves));
    if (accepted_ns > it->start_ns || it->units <= 0)
        return 0;
    PyObject *order = FIND(way->orders, GET(request, SubmitOrder, client_id));
    if (order == NULL || !IS(order, Order))
        return PyErr_Occurred() ? -1 : 0;
    it->waiting = waiting, it->rest = rest, it->request = request, it->order = order;
    it->instrument = PyTuple_GET_ITEM(costs_of, 1), it->quantity = GET(rest, Resting, leaves);
    return 1;
}

/* What the fill model gives for all of it: 1, and its price; 0 where it gives less. */
static int
priced(Way *way, Filled *it)
{
    if (way->opens) {
        it->known = price_of(way->prices, it->open, way->exact_price, Py_TYPE(way->zero));
        if (it->known == NULL)
            return -1;
        it->price = Py_NewRef(it->known->exact), it->price_text = Py_NewRef(it->known->text);
        return 1;
    }
    PyObject *asked[] = {GET(it->rest, Resting, buys), Py_None, it->quantity, it->bar};
    PyObject *found = PyObject_Vectorcall(way->match, asked, 4, NULL);
    if (found == NULL)
        return -1;
    int whole = 0;
    if (PyTuple_Check(found) && PyTuple_GET_SIZE(found) == 2) {
        whole = natural(PyTuple_GET_ITEM(found, 0)) == it->units;
        it->price = whole ? Py_NewRef(PyTuple_GET_ITEM(found, 1)) : NULL;
        it->price_text = whole ? PyObject_Str(it->price) : NULL;
    }
    Py_DECREF(found);
    return whole && it->price_text == NULL ? -1 : whole;
}

/* Order.finish: 1 where that is all the order needs. */
static int
finishes(Way *way, Filled *it)
{
    PyObject *order = it->order;
    if (GET(order, Order, state) != way->working_state || GET(order, Order, _odd) != Py_False)
        return 0;
    if (natural(GET(order, Order, cum)) != 0 || natural(GET(order, Order, _quantity)) != it->units)
        return 0;
    PUT(order, Order, cum, Py_NewRef(it->quantity));
    PUT(order, Order, state, Py_NewRef(way->filled_state));
    return 1;
}

/* What it is worth and what it costs. */
static int
charged(Way *way, PyObject *costs_of, Filled *it)
{
    PyObject *commission = PyTuple_GET_ITEM(costs_of, 2), *multiplier = GET(it->instrument, Instrument, multiplier);
    PyObject *units = units_of(way, it->quantity);
    int buys = GET(it->request, SubmitOrder, side) == way->buy;
    if (units == NULL)
        return -1;
    if (it->known != NULL && commission != Py_None) {
        if (know_worth(it->known, it->units, units, multiplier, commission) < 0)
            return -1;
        it->value = Py_NewRef(it->known->value);
        it->fee = Py_NewRef(it->known->fee), it->fee_text = Py_NewRef(it->known->fee_text);
        it->paid = Py_XNewRef(paid_at(it->known, buys));
        return it->paid == NULL ? -1 : 0;
    }
    it->value = value_at(it->price, units, multiplier);
    if (it->value != NULL && commission != Py_None)
        it->fee = PyNumber_Multiply(it->value, commission);
    else if (it->value != NULL) {
        PyObject *request = it->request;
        PyObject *asked[] = {
            GET(request, SubmitOrder, type), GET(request, SubmitOrder, side), it->quantity, it->price, it->instrument,
            PyLong_FromLongLong(it->ts_ns)};
        it->fee = asked[5] == NULL ? NULL : PyObject_Vectorcall(PyTuple_GET_ITEM(costs_of, 0), asked, 6, NULL);
        Py_XDECREF(asked[5]);
    }
    it->fee_text = it->fee == NULL ? NULL : PyObject_Str(it->fee);
    if (it->fee_text != NULL)
        it->paid = (buys ? PyNumber_Add : PyNumber_Subtract)(it->fee, it->value);
    return it->paid == NULL ? -1 : 0;
}

/* OrderReport of the fill. */
static int
write_out(Way *way, Filled *it)
{
    const Pieces *pieces = &way->filled;
    char digits[48], *at = NULL;
    Text fill_id = {digits, digits_of(natural(GET(it->rest, Resting, number)), digits)}, account, client_id, price, fee;
    digits[fill_id.size++] = '.';
    fill_id.size += digits_of(natural(GET(it->rest, Resting, quantity)), digits + fill_id.size);
    if (text_of(it->price_text, &price) == 0 && text_of(it->fee_text, &fee) == 0
        && text_of(GET(it->request, SubmitOrder, account), &account) == 0
        && text_of(GET(it->request, SubmitOrder, client_id), &client_id) == 0)
        at = ink_room(&way->ink, pieces->total + 8 * HEAD_MAX + account.size + client_id.size + price.size + fee.size
                                     + fill_id.size);
    if (at != NULL) {
        at = put_text(put_piece(at, pieces, 0), account);
        at = put_number(put_piece(at, pieces, 1), it->ts_ns);
        at = put_text(put_piece(at, pieces, 2), client_id);
        at = put_number(put_piece(at, pieces, 3), it->start_ns);
        at = put_number(put_piece(at, pieces, 4), it->units);
        at = put_text(put_piece(at, pieces, 5), price);
        at = put_text(put_piece(at, pieces, 6), fee);
        at = put_text(put_piece(at, pieces, 7), fill_id);
        ink_upto(&way->ink, put_piece(at, pieces, 8), 1);
    }
    return at == NULL ? -1 : 0;
}

/* Portfolio.forget. */
static int
forget(Way *way, PyObject *client_id)
{
    PyObject *held = FIND(way->reservations, client_id);
    if (held == NULL)
        return PyErr_Occurred() ? -1 : 0;
    Py_INCREF(held);
    int done = PyDict_DelItem(way->reservations, client_id);
    PyObject *position = GET(held, Reservation, position);
    int64_t open = whole(GET(held, Reservation, open));
    if (done == 0 && open) {
        if (position == Py_None) {
            PyObject *reserved = GET(GET(held, Reservation, book), AccountBook, reserved);
            done = add_to(way, reserved, GET(held, Reservation, currency), GET(held, Reservation, held), -1);
        }
        else
            done = COUNT_AT(position, Position, selling, -open);
    }
    done_with(&way->held, held);
    return done;
}

/* Position.book of a signed quantity. */
static int
add_position(Way *way, PyObject *position, int64_t quantity, PyObject *value)
{
    int64_t held = whole(GET(position, Position, quantity)), after = held + quantity;
    PyObject *cost;
    if (PyErr_Occurred())
        return -1;
    if (after == 0 && held != 0)
        cost = Py_NewRef(way->zero);
    else if (held == 0)
        cost = quantity > 0 ? Py_NewRef(value) : PyNumber_Negative(value);
    else if ((held > 0) == (quantity > 0)) {
        PyObject *before = GET(position, Position, cost);
        cost = quantity > 0 ? PyNumber_Add(before, value) : PyNumber_Subtract(before, value);
    }
    else {
        PyObject *signed_quantity = PyLong_FromLongLong(quantity);
        if (signed_quantity == NULL)
            return -1;
        PyObject *answer = PyObject_CallMethodObjArgs(position, S_book, signed_quantity, value, NULL);
        Py_DECREF(signed_quantity);
        return for_nothing(answer);
    }
    if (cost == NULL)
        return -1;
    PUT(position, Position, cost, cost);
    return COUNT_AT(position, Position, quantity, quantity);
}

/* dict[key], borrowed, made by ``maker`` where it is not there yet. */
static PyObject *
position_in(PyObject *dict, PyObject *key, PyObject *owner, PyObject *maker, PyObject *one, PyObject *two)
{
    PyObject *found = FIND(dict, key);
    if (found != NULL || PyErr_Occurred())
        return found;
    PyObject *made = PyObject_CallMethodObjArgs(owner, maker, one, two, NULL);
    Py_XDECREF(made);
    return made == NULL ? NULL : FIND(dict, key);
}

/* The desk of a fill, learnt. */
static const Desk *
desk_found(Way *way, PyObject *account_id, PyObject *strategy, PyObject *name)
{
    PyObject *account = FIND(way->accounts, account_id), *key = PyTuple_Pack(2, strategy, name);
    Desk desk = {account_id, strategy, name, account};
    if (account != NULL && key != NULL)
        desk.position = position_in(GET(account, AccountBook, positions), name, account, S_position, name, NULL);
    if (desk.position != NULL)
        desk.own = position_in(way->own, key, way->portfolio, S_strategy_position, strategy, name);
    Py_XDECREF(key);
    if (desk.own == NULL)
        return NULL;
    desk_learn(way->desks, desk);
    return desk_of(way->desks, account_id, strategy, name);
}

/* The shares of a purchase wait, where the market says so. */
static int
lock(Way *way, PyObject *position, PyObject *name, Filled *it)
{
    PyObject *bought_ns = PyLong_FromLongLong(it->start_ns);
    PyObject *asked[] = {name, bought_ns};
    PyObject *free_ns = bought_ns == NULL ? NULL : PyObject_Vectorcall(way->sellable_from, asked, 2, NULL);
    Py_XDECREF(bought_ns);
    if (free_ns == NULL)
        return -1;
    int64_t from_ns = whole(free_ns);
    int done = PyErr_Occurred() ? -1 : 0;
    if (done == 0 && from_ns > it->start_ns) {
        PyObject *row = PyTuple_Pack(2, free_ns, it->quantity);
        done = row == NULL ? -1 : for_nothing(
            PyObject_CallMethodOneArg(GET(position, Position, locked), S_append, row));
        Py_XDECREF(row);
    }
    Py_DECREF(free_ns);
    return done;
}

/* Portfolio.book. */
static int
book(Way *way, PyObject *costs_of, Filled *it)
{
    PyObject *request = it->request, *name = GET(request, SubmitOrder, instrument);
    PyObject *strategy = GET(request, SubmitOrder, strategy), *currency = GET(it->instrument, Instrument, currency);
    PyObject *account_id = GET(request, SubmitOrder, account);
    const Desk *desk = desk_of(way->desks, account_id, strategy, name);
    int first = desk == NULL;
    if (first && (desk = desk_found(way, account_id, strategy, name)) == NULL)
        return -1;
    PyObject *account = desk->account, *position = desk->position, *own = desk->own;
    PyObject *fees = PyNumber_Add(GET(account, AccountBook, fees), it->fee);
    if (fees == NULL || COUNT_AT(way->portfolio, Portfolio, fills, 1) < 0) {
        Py_XDECREF(fees);
        return -1;
    }
    PUT(account, AccountBook, fees, fees);
    int buys = GET(request, SubmitOrder, side) == way->buy;
    int done = add_to(way, GET(account, AccountBook, cash), currency, it->paid, -1);
    if (done == 0 && buys && PyTuple_GET_ITEM(costs_of, 2) == Py_None)
        done = lock(way, position, name, it);
    int64_t quantity = it->units;
    if (done == 0)
        done = add_position(way, position, buys ? quantity : -quantity, it->value);
    if (done == 0)
        done = add_position(way, own, buys ? quantity : -quantity, it->value);
    if (done < 0 || !first)
        return done;
    /* A price that was known once stays known. */
    PyObject *latest = GET(way->marks, Marks, latest);
    int marked = PyDict_Contains(latest, name);
    if (marked == 0 && !PyDict_CheckExact(latest))
        marked = PySequence_Contains(latest, name);
    if (marked == 0)
        return for_nothing(PyObject_CallFunction(way->new_mark, "OOL", name, it->price, (long long)it->start_ns));
    return marked < 0 ? -1 : 0;
}

/* It rests no more; the list it was alone in is used again. */
static int
unrest(Way *way, Filled *it)
{
    PUT(it->rest, Resting, leaves, PyLong_FromLong(0));
    if (PyDict_DelItem(way->resting, GET(it->request, SubmitOrder, instrument)) < 0)
        return -1;
    if (Py_REFCNT(it->waiting) == 1 && PyList_GET_SIZE(it->waiting) == 1 && way->spare_list == NULL) {
        if (PyList_SetItem(it->waiting, 0, Py_NewRef(Py_None)) < 0)
            return -1;
        way->spare_list = Py_NewRef(it->waiting);
    }
    return 0;
}

/* What is left to do once an order is known to be finished. */
static int
fill(Way *way, PyObject *costs_of, Filled *it)
{
    PyObject *client_id = GET(it->request, SubmitOrder, client_id);
    if (charged(way, costs_of, it) < 0 || unrest(way, it) < 0 || pour(way) < 0)
        return -1;
    if (write_out(way, it) < 0 || forget(way, client_id) < 0 || book(way, costs_of, it) < 0)
        return -1;
    return PyDict_DelItem(way->orders, client_id) < 0 ? -1 : PyDict_DelItem(way->working, client_id);
}

/* Nobody here needs these any more: order before what it was asked by. */
static void
let_go_of(Way *way, Filled *it)
{
    PyObject *fills = GET(it->order, Order, _fills);
    if (Py_REFCNT(it->order) == 1 && fills != NULL && Py_REFCNT(fills) == 1 && PyDict_CheckExact(fills)
        && PyDict_GET_SIZE(fills) == 0 && way->spare_fills == NULL) {
        way->spare_fills = fills;
        GET(it->order, Order, _fills) = NULL;
    }
    Py_DECREF(it->order);
    Py_DECREF(it->waiting);
    done_with(&way->rest, it->rest);
    done_with(&way->request, it->request);
    Py_DECREF(it->quantity);
    Py_XDECREF(it->price), Py_XDECREF(it->price_text);
    Py_XDECREF(it->value), Py_XDECREF(it->fee), Py_XDECREF(it->fee_text), Py_XDECREF(it->paid);
}

/* 1 where that filled what waits, 0 where it must go the long way, -1 on error. */
static int
fills(Way *way, Filled *it)
{
    PyObject *costs_of = look_up(&way->name, way->costs, it->name);
    int met = costs_of == NULL ? 0 : meets(way, costs_of, it);
    if (met == 1) {
        Py_INCREF(it->waiting), Py_INCREF(it->rest), Py_INCREF(it->request), Py_INCREF(it->order);
        Py_INCREF(it->quantity);
        met = priced(way, it);
        if (met == 1 && (met = finishes(way, it)) == 1)
            met = fill(way, costs_of, it) < 0 ? -1 : 1;
        let_go_of(way, it);
    }
    return PyErr_Occurred() ? -1 : met;
}

PyDoc_STRVAR(show_doc, "show(bar)\n--\n\nAs the function that ``short_way.way_out`` gives.");

static PyObject *
Way_show(Way *way, PyObject *bar)
{
    int met = 0;
    if (IS(bar, Bar) && PyFloat_CheckExact(GET(bar, Bar, open))) {
        int64_t ts_ns = natural(GET(bar, Bar, ts_ns)), interval_ns = natural(GET(bar, Bar, interval_ns));
        double open = PyFloat_AS_DOUBLE(GET(bar, Bar, open));
        Filled it = {GET(bar, Bar, instrument), bar, open, ts_ns - interval_ns, ts_ns};
        met = interval_ns < 0 ? 0 : fills(way, &it);
    }
    if (met < 0)
        return NULL;
    if (met == 0)
        return PyObject_CallOneArg(way->long_out, bar);
    Py_RETURN_NONE;
}
