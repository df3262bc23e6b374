/* The step in: from a strategy's order to what rests at the venue (way_in of short_way.py). */

#pragma once

#include "way.h"

/* Everything of one order on its way in, borrowed; ``cost`` and its text are its own. ``position``: NULL where there is
   none yet. */
typedef struct {
    PyObject *order, *instrument, *account, *position, *cost, *text;
    int64_t quantity, ts_ns;
} Asked;

/* Whether free cash covers a cost; -1 on error (AccountBook.available_cash). */
static int
can_pay(Way *way, PyObject *account, PyObject *currency, PyObject *cost)
{
    PyObject *margin = GET(account, AccountBook, margin), *free = NULL;
    if (PyDict_Check(margin) && PyDict_GET_SIZE(margin) == 0) {
        PyObject *cash = FIND(GET(account, AccountBook, cash), currency);
        PyObject *reserved = FIND(GET(account, AccountBook, reserved), currency);
        if (PyErr_Occurred())
            return -1;
        free = cash ? Py_NewRef(cash) : Py_NewRef(way->zero);
        /* Nothing is reserved where nothing waits. */
        if (reserved != NULL && PyObject_IsTrue(reserved))
            Py_SETREF(free, PyNumber_Subtract(free, reserved));
    }
    else
        free = PyObject_CallMethodOneArg(account, S_available_cash, currency);
    if (free == NULL)
        return -1;
    int enough = PyObject_RichCompareBool(cost, free, Py_LE);
    Py_DECREF(free);
    return enough;
}

/* What a purchase may take of the cash, new (engine.risk.cost.cost_at); None: there is no price. */
static PyObject *
cost_of(Way *way, Asked *it, PyObject *book)
{
    PyObject *order = it->order, *instrument = it->instrument, *quantity = GET(order, SubmitOrder, quantity);
    PyObject *factor = GET(way->view, RiskView, cost_factor), *multiplier = GET(instrument, Instrument, multiplier);
    Price *known;
    PyObject *price = reference(way, GET(instrument, Instrument, id), &known), *units = units_of(way, quantity);
    if (price == NULL || price == Py_None)
        return price;
    PyObject *value = NULL, *fee = NULL, *cost = NULL;
    if (units == NULL)
        goto done;
    if (known != NULL && IS(book, Free)) {
        if (know_worth(known, it->quantity, units, multiplier, GET(book, Free, commission)) == 0
            && know_cost(known, factor) == 0) {
            cost = Py_NewRef(known->cost);
            it->text = Py_NewRef(known->cost_text);
        }
        goto done;
    }
    value = value_at(price, units, multiplier);
    if (value != NULL && IS(book, Free))
        fee = PyNumber_Multiply(value, GET(book, Free, commission));
    else if (value != NULL)
        fee = PyObject_CallMethodObjArgs(
            book, S_fee, GET(order, SubmitOrder, type), GET(order, SubmitOrder, side), quantity, price, instrument,
            GET(order, SubmitOrder, ts_ns), NULL);
    if (fee != NULL && factor != Py_None)
        Py_SETREF(value, PyNumber_Multiply(value, factor));
    if (fee != NULL && value != NULL)
        cost = PyNumber_Add(value, fee);
    it->text = cost == NULL ? NULL : PyObject_Str(cost);
    if (it->text == NULL)
        Py_CLEAR(cost);
done:
    Py_DECREF(price);
    Py_XDECREF(value);
    Py_XDECREF(fee);
    return cost;
}

/* Whether a market's own rules let an order by: -1 on error. */
static int
allowed(Way *way, const Asked *it, PyObject *book)
{
    if (IS(book, Free))
        return 1;
    PyObject *held = it->position ? Py_NewRef(GET(it->position, Position, quantity)) : PyLong_FromLong(0);
    PyObject *denial = PyObject_CallMethodObjArgs(
        book, S_check, it->order, it->instrument, GET(it->order, SubmitOrder, ts_ns), held, NULL);
    Py_DECREF(held);
    Py_XDECREF(denial);
    return denial == NULL ? -1 : denial == Py_None;
}

