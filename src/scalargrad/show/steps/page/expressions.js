// Expressions: the traced partials of the table, simplified at a point and written as a line of
// text or as MathML. The rules are those of scalargrad.show.steps.partials and
// scalargrad.table.printing.
//
// An expression is a number, or an object: {name} stands for an operand or the result of a gate,
// {op, of} is an operation, by its key in `notations`, applied to expressions.

const SUM = 3;
const SIGN = 5;
const PRODUCT = 4;
const ATOM = 9;
const CONDITIONAL = 1;
const ELLIPSIS = { name: "…" };
const FIXED = ["…", "π"]; // names that stand for themselves
const LONGEST_CALL = 6;

// An operation's operand which, being this number, leaves the other one as the result.
const NEUTRAL = {
  "add/2": [0, 0],
  "sub/2": [null, 0],
  "mul/2": [1, 1],
  "div/2": [null, 1],
  "pow/2": [null, 1],
};

// Rebuild the expressions of a gate from the list in which each part is named by its index.
function readTerms(terms) {
  const parts = [];
  for (const term of terms) {
    if (Array.isArray(term)) parts.push({ op: term[0], of: term.slice(1).map((i) => parts[i]) });
    else if (typeof term === "object") parts.push(term.name === "…" ? ELLIPSIS : term);
    else parts.push(float(term));
  }
  return parts;
}

const isNumber = (expression) => typeof expression === "number";

// Rewrites expressions in which the numbers of some names are known. `facts` knows every name
// and decides conditions.
class Resolver {
  constructor(known, facts = null) {
    this.known = known;
    this.facts = facts ?? this;
    this.done = new Map();
  }

  // First operands are followed in a loop, because a long sum leans to the left.
  resolve(expression) {
    const leaning = [];
    while (this.isOpen(expression)) {
      leaning.push(expression);
      [expression] = expression.of;
    }
    let result = this.decide(expression);
    for (const part of leaning.reverse()) {
      const rest = part.of.slice(1).map((operand) => this.resolve(operand));
      result = computed(part.op, [result, ...rest]);
      this.done.set(part, result);
    }
    return result;
  }

  isOpen(expression) {
    if (isNumber(expression) || !expression.op || this.done.has(expression)) return false;
    const { lazy, comparison } = notations[expression.op];
    return !lazy && !comparison;
  }

  decide(expression) {
    if (isNumber(expression)) return expression;
    if (this.done.has(expression)) return this.done.get(expression);
    if (!expression.op) return this.known.get(expression.name) ?? expression;
    let result;
    if (notations[expression.op].lazy) {
      const [condition, chosen, other] = expression.of;
      result = this.resolve(this.facts.resolve(condition) ? chosen : other);
    } else {
      const operands = expression.of.map((operand) => this.facts.resolve(operand));
      result = functions[expression.op].value(operands);
    }
    this.done.set(expression, result);
    return result;
  }
}

function computed(op, operands) {
  if (operands.every(isNumber) && functions[op]) return functions[op].value(operands);
  for (const [index, neutral] of (NEUTRAL[op] ?? []).entries()) {
    if (neutral !== null && operands[index] === neutral) return operands[1 - index];
  }
  return { op, of: operands };
}

// Replace the middle of every long sum and call by an ellipsis.
function shorten(expression) {
  if (isNumber(expression) || !expression.op) return expression;
  if (expression.op === "add/2") {
    const parts = leaveOut(termsOf(expression)).map(shorten);
    return parts.reduce((sum, term) => ({ op: "add/2", of: [sum, term] }));
  }
  return { op: expression.op, of: leaveOut(expression.of).map(shorten) };
}

function leaveOut(operands) {
  if (operands.length <= LONGEST_CALL) return operands;
  return [...operands.slice(0, LONGEST_CALL - 2), ELLIPSIS, operands.at(-1)];
}

// What a sum adds up, first to last; anything else is its own only term.
function termsOf(expression) {
  const lastToFirst = [];
  while (expression.op === "add/2") {
    lastToFirst.push(expression.of[1]);
    [expression] = expression.of;
  }
  return [expression, ...lastToFirst.reverse()];
}

// Whether an expression adds, subtracts or merely names operands as they are.
function isPlainSum(expression) {
  let parts = termsOf(expression);
  if (parts.length === 1 && expression.op) {
    if (notations[expression.op].text[1] !== SUM) return false;
    parts = expression.of;
  }
  return !parts.some((part) => part.op);
}

// Every part of an expression once, in the order in which they are first met.
function* partsOf(expression) {
  const seen = new Set();
  const stack = [expression];
  while (stack.length) {
    const found = stack.pop();
    if (!isNumber(found)) {
      if (seen.has(found)) continue;
      seen.add(found);
      if (found.op) stack.push(...[...found.of].reverse());
    }
    yield found;
  }
}

