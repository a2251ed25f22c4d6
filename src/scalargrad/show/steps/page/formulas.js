// The formulas of a step in symbols and in numbers, as text or as MathML. The rules are those of
// scalargrad.show.steps.formulas and scalargrad.show.steps.formulas; a test holds them together.

const MOST_INPUTS = 8;
const MOST_SCORES = 4;

const TEXT = {
  form: "text",
  name: (word) => word,
  partial: (of, by) => `∂${of}/∂${by}`,
  bar: barText,
  delta: (word) => `δ_${word}`,
  phrase: (words) => words,
  print: printText,
  join: (pieces) => pieces.join(" "),
  listing: (pieces) => pieces.join(", "),
  sign: (sign) => sign,
  product: (left, right) => `${left}·${right}`,
  finish: (written) => written,
};

const mi = scripted;
const mrow = (pieces, between = "") => `<mrow>${pieces.join(between)}</mrow>`;

const MATHML = {
  form: "mathml",
  name: mi,
  partial: (of, by) =>
    `<mfrac>${mrow(["<mo>∂</mo>", mi(of)])}${mrow(["<mo>∂</mo>", mi(by)])}</mfrac>`,
  bar: (word) => `<mover accent="true">${mi(word)}<mo>¯</mo></mover>`,
  delta: (word) => `<msub><mi>δ</mi>${mi(word)}</msub>`,
  phrase: (words) => `<mtext>&#160;${escapeHtml(words)}&#160;</mtext>`,
  print: printMathml,
  join: (pieces) => mrow(pieces),
  listing: (pieces) => mrow(pieces, "<mo>,</mo>"),
  sign: (sign) => `<mo>${sign}</mo>`,
  product: (left, right) => mrow([left, "<mo>·</mo>", right]),
  finish: (written) => `<math displaystyle="true">${written}</math>`,
};

// Put a bar over a letter with or without an index, or over every letter of a word.
function barText(word) {
  const [letter, ...rest] = word;
  const index = rest.join("");
  if (/\p{L}/u.test(letter) && (!index || /^\p{Nd}+$/u.test(index) || "_[⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉".includes(index[0]))) {
    return `${letter}\u0304${index}`;
  }
  return [...word].map((character) => `${character}\u0305`).join("");
}

// The gradient of a node, as the notation writes it; δ is that of a pre-activation alone.
function signal(node, script, notation) {
  const isPartial = notation === "partial" || (notation === "delta" && !nodes[node].preActivation);
  if (isPartial) return script.partial(nodes[root].word, nodes[node].word);
  return notation === "bar" ? script.bar(nodes[node].word) : script.delta(nodes[node].word);
}

const numberIn = (script, x) => script.print({ name: "n" }, new Map([["n", number(x)]]));
const factorIn = (script, x) => script.print({ name: "n" }, new Map([["n", number(x)]]), PRODUCT);

