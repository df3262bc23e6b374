/* Indicators of many bars at once, where numpy has to go over them many times or can not help at all: windowed means
   (engine/indicators/window.py), recursive averages (smoothing.py) and crosses (cross.py). The same additions and
   multiplications of doubles in the same order as bar by bar, so the same bits. Compiled without contraction: a fused
   multiply-add rounds once where Python rounds twice. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#ifndef SLUICE_SOURCE
#define SLUICE_SOURCE ""
#endif

/* Arrays of doubles, one after the other, all as long as the first; the first ``out`` of them may be written to. */
static int
arrays(PyObject *const *from, Py_buffer *to, int many, int out)
{
    for (int k = 0; k < many; k++) {
        int how = PyBUF_FORMAT | (k < out ? PyBUF_CONTIG : PyBUF_CONTIG_RO);
        if (PyObject_GetBuffer(from[k], &to[k], how) == 0) {
            if (to[k].format != NULL && to[k].format[0] == 'd' && to[k].len == to[0].len)
                continue;
            PyBuffer_Release(&to[k]);
            PyErr_SetString(PyExc_ValueError, "arrays of doubles of one length are wanted");
        }
        while (k-- > 0)
            PyBuffer_Release(&to[k]);
        return 0;
    }
    return 1;
}

static void
release(Py_buffer *some, int many)
{
    while (many-- > 0)
        PyBuffer_Release(&some[many]);
}

#define COUNT(buffer) ((buffer).len / (Py_ssize_t)sizeof(double))

/* ``(average, setting, values, found)``: found is the first of the two. */
static int
recursive(PyObject *args, double *average, double *setting, Py_buffer *both)
{
    PyObject *given[2];
    return PyArg_ParseTuple(args, "ddOO", average, setting, &given[1], &given[0]) && arrays(given, both, 2, 1);
}

PyDoc_STRVAR(exponential_doc,
    "exponential(average, k, values, found)\n--\n\nWrites ``(value - average) * k + average``, value by value.");

static PyObject *
exponential(PyObject *Py_UNUSED(module), PyObject *args)
{
    double average, k;
    Py_buffer both[2];
    if (!recursive(args, &average, &k, both))
        return NULL;
    double *at = both[0].buf;
    const double *value = both[1].buf;
    for (Py_ssize_t count = COUNT(both[0]); count > 0; count--)
        *at++ = average = (*value++ - average) * k + average;
    release(both, 2);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(wilder_doc,
    "wilder(average, period, values, found)\n--\n\n"
    "Writes ``(average * (period - 1) + value) / period``, value by value.");

static PyObject *
wilder(PyObject *Py_UNUSED(module), PyObject *args)
{
    double average, period;
    Py_buffer both[2];
    if (!recursive(args, &average, &period, both))
        return NULL;
    double *at = both[0].buf;
    const double *value = both[1].buf, kept = period - 1;
    for (Py_ssize_t count = COUNT(both[0]); count > 0; count--)
        *at++ = average = (average * kept + *value++) / period;
    release(both, 2);
    Py_RETURN_NONE;
}

/* The means of a whole block after another whole one, and its reference; gives its total. What the block before leaves
   and what this one adds up to do not wait for each other, and no mean waits for another. */
static double
whole_block(const double *before, const double *value, Py_ssize_t period, double *restrict left, double *restrict at)
{
    double ref = before[0], sum = 0.0, total = 0.0, size = (double)period;
    for (Py_ssize_t k = 0; k < period; k++) {
        left[period - 1 - k] = sum;
        sum += before[period - 1 - k] - ref;
        at[k] = total += value[k] - ref;
    }
    for (Py_ssize_t k = 0; k < period; k++)
        at[k] = ref + (left[k] + at[k]) / size;
    return total;
}

PyDoc_STRVAR(means_doc,
    "means(ref, total, begun, block, left, values, found)\n--\n\n"
    "``WindowSum.mean`` of each value; ``block`` and ``left`` are as long as the window, ``begun`` of ``block`` are\n"
    "known, the others of ``left`` are still to be taken. Gives ``(ref, total, begun)`` after the last.");

static PyObject *
means(PyObject *Py_UNUSED(module), PyObject *args)
{
    double ref, total;
    Py_ssize_t begun;
    PyObject *window[2], *series[2];
    Py_buffer kept[2], both[2];
    if (!PyArg_ParseTuple(args, "ddnOOOO", &ref, &total, &begun, &window[0], &window[1], &series[1], &series[0]))
        return NULL;
    if (!arrays(window, kept, 2, 2))
        return NULL;
    Py_ssize_t period = COUNT(kept[0]);
    if (begun < 0 || begun > period || period == 0) {
        PyErr_SetString(PyExc_ValueError, "more of a block is known than it has");
        release(kept, 2);
        return NULL;
    }
    if (!arrays(series, both, 2, 1)) {
        release(kept, 2);
        return NULL;
    }
    double *block = kept[0].buf, *left = kept[1].buf, *at = both[0].buf;
    const double *value = both[1].buf;
    for (Py_ssize_t count = COUNT(both[0]); count > 0; count--, value++) {
        if (begun == period && count > period) {
            const double *before = block;
            for (; count > period; count -= period, value += period, at += period) {
                ref = before[0];
                total = whole_block(before, value, period, left, at);
                before = value;
            }
            memcpy(block, before, (size_t)period * sizeof(double));
        }
        if (begun == period) {
            /* What is left of the block for each place in the next one, from its last value backwards. */
            double sum = 0.0;
            ref = block[0];
            for (Py_ssize_t k = 0; k < period; k++) {
                left[k] = sum;
                sum += block[period - 1 - k] - ref;
            }
            total = 0.0;
            begun = 0;
        }
        total += *value - ref;
        block[begun++] = *value;
        *at++ = ref + (left[period - begun] + total) / (double)period;
    }
    release(kept, 2);
    release(both, 2);
    return Py_BuildValue("ddn", ref, total, begun);
}

PyDoc_STRVAR(crosses_doc,
    "crosses(tie, side, values, others, found)\n--\n\n``Cross.update`` of each pair; gives the side after the last.");

static PyObject *
crosses(PyObject *Py_UNUSED(module), PyObject *args)
{
    double tie, side;
    PyObject *given[3];
    Py_buffer all[3];
    if (!PyArg_ParseTuple(args, "ddOOO", &tie, &side, &given[1], &given[2], &given[0]) || !arrays(given, all, 3, 1))
        return NULL;
    double *at = all[0].buf;
    const double *one = all[1].buf, *other = all[2].buf;
    for (Py_ssize_t count = COUNT(all[0]); count > 0; count--) {
        double gap = *one++ - *other++, now = gap > tie ? 1.0 : gap < -tie ? -1.0 : side;
        *at++ = now != side && side != 0.0 ? now : 0.0;
        side = now;
    }
    release(all, 3);
    return PyFloat_FromDouble(side);
}

static PyMethodDef functions[] = {
    {"means", means, METH_VARARGS, means_doc},
    {"crosses", crosses, METH_VARARGS, crosses_doc},
    {"exponential", exponential, METH_VARARGS, exponential_doc},
    {"wilder", wilder, METH_VARARGS, wilder_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "engine.native.columns", .m_doc = "Indicators of many bars at once.", .m_size = 0,
    .m_methods = functions,
};

PyMODINIT_FUNC
PyInit_columns(void)
{
    PyObject *made = PyModule_Create(&module);
    if (made != NULL && PyModule_AddStringConstant(made, "SOURCE", SLUICE_SOURCE) < 0)
        Py_CLEAR(made);
    return made;
}
