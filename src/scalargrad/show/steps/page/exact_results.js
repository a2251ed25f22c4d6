// What operations give exactly: = is written before a result that is just that, else ≈. The rules are
// those of scalargrad.show.exact_results; a test holds the two together.

const HALF = fraction(1n, 2n);
const LARGEST_POWER = 10000n;

const truth = (is) => fraction(is ? 1n : 0n);
const down = (x) => (x?.d ? fraction((x.n - (((x.n % x.d) + x.d) % x.d)) / x.d) : null);
const up = (x) => negative(down(negative(x)));

// The operations that give fractions of fractions: always, or where a root or logarithm is whole.
const EXACT = {
  add: plus,
  sub: (a, b) => plus(a, negative(b)),
  mul: times,
  div: over,
  neg: negative,
  abs: (x) => (x.n < 0n ? negative(x) : x),
  identity: (x) => x,
  lt: (a, b) => truth(isBelow(a, b)),
  le: (a, b) => truth(!isBelow(b, a)),
  gt: (a, b) => truth(isBelow(b, a)),
  ge: (a, b) => truth(!isBelow(a, b)),
  eq: (a, b) => truth(areEqual(a, b)),
  ne: (a, b) => truth(!areEqual(a, b)),
  floor: down,
  ceil: (x) => (x.d ? up(x) : null),
  rint: toEven,
  floor_divide: (a, b) => down(over(a, b)),
  remainder: (a, b) => (b.n && a.d && b.d ? plus(a, negative(times(b, down(over(a, b))))) : null),
  maximum: (...operands) => operands.reduce((most, x) => (isBelow(most, x) ? x : most)),
  minimum: (...operands) => operands.reduce((least, x) => (isBelow(x, least) ? x : least)),
  pow: powerOf,
  exp2: (x) => powerOf(fraction(2n), x),
  sqrt: (x) => powerOf(x, HALF),
  hypot: (a, b) => powerOf(plus(times(a, a), times(b, b)), HALF),
  log2: (x) => logarithmOf(x, 2),
  log10: (x) => logarithmOf(x, 10),
  atan2: (y, x) => (!y.n && x.n > 0n ? y : null),
};

// What an operation gives of fractions; null if no fraction is known.
function exactResult(key, operands) {
  const { name, lazy, body } = notations[key];
  if (!functions[key]) return null; // a user's own
  if (body) return exactValue(body, new Map(operands.map((x, i) => [`x${i}`, x])), (x) => fractionOf(x, String(x)));
  if (lazy) {
    const [condition, chosen, other] = operands;
    return condition && (condition.n ? chosen : other);
  }
  if (operands.includes(null)) return name === "mul" ? productOf(...operands) : null;
  const found = EXACT[name]?.(...operands) ?? null;
  if (found || !operands.every(isCertain)) return found;
  const value = functions[key].value(operands.map(({ n, d }) => Number(n) / Number(d)));
  return Number.isFinite(value) && !Number.isInteger(value) ? null : fractionOf(value, String(value));
}

// A product, which is 0 where one factor is, whatever the other.
function productOf(a, b) {
  if (a && b) return times(a, b);
  return (a ?? b)?.n === 0n ? fraction(0n) : null;
}

// What an expression gives where fractions are known of its names, and `constant` reads its numbers:
// its parts first, each once, without recursion.
function exactValue(expression, known, constant) {
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
    else done.set(part, exactResult(part.op, part.of.map(value)));
  }
  return value(expression);
}

// Whether x is -1, 0, 1 or infinite.
const isCertain = ({ n, d }) => d < 2n && n >= -1n && n <= 1n;

function toEven(x) {
  if (!x.d) return null;
  const near = down(plus(x, HALF));
  const isTie = areEqual(plus(near, negative(x)), HALF);
  return isTie && near.n % 2n ? fraction(near.n - 1n) : near;
}

// A power of a fraction: that of a root, if the exponent is not whole.
function powerOf(base, exponent) {
  if (!base || !base.d || !exponent.d) return null;
  if (!base.n) return exponent.n < 0n ? over(fraction(1n), base) : truth(!exponent.n);
  const power = exponent.n < 0n ? -exponent.n : exponent.n;
  if (power > LARGEST_POWER || exponent.d > LARGEST_POWER) return null;
  const [n, d] = [wholeRoot(base.n, exponent.d), wholeRoot(base.d, exponent.d)];
  if (n === null || d === null) return null;
  const raised = fraction(n ** power, d ** power);
  return exponent.n < 0n ? over(fraction(1n), raised) : raised;
}

// A root of a whole number, found by Newton's method from above, if it is whole.
function wholeRoot(n, order) {
  if (order === 1n || n < 1n) return order === 1n ? n : null;
  const bits = BigInt(n.toString(2).length);
  const lower = (x) => ((order - 1n) * x + n / x ** (order - 1n)) / order;
  let found = 1n << ((bits + order - 1n) / order);
  while (lower(found) < found) found = lower(found);
  return found ** order === n ? found : null;
}

// A logarithm, if it is whole.
function logarithmOf(x, base) {
  if (x.n < 1n || !x.d) return null;
  const power = fraction(BigInt(x.n.toString(base).length - x.d.toString(base).length));
  return areEqual(powerOf(fraction(BigInt(base)), power), x) ? power : null;
}