/* Whether so much is held that nothing stands in the way of: -1 on error. */
static int
can_sell(Way *way, const Asked *it)
{
    PyObject *position = it->position;
    if (position == NULL || PyObject_Size(GET(position, Position, locked)) != 0)
        return PyErr_Occurred() ? -1 : 0;
    int64_t held = whole(GET(position, Position, quantity));
    int64_t selling = whole(GET(position, Position, selling));
    return PyErr_Occurred() ? -1 : it->quantity <= held - selling;
}

/* Find whose books it is about; 0 where they are none that is known here, -1 on error. */
static int
find_books(Way *way, Asked *it)
{
    PyObject *account_id = GET(it->order, SubmitOrder, account), *name = GET(it->instrument, Instrument, id);
    const Desk *desk = desk_of(way->desks, account_id, GET(it->order, SubmitOrder, strategy), name);
    if (desk != NULL) {
        it->account = desk->account;
        it->position = desk->position;
        return 1;
    }
    it->account = FIND(way->accounts, account_id);
    if (it->account == NULL || !IS(it->account, AccountBook))
        return PyErr_Occurred() ? -1 : 0;
    it->position = FIND(GET(it->account, AccountBook, positions), name);
    return PyErr_Occurred() ? -1 : 1;
}

/* The cash to reserve for an order all limits say yes to, into ``cost``: 1; 0: no answer; -1 on error
   (engine.risk.everyday.judges). */
static int
judged(Way *way, Asked *it)
{
    PyObject *order = it->order, *instrument = it->instrument, *side = GET(order, SubmitOrder, side);
    it->quantity = natural(GET(order, SubmitOrder, quantity));
    if (PyDict_GET_SIZE(way->latches) || it->quantity <= 0)
        return 0;
    int yes = find_books(way, it);
    if (yes < 1)
        return yes;
    PyObject *book = look_up(&way->market, way->books, GET(instrument, Instrument, market));
    if (book == NULL)
        return PyErr_Occurred() ? -1 : 0;
    yes = allowed(way, it, book);
    if (yes == 1 && side == way->sell) {
        yes = can_sell(way, it);
        if (yes == 1)
            it->cost = Py_NewRef(way->zero), it->text = Py_NewRef(way->nothing);
    }
    else if (yes == 1 && side == way->buy) {
        it->cost = cost_of(way, it, book);
        if (it->cost == NULL)
            yes = -1;
        else
            yes = it->cost == Py_None ? 0 : can_pay(way, it->account, GET(instrument, Instrument, currency), it->cost);
    }
    else if (yes == 1)
        yes = 0;
    return yes;
}

/* OrderSubmitted, OrderSent and the venue's ACK. */
static int
write_in(Way *way, const Asked *it, Text venue_id)
{
    PyObject *order = it->order;
    const Pieces *pieces = GET(order, SubmitOrder, side) == way->buy ? &way->bought : &way->sold;
    Text client_id, account, strategy, instrument, cost;
    char *at = NULL;
    if (text_of(GET(order, SubmitOrder, client_id), &client_id) == 0
        && text_of(GET(order, SubmitOrder, account), &account) == 0
        && text_of(GET(order, SubmitOrder, strategy), &strategy) == 0
        && text_of(GET(order, SubmitOrder, instrument), &instrument) == 0 && text_of(it->text, &cost) == 0)
        at = ink_room(&way->ink, pieces->total + 14 * HEAD_MAX + 3 * client_id.size + 2 * account.size + strategy.size
                                     + instrument.size + cost.size + venue_id.size);
    if (at != NULL) {
        at = put_text(put_piece(at, pieces, 0), client_id);
        at = put_text(put_piece(at, pieces, 1), account);
        at = put_text(put_piece(at, pieces, 2), strategy);
        at = put_text(put_piece(at, pieces, 3), instrument);
        at = put_number(put_piece(at, pieces, 4), it->quantity);
        at = put_number(put_piece(at, pieces, 5), it->ts_ns);
        at = put_number(put_piece(at, pieces, 6), it->ts_ns);
        at = put_text(put_piece(at, pieces, 7), cost);
        at = put_text(put_piece(at, pieces, 8), client_id);
        at = put_number(put_piece(at, pieces, 9), it->ts_ns);
        at = put_text(put_piece(at, pieces, 10), account);
        at = put_number(put_piece(at, pieces, 11), it->ts_ns);
        at = put_text(put_piece(at, pieces, 12), client_id);
        at = put_text(put_piece(at, pieces, 13), venue_id);
        ink_upto(&way->ink, put_piece(at, pieces, 14), 3);
    }
    return at == NULL ? -1 : 0;
}

