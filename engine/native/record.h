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

/* Make room; -1 with an error set if there is none. */
static int
ink_room(Ink *ink, Py_ssize_t more)
{
    if (ink->size + more <= ink->room)
        return 0;
    Py_ssize_t room = ink->room ? ink->room : 4096;
    while (room < ink->size + more)
        room *= 2;
    char *data = PyMem_Realloc(ink->data, (size_t)room);
    if (data == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    ink->data = data;
    ink->room = room;
    return 0;
}

static int
ink_raw(Ink *ink, const char *bytes, Py_ssize_t size)
{
    if (ink_room(ink, size) < 0)
        return -1;
    memcpy(ink->data + ink->size, bytes, (size_t)size);
    ink->size += size;
    return 0;
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

/* A number of at least 0, in the fewest bytes. */
static int
ink_number(Ink *ink, int64_t value)
{
    static const unsigned char marks[] = {0xcc, 0xcd, 0xce, 0xcf};
    unsigned char bytes[9];
    if (value < 128) {
        bytes[0] = (unsigned char)value;
        return ink_raw(ink, (char *)bytes, 1);
    }
    int power = value <= 0xff ? 0 : value <= 0xffff ? 1 : value <= (int64_t)0xffffffff ? 2 : 3;
    int width = 1 << power;
    bytes[0] = marks[power];
    for (int k = 0; k < width; k++)
        bytes[1 + k] = (unsigned char)(value >> (8 * (width - 1 - k)));
    return ink_raw(ink, (char *)bytes, 1 + width);
}

static int
ink_bytes(Ink *ink, const char *bytes, Py_ssize_t size)
{
    unsigned char head[3];
    int width = 1;
    if (size < 32) {
        head[0] = (unsigned char)(0xa0 | size);
    }
    else if (size <= 0xff) {
        head[0] = 0xd9, head[1] = (unsigned char)size, width = 2;
    }
    else if (size <= 0xffff) {
        head[0] = 0xda, head[1] = (unsigned char)(size >> 8), head[2] = (unsigned char)size, width = 3;
    }
    else {
        PyErr_SetString(PyExc_ValueError, "a text of more than 65,535 bytes in an order");
        return -1;
    }
    return ink_raw(ink, (char *)head, width) < 0 ? -1 : ink_raw(ink, bytes, size);
}

static int
ink_text(Ink *ink, PyObject *text)
{
    Py_ssize_t size;
    const char *bytes = PyUnicode_AsUTF8AndSize(text, &size);
    return bytes == NULL ? -1 : ink_bytes(ink, bytes, size);
}

/* An amount, as the text it prints as. */
static int
ink_amount(Ink *ink, PyObject *amount)
{
    PyObject *text = PyObject_Str(amount);
    if (text == NULL)
        return -1;
    int done = ink_text(ink, text);
    Py_DECREF(text);
    return done;
}

/* The k-th constant piece of a record, a tuple of bytes. */
static int
ink_piece(Ink *ink, PyObject *pieces, Py_ssize_t k)
{
    PyObject *piece = PyTuple_GET_ITEM(pieces, k);
    return ink_raw(ink, PyBytes_AS_STRING(piece), PyBytes_GET_SIZE(piece));
}

#endif