const namesIn = (expression) =>
  [...partsOf(expression)].filter((part) => !isNumber(part) && !part.op);
const numbersIn = (expression) => [...partsOf(expression)].filter(isNumber);

// Write an expression; `words` gives the text of each name. It is put in parentheses where it
// binds more loosely than `demand`, and where a minus sign would follow another sign.
function printText(expression, words, demand = CONDITIONAL) {
  return raised(enclosed(fragment(expression, words, "text"), firm(demand, expression), "text"));
}

// A formula with whole powers as superscripts, and the power ½ as a root.
const ROOT = /(?<![\p{L}\p{N}_.])([\p{L}\p{N}_.]+|\([^()]*\))\^0\.5(?![\p{L}\p{N}_.^])/gu;
const raised = (written) => written.replace(ROOT, "√$1").replace(/\^(?:\((−\d+)\)|(\d+))(?![\w.^])/g, (_, negative, power) =>
  [...(negative ?? power)].map((c) => RAISED[c]).join(""));
const RAISED = Object.fromEntries([..."−0123456789"].map((c, i) => [c, "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"[i]]));

function printMathml(expression, words, demand = CONDITIONAL) {
  const written = fragment(expression, words, "mathml");
  return enclosed(written, firm(demand, expression), "mathml");
}

function enclosed([written, precedence], demand, form) {
  if (precedence >= demand) return written;
  return form === "text" ? `(${written})` : `<mrow><mo>(</mo>${written}<mo>)</mo></mrow>`;
}

function fragment(expression, words, form) {
  if (isNumber(expression) || !expression.op) {
    const word = isNumber(expression) ? trueMinus(numberText(expression)) : words.get(expression.name);
    return [form === "text" ? word : token(word), bindingOf(word)];
  }
  const [template, precedence, demands] = notations[expression.op][form];
  const parts = expression.of.map((operand, i) => {
    const demand = demands[i] ?? CONDITIONAL;
    const opens = template.startsWith(`{${i}}`);
    const least = opens ? demand : firm(demand, operand);
    return enclosed(fragment(operand, words, form), least, form);
  });
  return [template.replace(/\{(\d+)\}/g, (_, i) => parts[i]), precedence];
}

// How tightly a name or number binds: 1e−3 is a product, of which no power is taken.
const bindingOf = (word) => (/^[-−]/.test(word) ? SUM : /^[\d.]+e/.test(word) ? SIGN : ATOM);

// The demand on an operand that stands after a sign.
function firm(demand, operand) {
  return demand > CONDITIONAL && opensWithMinus(operand) ? ATOM : demand;
}

function opensWithMinus(expression) {
  while (!isNumber(expression) && expression.op) {
    const [template] = notations[expression.op].text;
    if (!template.startsWith("{0}")) return template.startsWith("−");
    [expression] = expression.of;
  }
  return false; // names and numbers carry their sign in their precedence
}

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;" };
const escapeHtml = (text) => text.replace(/[&<>"']/g, (character) => ESCAPES[character]);

// One MathML token for a name or an already formatted number.
function token(word) {
  if (/^[-−]?(\d+(\.\d+)?(e[-−]?\d+)?|inf|nan)$/.test(word)) {
    return `<mn>${trueMinus(word)}</mn>`;
  }
  return scripted(word);
}

const SCRIPTS = [/^(\p{L})(\d+)$/u, /^(\p{L})_([\p{L}\p{N}_]+(?:,\d+)*)$/u, /^(\p{L})([⁰¹²³⁴⁵⁶⁷⁸⁹]*)([₀₁₂₃₄₅₆₇₈₉,]+)$/u];

// A name in MathML: a letter with its index below it and, as in w²₄,₃, its layer above.
function scripted(word) {
  const plain = (text) => [...text].map((c) => PLAIN_DIGITS[c] ?? c).join("");
  const found = SCRIPTS.map((pattern) => pattern.exec(word)).find(Boolean);
  if (!found) {
    const tag = word.includes(", ") ? "mtext" : "mi"; // several names, max(z1, z2), are words
    return `<${tag}>${escapeHtml(word)}</${tag}>`;
  }
  const letter = `<mi>${escapeHtml(found[1])}</mi>`;
  const below = (text) => {
    const tag = /\p{L}/u.test(text) ? "mtext" : "mn";
    return `<${tag}>${escapeHtml(plain(text))}</${tag}>`;
  };
  if (found.length === 3) return `<msub>${letter}${below(found[2])}</msub>`;
  if (!found[2]) return `<msub>${letter}${below(found[3])}</msub>`;
  return `<msubsup>${letter}${below(found[3])}${below(found[2])}</msubsup>`;
}

const PLAIN_DIGITS = Object.fromEntries([...("⁰¹²³⁴⁵⁶⁷⁸⁹" + "₀₁₂₃₄₅₆₇₈₉")].map((c, i) => [c, String(i % 10)]));
