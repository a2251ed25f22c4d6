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

// A term is a number, or an object: {name} stands for an operand, a result or a node, {op, of} is an
// operation, by its key, applied to terms. In a list of terms each part is named by its index.
function readTerms(terms) {
  const parts = [];
  for (const term of terms) {
    if (Array.isArray(term)) parts.push({ op: term[0], of: term.slice(1).map((i) => parts[i]) });
    else parts.push(typeof term === "object" ? term : float(term));
  }
  return parts;
}

const isNumber = (term) => typeof term === "number";

// What a term comes to, where `read` gives the numbers of names; undefined outside of a domain.
function termValue(term, read) {
  if (isNumber(term)) return term;
  if (!term.op) return read(term.name);
  const operands = term.of.map((operand) => termValue(operand, read));
  const { valid, value } = functions[term.op];
  return !operands.includes(undefined) && valid(operands) ? value(operands) : undefined;
}

// What an operation gives of decimals; null if no decimal is known.
function decimalResult(key, operands) {
  const { name, lazy, body } = operations[key];
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

// What a term gives where decimals are known of its names, and `constant` reads its numbers:
// its parts first, each once, without recursion.
function decimalValue(term, known, constant) {
  const done = new Map();
  const value = (part) => {
    if (isNumber(part)) return constant(part);
    return part.op ? done.get(part) : known.get(part.name) ?? null; // π is none
  };
  const isMissing = (part) => !isNumber(part) && part.op && !done.has(part);
  const stack = [term];
  while (stack.length) {
    const part = stack.pop();
    if (!isMissing(part)) continue;
    const missing = part.of.filter(isMissing);
    if (missing.length) stack.push(part, ...missing);
    else done.set(part, decimalResult(part.op, part.of.map(value)));
  }
  return value(term);
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