// An expression as a factor of a product, a quotient in parentheses.
const factorOf = (script, expression, words) => script.print(expression, words, /^(div|reciprocal)\//.test(expression.op) ? SIGN : PRODUCT);

// Write pieces, each after the sign that relates it to the one before, if any.
function chain(script, links) {
  return script.join(links.flatMap(([sign, piece]) => (sign ? [script.sign(sign), piece] : [piece])));
}

// One gate at the point of a sweep: its expressions, and what their names stand for.
class GateAt {
  constructor(sweep, node) {
    this.sweep = sweep;
    this.node = nodes[node];
    this.gate = gates[this.node.gate];
    this.standIns = new Map([["y", node]]);
    for (const [i, parent] of this.node.parents.entries()) this.standIns.set(`x${i}`, parent);
    const constants = new Map();
    const known = new Map();
    for (const [name, x] of this.standIns) {
      const value = numberOf(x, sweep.data);
      if (typeof x === "object") constants.set(name, value);
      known.set(name, value);
    }
    this.known = known;
    this.resolver = new Resolver(constants, new Resolver(known));
  }

  // The local derivative for an operand, simplified at this point.
  partial(operand) {
    return shorten(this.derivative(operand));
  }

  // The same with all operands of a long sum or call.
  derivative(operand) {
    return this.resolver.resolve(this.gate.terms[this.gate.partials[operand]]);
  }

  // The textbook's derivative, which does without the result; null where that is the same.
  textbook(operand) {
    const written = this.gate.textbooks[operand];
    if (written === null || !namesIn(this.partial(operand)).some(({ name }) => name === "y")) return null;
    return shorten(this.resolver.resolve(this.gate.terms[written]));
  }

  // The sign between what the gate computes, in numbers, and its result.
  get relation() {
    this.sign ??= this.makeRelation();
    return this.sign;
  }

  makeRelation() {
    const operands = this.node.parents.map((_, i) => this.known.get(`x${i}`));
    const result = this.known.get("y");
    if (!functions[this.node.gate]) return relation(...operands, result); // a user's own, of which no more is known
    return resultRelation(decimalResult(this.node.gate, operands.map(decimal)), result);
  }

  // The signs before the local derivative in numbers, and before what they give. The first is ≈ also
  // where it names a result that is not what is shown, as of tanh(40).
  relations(operand, local) {
    const rule = this.derivative(operand);
    const names = namesIn(rule).map(({ name }) => name).filter((name) => this.known.has(name));
    const shown = relation(...numbersIn(rule), ...names.map((name) => this.known.get(name)));
    const known = new Map(names.map((name) => [name, decimal(this.known.get(name))]));
    return [loosest(shown, names.includes("y") ? this.relation : "="), resultRelation(decimalValue(rule, known, decimal), local)];
  }

  isConstant(operand) {
    return isNumber(this.gate.terms[this.gate.partials[operand]]);
  }

  get expression() {
    return this.gate.terms[this.gate.expression];
  }

  words(expression) {
    return this.written(expression, (x) => (x.largest ? largestOf(x) : typeof x === "object" ? number(float(x.constant)) : nodes[x].word));
  }

  numbers(expression) {
    return this.written(expression, (x) => number(numberOf(x, this.sweep.data)));
  }

  written(expression, write) {
    const words = new Map(FIXED.map((name) => [name, name]));
    for (const { name } of namesIn(expression)) {
      const x = this.standIns.get(name);
      if (x !== undefined) words.set(name, write(x));
    }
    return words;
  }

  // The numbers that stand in an expression even in symbols.
  constantsOf(expression) {
    const named = namesIn(expression).map(({ name }) => this.standIns.get(name));
    const constants = named.filter((x) => typeof x === "object" && !x.largest).map((x) => float(x.constant));
    return [...numbersIn(expression), ...constants];
  }
}

// The maximum that a gate holds constant, as that of softmax does.
const heldIn = (node) => nodes[node].parents.find((x) => x.largest);

// The maximum that softmax subtracts, in words; of many scores, the first three and the last.
function largestOf({ largest }) {
  const words = largest.filter((x) => typeof x === "number").map((x) => nodes[x].word);
  const shown = words.length <= MOST_SCORES ? words : [...words.slice(0, MOST_SCORES - 1), "…", words.at(-1)];
  return `max(${shown.join(", ")})`;
}

const gatesAt = new WeakMap(); // gates by sweep and node: their expressions are simplified once

function gateAt(sweep, node) {
  if (!gatesAt.has(sweep)) gatesAt.set(sweep, new Map());
  const known = gatesAt.get(sweep);
  if (!known.has(node)) known.set(node, new GateAt(sweep, node));
  return known.get(node);
}

// A formula is {symbols, numbers, brief}: links of a chain, each a sign, or none, and a piece.
// Where the numbers would only repeat, the whole has the result alone, after the sign `brief`.
const wholeLinks = ({ symbols, numbers, brief }) => [...symbols, ...(brief ? [[brief, numbers.at(-1)[1]]] : numbers)];
const numberLinks = ({ numbers }) => [["", numbers[0][1]], ...numbers.slice(1)];
const LINKS = { whole: wholeLinks, symbols: ({ symbols }) => symbols, numbers: numberLinks };

// Write a part of a step's formula: the "whole", its "symbols" or its "numbers".
function formula(sweep, step, part, script, notation) {
  const links = LINKS[part];
  if (step.node === null) {
    const pieces = inputs.slice(0, MOST_INPUTS).map((i) => chain(script, links(inputFormula(sweep, i, script))));
    if (inputs.length > MOST_INPUTS) pieces.push(script.phrase(`and ${inputs.length - MOST_INPUTS} more`));
    return script.finish(script.listing(pieces));
  }
  const make = { forward: forwardFormula, seed: seedFormula, backward: backwardFormula }[step.phase];
  return script.finish(chain(script, links(make(sweep, step, script, notation))));
}

function inputFormula(sweep, leaf, script) {
  const value = sweep.data[leaf];
  return {
    symbols: [["", script.name(nodes[leaf].word)]],
    numbers: [[relation(value), numberIn(script, value)]],
  };
}

function forwardFormula(sweep, { node }, script) {
  const gate = gateAt(sweep, node);
  const { expression } = gate;
  const value = sweep.data[node];
  const constants = gate.constantsOf(expression);
  const [numbers, operands] = [gate.numbers(expression), sweep.exactness.operands(node)];
  const namesAll = isPlainSum(expression) && !heldIn(node);
  const repeats = namesAll || printText(expression, numbers) === number(value);
  return {
    symbols: [
      ["", script.name(nodes[node].word)],
      [relation(...constants), script.print(expression, gate.words(expression))],
    ],
    numbers: [
      [operands, script.print(expression, numbers)],
      [gate.relation, numberIn(script, value)],
    ],
    brief: repeats ? loosest(operands, gate.relation) : "",
  };
}

function seedFormula(sweep, { node }, script, notation) {
  return {
    symbols: [["", signal(node, script, notation)]],
    numbers: [["=", numberIn(script, 1)]],
  };
}

// What a wire carries back: the whole signal, or, where the parent has several wires, a term of it.
function contributionLinks(step, product, script, notation, equals = "=") {
  const arriving = signal(step.parent, script, notation);
  if (step.expected < 2) return [["", arriving], [equals, product]];
  return [["", script.join([arriving, script.phrase(`via ${gateWords(step)}:`)])], ["", product]];
}

function backwardFormula(sweep, step, script, notation) {
  const upstream = sweep.signals[step.node];
  const local = sweep.locals[step.node][step.operand];
  const contribution = upstream * local;
  const product = script.product(factorIn(script, upstream), factorIn(script, local));
  const links = chainInSymbols(sweep, step, script, notation);
  const filledIn = loosest(sweep.exactness.gradient(step.node), ...sweep.exactness.local(step));
  const result = productRelation(upstream, local, contribution);
  return {
    symbols: contributionLinks(step, links, script, notation, links === product ? filledIn : "="),
    numbers: [[filledIn, product], [result, numberIn(script, contribution)]],
    brief: links === product ? result : "",
  };
}

// Upstream · local in symbols; at the root the upstream is 1, so it says 1·q.
function chainInSymbols(sweep, step, script, notation) {
  if (step.node !== root) {
    const local = script.partial(nodes[step.node].word, nodes[step.parent].word);
    return script.product(signal(step.node, script, notation), local);
  }
  const gate = gateAt(sweep, step.node);
  const partial = gate.partial(step.operand);
  return script.product(factorIn(script, sweep.signals[step.node]), factorOf(script, partial, gate.words(partial)));
}

// The local derivative of a wire, ∂f/∂z = q = 3.
function localFormula(sweep, step, script) {
  const gate = gateAt(sweep, step.node);
  const local = sweep.locals[step.node][step.operand];
  const partial = gate.partial(step.operand);
  let left = script.partial(nodes[step.node].word, nodes[step.parent].word);
  if (isShare(step)) {
    left = script.join([left, script.phrase("on this wire")]); // not the whole derivative
  }
  const constants = gate.constantsOf(partial);
  const symbols = script.print(partial, gate.words(partial));
  const numbers = script.print(partial, gate.numbers(partial));
  const [filledIn, result] = sweep.exactness.local(step);
  const ofNames = loosest(filledIn, result);
  if (symbols === numbers) return { symbols: [["", left]], numbers: [[ofNames, numberIn(script, local)]] };
  const repeats = printText(partial, gate.numbers(partial)) === number(local);
  const links = [[filledIn, numbers], [result, numberIn(script, local)]];
  const written = [["", left], [relation(...constants), symbols]];
  const textbook = gate.textbook(step.operand);
  if (textbook !== null) {
    written.splice(1, 0, [relation(...gate.constantsOf(textbook)), script.print(textbook, gate.words(textbook))]);
  }
  return { symbols: written, numbers: links, brief: repeats ? ofNames : "" };
}

const localText = (sweep, step, script = TEXT) =>
  script.finish(chain(script, wholeLinks(localFormula(sweep, step, script))));

// Name the gate a contribution comes by, and which of several wires.
function gateWords(step) {
  const { word } = nodes[step.node];
  return isRepeated(step) ? `${word}, operand ${step.operand + 1}` : word;
}

// Whether the derivative by an operand is the sum of what several wires carry.
function isShare(step) {
  return step.expected > 1 && (step.node === root || isRepeated(step));
}

// Whether a gate has the same operand more than once.
function isRepeated(step) {
  return nodes[step.node].parents.filter((parent) => parent === step.parent).length > 1;
}
