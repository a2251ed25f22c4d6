// What operations give of decimals as they are shown: = is written before just that, else ≈. The rules
// are those of scalargrad.show.decimal_results; a test holds the two together.

const LARGEST_POWER = 100;
const HALF = { n: 5n, e: -1 };

const ARITHMETIC = {
  add: plus,
  sub: (a, b) => plus(a, negative(b)),
  mul: times,
  div: over,
  sqrt: rootOf,
  pow: powerOf,
};

const CHOICES = ["neg", "abs", "identity", "maximum", "minimum", "floor", "ceil", "rint", "lt", "le", "gt", "ge", "eq", "ne"];

// What an operation gives of decimals; null if no decimal is known.
function decimalResult(key, operands) {
  const { name, lazy, body } = notations[key];
  if (!functions[key]) return null; // a user's own
  if (body) return decimalValue(body, new Map(operands.map((x, i) => [`x${i}`, x])), (x) => readDecimal(String(x)));
  if (lazy) {
    const [condition, chosen, other] = operands;
    return condition && (condition.n ? chosen : other);
  }
  if (operands.includes(null)) return null;
  if (ARITHMETIC[name]) return ARITHMETIC[name](...operands);
  const isChoice = CHOICES.includes(name);
  const numbers = operands.map(nearest);
  if (!isChoice && !numbers.every((x) => [-1, 0, 1].includes(x))) return null;
  const value = functions[key].value(numbers);
  return isChoice || Number.isInteger(value) ? readDecimal(String(value)) : null;
}

// What an expression gives where decimals are known of its names, and `constant` reads its numbers:
// its parts first, each once, without recursion.
function decimalValue(expression, known, constant) {
  const done = new Map();
  const value = (part) => {
    if (isNumber(part)) return constant(part);
    return part.op ? done.get(part) : known.get(part.name) ?? null; // π is none
  };
  const isMissing = (part) => !isNumber(part) && part.op && !done.has(part);
  const stack = [expression];
  while (stack.length) {
    const part = stack.pop();
    if (!isMissing(part)) continue;
    const missing = part.of.filter(isMissing);
    if (missing.length) stack.push(part, ...missing);
    else done.set(part, decimalResult(part.op, part.of.map(value)));
  }
  return value(expression);
}

function powerOf(base, exponent) {
  if (areEqual(exponent, HALF)) return rootOf(base);
  const power = nearest(exponent);
  if (!Number.isInteger(power) || Math.abs(power) > LARGEST_POWER) return null;
  const raised = Array(Math.abs(power)).fill(base).reduce(times, { n: 1n, e: 0 });
  return power < 0 ? over({ n: 1n, e: 0 }, raised) : raised;
}

function rootOf(x) {
  const root = readDecimal(String(Math.sqrt(nearest(x))));
  return areEqual(times(root, root), x) ? root : null;
}
