// The Python that is evaluated in a paused Python program, in a namespace of its own.

/**
 * Uses what the program has imported and nothing else: importing NumPy into a program that goes without would be a
 * side effect, and slow. An answer is an object whose repr is the text: debugpy keeps every result until the program
 * goes on, and so keeps no copies of a tensor's bytes.
 */
export const PYTHON_SOURCE = String.raw`
import array, binascii, itertools, json, sys

TYPES = ('bool', 'int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64',
         'float16', 'bfloat16', 'float32', 'float64')
MOST = 200


class Answer:
    def __init__(self, make):
        self.make = make

    def __repr__(self):
        try:
            value = self.make()
        except Exception as error:
            value = {'error': '%s: %s' % (type(error).__name__, error)}
        kind = 'data' if isinstance(value, bytes) else 'json'
        text = value if kind == 'data' else json.dumps(value).encode()
        return '~%s %s' % (kind, binascii.b2a_base64(text, newline=False).decode())


def is_a(value, module, name):
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(value, kind)


def attributes(value):
    return getattr(value, '__dict__', None) or {}


def array_of(value):
    """The array behind an object of a hand-written autograd, which calls it data."""
    if is_array(value) or isinstance(value, (list, tuple)):
        return value
    data = attributes(value).get('data')
    return value if data is None else data


def is_array(value):
    if isinstance(value, type):
        return False
    if is_a(value, 'torch', 'Tensor'):
        return True
    return hasattr(type(value), '__array__') and hasattr(value, 'shape') and hasattr(value, 'dtype')


def describe(value, top):
    """[shape, number type, number type on the way], or None for what is no tensor."""
    if is_array(value):
        dtype = getattr(value.dtype, 'name', None) or str(value.dtype).split('.')[-1]
        if dtype not in TYPES:
            if top:
                raise TypeError(dtype + ' cannot be compared')
            return None
        return [[int(length) for length in value.shape], dtype, dtype]
    if isinstance(value, (list, tuple)):
        first = describe(array_of(value[0]), False) if value else None
        if not first or first[0] and any(describe(array_of(row), False) != first for row in value):
            return None
        return [[len(value)] + first[0], first[1], 'float64']
    return number(value)


def number(value):
    if isinstance(value, bool):
        return [[], 'bool', 'float64']
    return [[], 'float64', 'float64'] if isinstance(value, (int, float)) else None


def gradient(value):
    if is_a(value, 'torch', 'Tensor'):
        # Of a tensor that keeps none, torch prints a warning.
        return value.grad if value.is_leaf or value.retains_grad else None
    return attributes(value).get('grad')


def entries(expression, value, top=False):
    found = describe(array_of(value), top)
    if not found:
        return []
    grad = gradient(value)
    of_grad = None if grad is None else describe(array_of(grad), False)
    return [[expression] + found] + ([[expression + '.grad'] + of_grad] if of_grad else [])


def members(value, deep=True):
    if isinstance(value, dict):
        for key, member in itertools.islice(dict.items(value), MOST):
            if type(key) in (str, int):
                yield '[%r]' % (key,), member
    elif isinstance(value, (list, tuple)):
        for index, member in enumerate(value[:MOST]):
            yield '[%d]' % index, member
    elif not isinstance(value, (type, type(sys))):
        own = attributes(value)
        parts = [own] + [own.get(name) for name in ('_parameters', '_buffers')]
        for name, member in itertools.chain(*(part.items() for part in parts if isinstance(part, dict))):
            if isinstance(name, str) and name.isidentifier():
                yield '.' + name, member
        modules = own.get('_modules') if deep and is_a(value, 'torch.nn', 'Module') else None
        for name, module in (modules or {}).items():
            if name.isidentifier():
                for rest, member in members(module, False):
                    yield '.' + name + rest, member


def has_members(value):
    """Rows of numbers are no tensors of their own."""
    if is_array(value) or array_of(value) is not value:
        return False
    is_list = isinstance(value, (list, tuple))
    return not is_list or describe(value, False) is None or is_array(array_of(value[0]))


def candidates(name, value):
    yield name, value
    if has_members(value):
        for rest, member in itertools.islice(members(value), MOST):
            yield name + rest, member


def listed(variables):
    found = {}
    for name, value in variables.items():
        try:
            for expression, each in candidates(name, value):
                if is_array(each) or not isinstance(each, (bool, int, float)):
                    for entry in entries(expression, each):
                        found.setdefault(entry[0], entry)
        except Exception:
            pass  # What cannot even be looked at is not offered.
    return list(found.values())


def described(expression, value):
    found = entries(expression, value, True)
    if not found:
        raise TypeError('%s is a %s, not a tensor' % (expression, type(value).__name__))
    return found


def flatten(value, shape, out):
    if hasattr(value, 'tolist'):
        value = (value.detach() if hasattr(value, 'detach') else value).tolist()
    if not shape:
        out.append(value)
        return
    if not isinstance(value, (list, tuple)) or len(value) != shape[0]:
        raise ValueError('its rows differ in length')
    if len(shape) == 1 and number(value[0] if value else 0):
        out.extend(value)
    else:
        for row in value:
            flatten(array_of(row), shape[1:], out)


def entries_of(value, shape, dtype, prefix, start, stop, row):
    value = array_of(value)
    if describe(value, False)[:2] != [shape, dtype]:
        raise ValueError('it has changed while it was read')
    if isinstance(value, (list, tuple, bool, int, float)) and not is_array(value):
        for index in prefix:
            value = array_of(value[index])
        out = array.array('d')
        for each in value[start:stop] if shape else [value]:
            flatten(array_of(each), row, out)
        if sys.byteorder == 'big':
            out.byteswap()
        return out.tobytes()
    index = tuple(prefix) + ((slice(start, stop),) if shape else ())
    if is_a(value, 'torch', 'Tensor'):
        value = value.detach()
        part = (value.to_dense() if value.is_sparse else value)[index].cpu()
        if dtype == 'bfloat16':
            part = part.contiguous().view(sys.modules['torch'].int16)
        part = part.numpy()
    elif is_a(value, 'cupy', 'ndarray'):
        part = value[index].get()
    else:
        numpy = sys.modules['numpy']
        part = numpy.asarray(value)[index]
        if dtype == 'bfloat16':
            part = numpy.ascontiguousarray(part).view(numpy.uint16)
    return part.astype(part.dtype.newbyteorder('<')).tobytes()
`;
