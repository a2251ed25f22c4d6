// The formulas of a step in symbols and in numbers, as text or as MathML. They are filled in from
// templates recorded in Python: `∂{}/∂{}` with names, `⟦x0 3⟧ + ⟦x1 4⟧` with the operands of a gate, in
// parentheses if the precedence of an operand is lower than the slot's.

const recorded = JSON.parse(document.getElementById("recorded").textContent);

const MAX_INPUTS = 8;
const [ANY, PRODUCT] = [1, 4]; // precedences of slots
const SLOT = /⟦(\w+) (\d)⟧/g;

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;" };
const escapeHtml = (text) => text.replace(/[&<>"']/g, (character) => ESCAPES[character]);

// A name in MathML: x or v12, or as recorded in Python; several names, as max(z1, z2), are text.
const scripts = new Map(recorded.nodes.map(({ word, script }) => [word, script]));
function scripted(word) {
  if (scripts.get(word)) return scripts.get(word);
  const [, letter, digits = ""] = /^(\p{L})(\d*)$/u.exec(word) ?? [];
  if (!letter) return `<mtext>${escapeHtml(word)}</mtext>`;
  return digits ? `<msub><mi>${letter}</mi><mn>${digits}</mn></msub>` : `<mi>${letter}</mi>`;
}

const isNumberText = (word) => /^[-−]?(\d+(\.\d+)?(e[-−]?\d+)?|inf|nan)$/.test(word);

// The precedence of a name or number: 1e−3 is a product, and needs parentheses before a power.
const precedenceOf = (word) => (/^[-−]/.test(word) ? 3 : /^[\d.]+e/.test(word) ? 5 : 9);

// A formula with integer powers as superscripts, and the power ½ as a root.
const ROOT = /(?<![\p{L}\p{N}_.])([\p{L}\p{N}_.]+|\([^()]*\))\^0\.5(?![\p{L}\p{N}_.^])/gu;
const withPowers = (written) => written.replace(ROOT, "√$1").replace(/\^(?:\((−\d+)\)|(\d+))(?![\w.^])/g, (_, negative, power) => superscript(negative ?? power));

// The functions that fill the templates of one markup; `name` formats names, `finish` whole formulas.
function createScript(form, name, escape, finish) {
  const templates = recorded.scripts[form];
  const fillIn = (key, ...pieces) => templates[key].replaceAll("{}", () => pieces.shift());
  const piece = (word, demand = ANY) => {
    const written = form && isNumberText(word) ? `<mn>${withMinusSigns(word)}</mn>` : name(word);
    return precedenceOf(word) >= demand ? written : fillIn("pair", written);
  };
  return {
    fillIn,
    name,
    number: (x) => piece(number(x)),
    factor: (x) => piece(number(x), PRODUCT),
    fill: (written, write) => finish(written[form].replace(SLOT, (_, slot, demand) => piece(write(slot), demand))),
    partial: (of, by) => fillIn("partial", name(of), name(by)),
    bar: ({ word, barred }) => (form ? fillIn("bar", name(word)) : barred ?? `${word[0]}\u0304${word.slice(1)}`),
    delta: (word) => fillIn("delta", name(word)),
    phrase: (words) => fillIn("phrase", escape(words)),
    join: (pieces) => fillIn("row", pieces.join(templates.between)),
    listing: (pieces) => fillIn("row", pieces.join(templates.comma)),
    sign: (sign) => fillIn("sign", sign),
    product: (left, right) => fillIn("product", left, right),
    finish: (written) => fillIn("whole", written),
  };
}

const same = (written) => written;
const TEXT = createScript(0, same, same, withPowers);
const MATHML = createScript(1, scripted, escapeHtml, same);

// The gradient of a node in a notation; δ is for pre-activations only.
function gradientSymbol(node, script, notation) {
  const isPartial = notation === "partial" || (notation === "delta" && !nodes[node].preActivation);
  if (isPartial) return script.partial(nodes[root].word, nodes[node].word);
  return notation === "bar" ? script.bar(nodes[node]) : script.delta(nodes[node].word);
}

// A chain of links: each piece after its sign, if it has one.
function chain(script, links) {
  return script.join(links.flatMap(([sign, piece]) => (sign ? [script.sign(sign), piece] : [piece])));
}

// One gate at the numbers of a sweep: its templates, and the operands in their slots.
class GateAt {
  constructor(sweep, node) {
    this.sweep = sweep;
    this.place = node;
    this.node = nodes[node];
    this.gate = gates[this.node.form];
    this.word = (slot) => wordOf(this.operandOf(slot));
    this.number = (slot) => numberOf(this.operandOf(slot), sweep.data);
    this.shown = (slot) => number(this.number(slot));
  }

  // The node or constant of a slot.
  operandOf(slot) {
    return slot === "y" ? this.place : this.node.parents[slot.slice(1)];
  }

  // The values of the terms of the gate, conditions and rules among them, at the exact numbers and at the
  // displayed ones.
  get values() {
    return this._values ??= evaluate(this.gate.terms, this.number, same, numberResult);
  }

  get valuesAsShown() {
    return this._valuesAsShown ??= evaluate(this.gate.terms, (slot) => numberAsShown(this.number(slot)), numberAsShown, resultAsShown);
  }

  // Whether the gate is at a kink or jump, where its derivatives are a convention. An operand that is a
  // comparison is true or false, and cannot be near a kink.
  get isAtKink() {
    const { terms, gap } = this.gate;
    const read = (slot) => (gates[nodes[this.operandOf(slot)]?.form]?.truth ? NaN : this.number(slot));
    return this._isAtKink ??= gap !== undefined && evaluate(terms, read, same, numberResult)[gap] === 0;
  }

  // The templates of a local derivative at these numbers; null if it is a number.
  derivativeTemplates(operand) {
    let found = this.gate.wires[operand].written;
    while (found && "if" in found) found = this.values[found.if] ? found.then : found.else;
    return found;
  }

  // The nodes whose numbers the displayed local derivative reads.
  nodesRead(operand) {
    const read = (this.derivativeTemplates(operand)?.reads ?? []).map((slot) => this.operandOf(slot));
    return [...new Set(read.filter((x) => typeof x === "number"))];
  }

  // The local derivative as a factor of a product, in symbols.
  factor(operand, script) {
    const written = this.derivativeTemplates(operand);
    return written ? script.fill(written.factor, this.word) : script.factor(this.sweep.locals[this.place][operand]);
  }

  // The sign between the operation in numbers and its result.
  get relation() {
    const operands = operandData(this.node, this.sweep.data);
    const result = this.number("y");
    const isCustom = !functions[this.node.gate]; // a custom operation, of which nothing else is known
    this._relation ??= isCustom ? relation(...operands, result) : resultRelation(resultAsShown(this.node.gate, operands.map(numberAsShown)), result);
    return this._relation;
  }

  // The signs before the local derivative in numbers, and before its value. The first is ≈ also if the
  // derivative reads a rounded result, such as tanh(40) ≈ 1.
  relations(operand) {
    const local = this.sweep.locals[this.place][operand];
    const written = this.derivativeTemplates(operand);
    if (!written) return [relation(local), "="];
    const shown = loosest(written.rounds, relation(...written.reads.map(this.number)));
    return [loosest(shown, written.reads.includes("y") ? this.relation : "="), resultRelation(this.valuesAsShown[written.rule], local)];
  }
}

const wordOf = (x) => (x.word !== undefined ? x.word : typeof x === "object" ? number(float(x.constant)) : nodes[x].word);

// The maximum that is a constant operand of a gate, as in softmax.
const heldMaximum = (node) => nodes[node].parents.find((x) => x.largest);

const gateAt = (sweep, node) => (sweep.gates[node] ??= new GateAt(sweep, node));

// A formula is {symbols, numbers, brief}: links of a chain, each a sign or "", and a piece. If the numbers
// would only repeat the symbols, the whole formula has the result only, after the sign `brief`.
const wholeLinks = ({ symbols, numbers, brief }) => [...symbols, ...(brief ? [[brief, numbers.at(-1)[1]]] : numbers)];
const numberLinks = ({ numbers }) => [["", numbers[0][1]], ...numbers.slice(1)];
const LINKS = { whole: wholeLinks, symbols: ({ symbols }) => symbols, numbers: numberLinks };

// A part of a step's formula: the "whole", its "symbols" or its "numbers".
function formula(sweep, step, part, script, notation) {
  const links = LINKS[part];
  if (step.node === null) {
    const pieces = inputs.slice(0, MAX_INPUTS).map((i) => chain(script, links(inputFormula(sweep, i, script))));
    if (inputs.length > MAX_INPUTS) pieces.push(script.phrase(fillText("more", { count: inputs.length - MAX_INPUTS })));
    return script.finish(script.listing(pieces));
  }
  const make = { forward: forwardFormula, seed: seedFormula, backward: backwardFormula }[step.phase];
  return script.finish(chain(script, links(make(sweep, step, script, notation))));
}

function inputFormula(sweep, leaf, script) {
  const value = sweep.data[leaf];
  return {
    symbols: [["", script.name(nodes[leaf].word)]],
    numbers: [[relation(value), script.number(value)]],
  };
}

function forwardFormula(sweep, { node }, script) {
  const gate = gateAt(sweep, node);
  const { written, sign, plain } = gate.gate;
  const value = sweep.data[node];
  const operands = relation(...operandData(nodes[node], sweep.data));
  const repeats = (plain && !heldMaximum(node)) || TEXT.fill(written, gate.shown) === number(value);
  return {
    symbols: [["", script.name(nodes[node].word)], [sign, script.fill(written, gate.word)]],
    numbers: [[operands, script.fill(written, gate.shown)], [gate.relation, script.number(value)]],
    brief: repeats ? loosest(operands, gate.relation) : "",
  };
}

function seedFormula(sweep, { node }, script, notation) {
  return { symbols: [["", gradientSymbol(node, script, notation)]], numbers: [["=", script.number(1)]] };
}

// The symbols of a contribution: the whole gradient, or one term of it if the parent has several wires.
function contributionLinks(step, product, script, notation, equals = "=") {
  const gradient = gradientSymbol(step.parent, script, notation);
  if (step.expected < 2) return [["", gradient], [equals, product]];
  return [["", script.join([gradient, script.phrase(`${fillText("via", { gate: gateWords(step) })}:`)])], ["", product]];
}

function backwardFormula(sweep, step, script, notation) {
  const { upstream, local, contribution } = sweep.factors(step);
  const product = script.product(script.factor(upstream), script.factor(local));
  const links = chainInSymbols(sweep, step, script, notation);
  const filledIn = relation(upstream, local);
  const result = productRelation(upstream, local, contribution);
  return {
    symbols: contributionLinks(step, links, script, notation, links === product ? filledIn : "="),
    numbers: [[filledIn, product], [result, script.number(contribution)]],
    brief: links === product ? result : "",
  };
}

// Upstream · local in symbols; at the root the upstream gradient is 1, as in 1·q.
function chainInSymbols(sweep, { node, operand, parent }, script, notation) {
  if (node !== root) return script.product(gradientSymbol(node, script, notation), script.partial(nodes[node].word, nodes[parent].word));
  return script.product(script.factor(sweep.adjoints[node]), gateAt(sweep, node).factor(operand, script));
}

// The local derivative of a wire, ∂f/∂z = q = 3.
function localFormula(sweep, step, script) {
  const gate = gateAt(sweep, step.node);
  const { local } = sweep.factors(step);
  const partial = script.partial(nodes[step.node].word, nodes[step.parent].word);
  const left = ["", isShare(step) ? script.join([partial, script.phrase(fillText("share"))]) : partial]; // not the whole derivative
  const [filledIn, result] = gate.relations(step.operand);
  const ofNames = loosest(filledIn, result);
  const written = gate.derivativeTemplates(step.operand);
  const fill = (write, form = script) => written && form.fill(written.text, write);
  if (fill(gate.word) === fill(gate.shown)) return { symbols: [left], numbers: [[ofNames, script.number(local)]] };
  const textbook = written.textbook ? [[written.textbook.sign, script.fill(written.textbook.text, gate.word)]] : [];
  return {
    symbols: [left, ...textbook, [written.sign, fill(gate.word)]],
    numbers: [[filledIn, fill(gate.shown)], [result, script.number(local)]],
    brief: fill(gate.shown, TEXT) === number(local) ? ofNames : "",
  };
}

const localText = (sweep, step, script = TEXT) =>
  script.finish(chain(script, wholeLinks(localFormula(sweep, step, script))));

// The name of the gate of a contribution, with the operand if that is repeated.
function gateWords(step) {
  const { word } = nodes[step.node];
  return isRepeated(step) ? fillText("operand", { gate: word, number: step.operand + 1 }) : word;
}

// Whether the derivative with respect to an operand is a sum over several wires.
function isShare(step) {
  return step.expected > 1 && (step.node === root || isRepeated(step));
}

// Whether a gate has the same operand more than once.
function isRepeated(step) {
  return nodes[step.node].parents.filter((parent) => parent === step.parent).length > 1;
}

// Typeset names: the indices of v5, L_reg and δ_s are subscripts. This applies to visible text only;
// texts for screen readers and for copying remain plain.

const INDEXED_NAME = /(?<![\p{L}\p{N}_#\u0304\u0305])(\p{L}\u0304?)(?:_([\p{L}\p{N}_²₀-₉]+(?:,[\d₀-₉]+)*)|(\d+))(?![\p{L}\p{Nd}_\u0305])/gu;
const NOT_TYPESET = "math, svg, code, option, select, input, .as-it-is";
const MIN_INDEX_DROP = 0.1; // minimum drop of an index in a formula, as a share of the font size

// Replace each name in a text by a function of its letter and its index.
const replaceNames = (text, write) => text.replace(INDEXED_NAME, (whole, letter, word, digits) => {
  const isName = wordsKnown.has(whole.replace("\u0304", "")) || (letter === "δ" && wordsKnown.has(word));
  return isName ? write(letter, word, digits, whole) : whole;
});

// A text with numerical indices as subscript digits.
const withLowIndices = (text) => replaceNames(text, (letter, word, digits, whole) => (digits ? letter + [...digits].map((k) => "₀₁₂₃₄₅₆₇₈₉"[k]).join("") : whole));

const withoutBreak = (html) => `<span class="as-it-is">${html}</span>`;
const namesToHtml = (text) => replaceNames(escapeHtml(text), (letter, word, digits) => withoutBreak(`${letter}<sub>${namesToHtml(word ?? digits)}</sub>`)).replaceAll("/∂", withoutBreak("/∂"));

// Typeset the names within an element, also in words between the parts of a formula.
function typeset(place) {
  const walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) texts.push(walker.currentNode);
  for (const text of texts) {
    if (text.parentElement.matches("mtext")) text.data = withLowIndices(text.data);
    else if (!text.parentElement.closest(NOT_TYPESET)) {
      const holder = element("span");
      holder.innerHTML = namesToHtml(text.data);
      text.replaceWith(...holder.childNodes);
    }
  }
  return place;
}

// Without a math font Chromium hardly lowers an index; the style sheet then does.
function lowerIndices() {
  const probe = mathElement("div", "<math><msub><mi>x</mi><mn>2</mn></msub></math>", { class: "formula hidden" });
  document.body.append(probe);
  const [letter, index] = ["mi", "mn"].map((part) => probe.querySelector(part).getBoundingClientRect().bottom);
  const size = parseFloat(getComputedStyle(probe).fontSize);
  document.documentElement.classList.toggle("flat-indices", index - letter < MIN_INDEX_DROP * size);
  probe.remove();
}