/* Portfolio.on_submitted. */
static int
reserve(Way *way, const Asked *it)
{
    PyObject *order = it->order, *quantity = GET(order, SubmitOrder, quantity);
    PyObject *currency = GET(it->instrument, Instrument, currency);
    int buys = GET(order, SubmitOrder, side) == way->buy, done;
    if (buys)
        done = add_to(way, GET(it->account, AccountBook, reserved), currency, it->cost, 1);
    else
        done = COUNT_AT(it->position, Position, selling, it->quantity);
    PyObject *held = done < 0 ? NULL : copy_of(&way->held);
    if (held == NULL)
        return -1;
    if (buys) {
        PUT(held, Reservation, currency, Py_NewRef(currency));
        PUT(held, Reservation, cash, Py_NewRef(it->cost));
        PUT(held, Reservation, held, Py_NewRef(it->cost));
    }
    else
        PUT(held, Reservation, position, Py_NewRef(it->position));
    PUT(held, Reservation, book, Py_NewRef(it->account));
    PUT(held, Reservation, quantity, Py_NewRef(quantity));
    PUT(held, Reservation, open, Py_NewRef(quantity));
    done = PyDict_SetItem(way->reservations, GET(order, SubmitOrder, client_id), held);
    Py_DECREF(held);
    return done;
}

/* Order(order, queued=True), placed: what all such orders share is taken from one that was made so (``placed``). */
static int
place(Way *way, PyObject *request, PyObject *venue_id)
{
    PyObject *sample = way->placed, *client_id = GET(request, SubmitOrder, client_id);
    PyTypeObject *type = (PyTypeObject *)way->Order;
    PyObject *order = type->tp_alloc(type, 0), *fills = way->spare_fills ? way->spare_fills : PyDict_New();
    way->spare_fills = NULL;
    if (order == NULL || fills == NULL) {
        Py_XDECREF(order);
        Py_XDECREF(fills);
        return -1;
    }
#define SAME(field) GET(order, Order, field) = Py_NewRef(GET(sample, Order, field))
    SAME(state), SAME(price), SAME(cum), SAME(value), SAME(fee), SAME(_queued), SAME(_sent), SAME(_acked), SAME(_odd);
#undef SAME
    GET(order, Order, request) = Py_NewRef(request);
    GET(order, Order, venue_id) = Py_NewRef(venue_id);
    GET(order, Order, sent_ns) = Py_NewRef(GET(request, SubmitOrder, ts_ns));
    GET(order, Order, _quantity) = Py_NewRef(GET(request, SubmitOrder, quantity));
    GET(order, Order, _fills) = fills;
    int done = PyDict_SetItem(way->orders, client_id, order) < 0 ? -1 : PyDict_SetItem(way->working, client_id, order);
    Py_DECREF(order);
    return done;
}

