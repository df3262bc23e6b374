/* Averages that remember everything (engine/indicators/smoothing.py), for many values at once: the same additions and
   multiplications of doubles in the same order, so the same bits. Compiled without contraction: a fused multiply-add
   rounds once where Python rounds twice. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#ifndef SLUICE_SOURCE
#define SLUICE_SOURCE ""
#endif

/* The two arrays of doubles, values and their averages, of one length; 0 with an error set if they are not. */
static int
arrays(PyObject *values, PyObject *found, Py_buffer *in, Py_buffer *out)
{
    if (PyObject_GetBuffer(values, in, PyBUF_CONTIG_RO | PyBUF_FORMAT) < 0)
        return 0;
    if (PyObject_GetBuffer(found, out, PyBUF_CONTIG | PyBUF_FORMAT) < 0) {
        PyBuffer_Release(in);
        return 0;
    }
    if (in->len == out->len && in->format != NULL && out->format != NULL && in->format[0] == 'd' && out->format[0] == 'd')
        return 1;
    PyBuffer_Release(in);
    PyBuffer_Release(out);
    PyErr_SetString(PyExc_ValueError, "two arrays of doubles of one length are wanted");
    return 0;
}

PyDoc_STRVAR(exponential_doc,
    "exponential(average, k, values, found)\n--\n\nWrites ``(value - average) * k + average``, value by value.");

static PyObject *
exponential(PyObject *Py_UNUSED(module), PyObject *args)
{
    double average, k;
    PyObject *values, *found;
    Py_buffer in, out;
    if (!PyArg_ParseTuple(args, "ddOO", &average, &k, &values, &found) || !arrays(values, found, &in, &out))
        return NULL;
    const double *value = in.buf;
    double *at = out.buf;
    for (Py_ssize_t count = in.len / (Py_ssize_t)sizeof(double); count > 0; count--)
        *at++ = average = (*value++ - average) * k + average;
    PyBuffer_Release(&in);
    PyBuffer_Release(&out);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(wilder_doc,
    "wilder(average, period, values, found)\n--\n\n"
    "Writes ``(average * (period - 1) + value) / period``, value by value.");

static PyObject *
wilder(PyObject *Py_UNUSED(module), PyObject *args)
{
    double average, period;
    PyObject *values, *found;
    Py_buffer in, out;
    if (!PyArg_ParseTuple(args, "ddOO", &average, &period, &values, &found) || !arrays(values, found, &in, &out))
        return NULL;
    const double *value = in.buf, kept = period - 1;
    double *at = out.buf;
    for (Py_ssize_t count = in.len / (Py_ssize_t)sizeof(double); count > 0; count--)
        *at++ = average = (average * kept + *value++) / period;
    PyBuffer_Release(&in);
    PyBuffer_Release(&out);
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"exponential", exponential, METH_VARARGS, exponential_doc},
    {"wilder", wilder, METH_VARARGS, wilder_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "engine.native.averages", .m_doc = "Columns of recursive averages.", .m_size = 0,
    .m_methods = functions,
};

PyMODINIT_FUNC
PyInit_averages(void)
{
    PyObject *made = PyModule_Create(&module);
    if (made != NULL && PyModule_AddStringConstant(made, "SOURCE", SLUICE_SOURCE) < 0)
        Py_CLEAR(made);
    return made;
}
