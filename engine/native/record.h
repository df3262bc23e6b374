/* Records of the journal, written as the bytes msgpack has for them.

   What is the same in every record of a kind is cut out of one that the journal's own encoder made (short_way.py), so
   names, order and defaults of fields are told once, by the classes. Here the values go in between. */

#ifndef SLUICE_RECORD_H
#define SLUICE_RECORD_H

#include <Python.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    char *data;
    Py_ssize_t size, room;
    Py_ssize_t records;
} Ink;

/* A text of an order, as UTF-8. */
typedef struct {
    const char *bytes;
    Py_ssize_t size;
} Text;

#define HEAD_MAX 9 /* Bytes that stand before a text, or are a number, at most. */

/* Make room for so many bytes: where they go, or NULL with an error set. */
static char *
ink_room(Ink *ink, Py_ssize_t more)
{
    if (ink->size + more > ink->room) {
        Py_ssize_t room = ink->room ? ink->room : 4096;
        while (room < ink->size + more)
            room *= 2;
        char *data = PyMem_Realloc(ink->data, (size_t)room);
        if (data == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
        ink->data = data;
        ink->room = room;
    }
    return ink->data + ink->size;
}

/* What was written up to here is in the ink. */
static inline void
ink_upto(Ink *ink, const char *end, Py_ssize_t records)
{
    ink->size = end - ink->data;
    ink->records += records;
}

/* -1 with an error set for a text that is too long for an order. */
static int
text_of(PyObject *text, Text *found)
{
    if (PyUnicode_Check(text) && PyUnicode_IS_COMPACT_ASCII(text)) {
        found->bytes = PyUnicode_DATA(text);
        found->size = PyUnicode_GET_LENGTH(text);
    }
    else
        found->bytes = PyUnicode_AsUTF8AndSize(text, &found->size);
    if (found->bytes != NULL && found->size > 0xffff) {
        PyErr_SetString(PyExc_ValueError, "a text of more than 65,535 bytes in an order");
        found->bytes = NULL;
    }
    return found->bytes == NULL ? -1 : 0;
}

/* A number of at least 0 as decimal digits; how many they are. */
static int
digits_of(int64_t number, char *text)
{
    char backwards[20];
    int size = 0;
    do
        backwards[size++] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    for (int k = 0; k < size; k++)
        text[k] = backwards[size - 1 - k];
    return size;
}

/* Each of these writes to where there is room, and gives where the next goes. */

static inline char *
put_raw(char *at, const char *bytes, Py_ssize_t size)
{
    memcpy(at, bytes, (size_t)size);
    return at + size;
}

/* A number of at least 0, in the fewest bytes. */
static inline char *
put_number(char *at, int64_t value)
{
    if (value < 128) {
        *at = (char)value;
        return at + 1;
    }
    int power = value <= 0xff ? 0 : value <= 0xffff ? 1 : value <= (int64_t)0xffffffff ? 2 : 3, width = 1 << power;
    *at++ = (char)(0xcc + power);
    /* Moments are nearly all of them: the compiler makes one store of this. */
    if (power == 3)
        for (int k = 0; k < 8; k++)
            at[k] = (char)(value >> (56 - 8 * k));
    else
        for (int k = 0; k < width; k++)
            at[k] = (char)(value >> (8 * (width - 1 - k)));
    return at + width;
}

static inline char *
put_text(char *at, Text text)
{
    if (text.size < 32)
        *at++ = (char)(0xa0 | text.size);
    else if (text.size <= 0xff) {
        *at++ = (char)0xd9;
        *at++ = (char)text.size;
    }
    else {
        *at++ = (char)0xda;
        *at++ = (char)(text.size >> 8);
        *at++ = (char)text.size;
    }
    return put_raw(at, text.bytes, text.size);
}

/* What is constant in a record: pieces, each with room behind it, so that it is copied in steps of one size. */
#define STEP 32
#define PIECES_MAX 16

typedef struct {
    char *bytes;
    Py_ssize_t total, from[PIECES_MAX], size[PIECES_MAX];
} Pieces;

/* Out of a tuple of so many bytes; -1 with an error set where it is none. */
static int
pieces_of(Pieces *pieces, PyObject *tuple, Py_ssize_t count)
{
    Py_ssize_t room = 0;
    int known = tuple != NULL && PyTuple_Check(tuple) && PyTuple_GET_SIZE(tuple) == count;
    for (Py_ssize_t k = 0; known && k < count; k++) {
        PyObject *piece = PyTuple_GET_ITEM(tuple, k);
        known = PyBytes_Check(piece);
        pieces->from[k] = room;
        pieces->size[k] = known ? PyBytes_GET_SIZE(piece) : 0;
        room += (pieces->size[k] / STEP + 1) * STEP;
    }
    if (!known) {
        PyErr_Format(PyExc_TypeError, "%zd pieces of a record, all bytes, are wanted", count);
        return -1;
    }
    PyMem_Free(pieces->bytes);
    pieces->bytes = PyMem_Calloc((size_t)room, 1);
    if (pieces->bytes == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t k = 0; k < count; k++)
        put_raw(pieces->bytes + pieces->from[k], PyBytes_AS_STRING(PyTuple_GET_ITEM(tuple, k)), pieces->size[k]);
    pieces->total = room;
    return 0;
}

/* The k-th; what is behind it is written over by the next. */
static inline char *
put_piece(char *at, const Pieces *pieces, int k)
{
    const char *from = pieces->bytes + pieces->from[k];
    for (Py_ssize_t done = 0; done < pieces->size[k]; done += STEP)
        memcpy(at + done, from + done, STEP);
    return at + pieces->size[k];
}

#endif