/* What rests at the venue from now on. */
static int
rest_at(Way *way, PyObject *order, PyObject *number, PyObject *cost)
{
    PyObject *ts_ns = GET(order, SubmitOrder, ts_ns), *quantity = GET(order, SubmitOrder, quantity);
    PyObject *buys = GET(order, SubmitOrder, side) == way->buy ? Py_True : Py_False;
    PyObject *rest = copy_of(&way->rest), *name = GET(order, SubmitOrder, instrument);
    if (rest == NULL)
        return -1;
    PUT(rest, Resting, number, Py_NewRef(number));
    PUT(rest, Resting, request, Py_NewRef(order));
    PUT(rest, Resting, reserved, Py_NewRef(cost));
    PUT(rest, Resting, accepted_ns, Py_NewRef(ts_ns));
    PUT(rest, Resting, buys, Py_NewRef(buys));
    PUT(rest, Resting, quantity, Py_NewRef(quantity));
    PUT(rest, Resting, leaves, Py_NewRef(quantity));
    PUT(rest, Resting, acts_ns, Py_NewRef(ts_ns));
    PyObject *others = FIND(way->resting, name);
    int done = -1;
    if (others != NULL)
        done = PyList_Append(others, rest);
    else if (!PyErr_Occurred()) {
        PyObject *alone = way->spare_list ? way->spare_list : PyList_New(1);
        way->spare_list = NULL;
        if (alone != NULL) {
            done = PyList_SetItem(alone, 0, Py_NewRef(rest)) < 0 ? -1 : PyDict_SetItem(way->resting, name, alone);
            Py_DECREF(alone);
        }
    }
    Py_DECREF(rest);
    return done;
}

/* Whether a strategy need not be told of acceptances: -1 on error. */
static int
hushed(Way *way, PyObject *strategy)
{
    PyObject *quiet = GET(way->manager, OrderManager, quiet);
    if (way->quiet == quiet && way->hushed_one == strategy)
        return 1;
    int yes = PySet_Contains(quiet, strategy);
    if (yes == 1) {
        Py_XSETREF(way->quiet, Py_NewRef(quiet));
        Py_XSETREF(way->hushed_one, Py_NewRef(strategy));
    }
    return yes;
}

/* 1 with the cost where the order may go the short way, 0 where not, -1 on an error that is nobody's answer. */
static int
may_go(Way *way, Asked *it)
{
    PyObject *order = it->order;
    if (!IS(order, SubmitOrder) || !IS(it->instrument, Instrument))
        return 0;
    if ((it->ts_ns = natural(GET(order, SubmitOrder, ts_ns))) < 0)
        return 0;
    int yes = hushed(way, GET(order, SubmitOrder, strategy));
    if (yes < 1)
        return yes;
    yes = judged(way, it);
    if (yes < 0 && PyErr_ExceptionMatches(way->failures)) {
        /* Which limit says no to such an order, they tell themselves. */
        PyErr_Clear();
        yes = 0;
    }
    if (yes == 1) {
        int known = PyDict_Contains(way->orders, GET(order, SubmitOrder, client_id));
        yes = known < 0 ? -1 : !known;
    }
    return yes;
}

PyDoc_STRVAR(submit_doc, "submit(order, instrument)\n--\n\nAs the function that ``short_way.way_in`` gives.");

static PyObject *
Way_submit(Way *way, PyObject *const *args, Py_ssize_t count)
{
    if (count != 2) {
        PyErr_SetString(PyExc_TypeError, "submit takes an order and its instrument");
        return NULL;
    }
    Asked it = {args[0], args[1]};
    PyObject *order = it.order, *number = NULL, *venue_id = NULL, *answer = NULL;
    int goes = may_go(way, &it);
    if (goes == 0)
        answer = PyObject_CallOneArg(way->long_in, order);
    if (goes < 1 || pour(way) < 0)
        goto done;
    int64_t next = whole(GET(way->venue, SimulatedVenue, accepted)) + 1;
    char digits[20];
    Text id = {digits, digits_of(next, digits)};
    if (PyErr_Occurred() || write_in(way, &it, id) < 0)
        goto done;
    number = PyLong_FromLongLong(next);
    venue_id = number == NULL ? NULL : PyUnicode_FromKindAndData(PyUnicode_1BYTE_KIND, digits, id.size);
    if (venue_id == NULL)
        goto done;
    PUT(way->venue, SimulatedVenue, accepted, Py_NewRef(number));
    if (reserve(way, &it) < 0 || place(way, order, venue_id) < 0)
        goto done;
    if (rest_at(way, order, number, it.cost) == 0)
        answer = Py_NewRef(Py_None);
done:
    Py_XDECREF(it.cost);
    Py_XDECREF(it.text);
    Py_XDECREF(number);
    Py_XDECREF(venue_id);
    return answer;
}
