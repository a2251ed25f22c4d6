// The formulas of a step in symbols and in numbers, as text or as MathML. Python writes them as
// templates, which are filled here: `∂{}/∂{}` with names, `⟦x0 3⟧ + ⟦x1 4⟧` with the operands of a gate,
// in parentheses where one binds more loosely than its place demands.

const recorded = JSON.parse(document.getElementById("recorded").textContent);

const MOST_INPUTS = 8;
const [ANY, PRODUCT] = [1, 4]; // what places demand
const SLOT = /⟦(\w+) (\d)⟧/g;

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;" };
const escapeHtml = (text) => text.replace(/[&<>"']/g, (character) => ESCAPES[character]);

// A name in MathML: x or v12, or as Python writes it; several names, max(z1, z2), are words.
const scripts = new Map(recorded.nodes.map(({ word, script }) => [word, script]));
function scripted(word) {
  if (scripts.get(word)) return scripts.get(word);
  const [, letter, digits = ""] = /^(\p{L})(\d*)$/u.exec(word) ?? [];
  if (!letter) return `<mtext>${escapeHtml(word)}</mtext>`;
  return digits ? `<msub><mi>${letter}</mi><mn>${digits}</mn></msub>` : `<mi>${letter}</mi>`;
}

const isWritten = (word) => /^[-−]?(\d+(\.\d+)?(e[-−]?\d+)?|inf|nan)$/.test(word);

// How tightly a name or number binds: 1e−3 is a product, of which no power is taken.
const bindingOf = (word) => (/^[-−]/.test(word) ? 3 : /^[\d.]+e/.test(word) ? 5 : 9);

// A formula with whole powers as superscripts, and the power ½ as a root.
const ROOT = /(?<![\p{L}\p{N}_.])([\p{L}\p{N}_.]+|\([^()]*\))\^0\.5(?![\p{L}\p{N}_.^])/gu;
const withPowers = (written) => written.replace(ROOT, "√$1").replace(/\^(?:\((−\d+)\)|(\d+))(?![\w.^])/g, (_, negative, power) => raised(negative ?? power));

// What fills the templates of one form; `name` writes a name, `finish` what is put together.
function scriptOf(form, name, escape, finish) {
  const templates = recorded.scripts[form];
  const put = (key, ...pieces) => templates[key].replaceAll("{}", () => pieces.shift());
  const piece = (word, demand = ANY) => {
    const written = form && isWritten(word) ? `<mn>${trueMinus(word)}</mn>` : name(word);
    return bindingOf(word) >= demand ? written : put("pair", written);
  };
  return {
    put,
    name,
    number: (x) => piece(number(x)),
    factor: (x) => piece(number(x), PRODUCT),
    fill: (written, write) => finish(written[form].replace(SLOT, (_, slot, demand) => piece(write(slot), demand))),
    partial: (of, by) => put("partial", name(of), name(by)),
    bar: ({ word, barred }) => (form ? put("bar", name(word)) : barred ?? `${word[0]}\u0304${word.slice(1)}`),
    delta: (word) => put("delta", name(word)),
    phrase: (words) => put("phrase", escape(words)),
    join: (pieces) => put("row", pieces.join(templates.between)),
    listing: (pieces) => put("row", pieces.join(templates.comma)),
    sign: (sign) => put("sign", sign),
    product: (left, right) => put("product", left, right),
    finish: (written) => put("whole", written),
  };
}

const same = (written) => written;
const TEXT = scriptOf(0, same, same, withPowers);
const MATHML = scriptOf(1, scripted, escapeHtml, same);

// The gradient of a node, as the notation writes it; δ is that of a pre-activation alone.
function signal(node, script, notation) {
  const isPartial = notation === "partial" || (notation === "delta" && !nodes[node].preActivation);
  if (isPartial) return script.partial(nodes[root].word, nodes[node].word);
  return notation === "bar" ? script.bar(nodes[node]) : script.delta(nodes[node].word);
}

// Write pieces, each after the sign that relates it to the one before, if any.
function chain(script, links) {
  return script.join(links.flatMap(([sign, piece]) => (sign ? [script.sign(sign), piece] : [piece])));
}

// One gate at the point of a sweep: its templates, and what their slots stand for.
class GateAt {
  constructor(sweep, node) {
    this.sweep = sweep;
    this.place = node;
    this.node = nodes[node];
    this.gate = gates[this.node.form];
    this.word = (slot) => wordOf(this.standIn(slot));
    this.number = (slot) => numberOf(this.standIn(slot), sweep.data);
    this.shown = (slot) => number(this.number(slot));
  }

  // The node, constant or held maximum of a slot.
  standIn(slot) {
    return slot === "y" ? this.place : this.node.parents[slot.slice(1)];
  }

  // What the terms of the gate come to, of which conditions and rules are some: of the numbers, and of
  // those as they are shown.
  get values() {
    return this.valued ??= evaluate(this.gate.terms, this.number, same, numberResult);
  }

  get shownValues() {
    return this.ofShown ??= evaluate(this.gate.terms, (slot) => shownNumber(this.number(slot)), shownNumber, shownResult);
  }

  // Whether the gate is at a kink or jump, where its slopes are a convention. A comparison that it reads
  // is true or false, not a number beside others.
  get isAtKink() {
    const { terms, gap } = this.gate;
    const read = (slot) => (gates[nodes[this.standIn(slot)]?.form]?.truth ? NaN : this.number(slot));
    return this.kink ??= gap !== undefined && evaluate(terms, read, same, numberResult)[gap] === 0;
  }

  // How a local derivative is written at this point; null where it is a number.
  written(operand) {
    let found = this.gate.wires[operand].written;
    while (found && "if" in found) found = this.values[found.if] ? found.then : found.else;
    return found;
  }

  // The nodes whose numbers a local derivative reads, as it is written.
  nodesRead(operand) {
    const read = (this.written(operand)?.reads ?? []).map((slot) => this.standIn(slot));
    return [...new Set(read.filter((x) => typeof x === "number"))];
  }

  // The local derivative as a factor of a product, in symbols.
  factor(operand, script) {
    const written = this.written(operand);
    return written ? script.fill(written.factor, this.word) : script.factor(this.sweep.locals[this.place][operand]);
  }

  // The sign between what the gate computes, in numbers, and its result.
  get relation() {
    const operands = operandData(this.node, this.sweep.data);
    const result = this.number("y");
    const isOwn = !functions[this.node.gate]; // a user's, of which no more is known
    this.sign ??= isOwn ? relation(...operands, result) : resultRelation(shownResult(this.node.gate, operands.map(shownNumber)), result);
    return this.sign;
  }

  // The signs before the local derivative in numbers, and before what they give. The first is ≈ also
  // where it reads a result that is about what is shown, as of tanh(40).
  relations(operand) {
    const local = this.sweep.locals[this.place][operand];
    const written = this.written(operand);
    if (!written) return [relation(local), "="];
    const shown = loosest(written.rounds, relation(...written.reads.map(this.number)));
    return [loosest(shown, written.reads.includes("y") ? this.relation : "="), resultRelation(this.shownValues[written.rule], local)];
  }
}

const wordOf = (x) => (x.word !== undefined ? x.word : typeof x === "object" ? number(float(x.constant)) : nodes[x].word);

// The maximum that a gate holds constant, as that of softmax does.
const heldIn = (node) => nodes[node].parents.find((x) => x.largest);

const gateAt = (sweep, node) => (sweep.gates[node] ??= new GateAt(sweep, node));

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
    if (inputs.length > MOST_INPUTS) pieces.push(script.phrase(say("more", { count: inputs.length - MOST_INPUTS })));
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
  const repeats = (plain && !heldIn(node)) || TEXT.fill(written, gate.shown) === number(value);
  return {
    symbols: [["", script.name(nodes[node].word)], [sign, script.fill(written, gate.word)]],
    numbers: [[operands, script.fill(written, gate.shown)], [gate.relation, script.number(value)]],
    brief: repeats ? loosest(operands, gate.relation) : "",
  };
}

function seedFormula(sweep, { node }, script, notation) {
  return { symbols: [["", signal(node, script, notation)]], numbers: [["=", script.number(1)]] };
}

// What a wire carries back: the whole signal, or, where the parent has several wires, a term of it.
function contributionLinks(step, product, script, notation, equals = "=") {
  const arriving = signal(step.parent, script, notation);
  if (step.expected < 2) return [["", arriving], [equals, product]];
  return [["", script.join([arriving, script.phrase(`${say("via", { gate: gateWords(step) })}:`)])], ["", product]];
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

// Upstream · local in symbols; at the root the upstream is 1, so it says 1·q.
function chainInSymbols(sweep, { node, operand, parent }, script, notation) {
  if (node !== root) return script.product(signal(node, script, notation), script.partial(nodes[node].word, nodes[parent].word));
  return script.product(script.factor(sweep.signals[node]), gateAt(sweep, node).factor(operand, script));
}

// The local derivative of a wire, ∂f/∂z = q = 3.
function localFormula(sweep, step, script) {
  const gate = gateAt(sweep, step.node);
  const { local } = sweep.factors(step);
  const partial = script.partial(nodes[step.node].word, nodes[step.parent].word);
  const left = ["", isShare(step) ? script.join([partial, script.phrase(say("share"))]) : partial]; // not the whole derivative
  const [filledIn, result] = gate.relations(step.operand);
  const ofNames = loosest(filledIn, result);
  const written = gate.written(step.operand);
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

// Name the gate a contribution comes by, and which of several wires.
function gateWords(step) {
  const { word } = nodes[step.node];
  return isRepeated(step) ? say("operand", { gate: word, number: step.operand + 1 }) : word;
}

// Whether the derivative by an operand is the sum of what several wires carry.
function isShare(step) {
  return step.expected > 1 && (step.node === root || isRepeated(step));
}

// Whether a gate has the same operand more than once.
function isRepeated(step) {
  return nodes[step.node].parents.filter((parent) => parent === step.parent).length > 1;
}

// Names as in print: of v5 and L_reg the index stands lower than the letter, of δ_s too. What a
// person reads is set so when it has been made; what is spoken or copied stays as it is.

const INDEXED = /(?<![\p{L}\p{N}_#\u0304\u0305])(\p{L}\u0304?)(?:_([\p{L}\p{N}_²₀-₉]+(?:,[\d₀-₉]+)*)|(\d+))(?![\p{L}\p{Nd}_\u0305])/gu;
const AS_IT_IS = "math, svg, code, option, select, input, .as-it-is";
const LEAST_DROP = 0.1; // of an index in a formula, as a share of the letters' size

// Write each name in a text by its letter and its index.
const named = (text, write) => text.replace(INDEXED, (whole, letter, word, digits) => {
  const isName = wordsKnown.has(whole.replace("\u0304", "")) || (letter === "δ" && wordsKnown.has(word));
  return isName ? write(letter, word, digits, whole) : whole;
});

// A text in which indices that are numbers stand low by themselves.
const lowered = (text) => named(text, (letter, word, digits, whole) => (digits ? letter + [...digits].map((k) => "₀₁₂₃₄₅₆₇₈₉"[k]).join("") : whole));

const unbroken = (html) => `<span class="as-it-is">${html}</span>`;
const inHtml = (text) => named(escapeHtml(text), (letter, word, digits) => unbroken(`${letter}<sub>${inHtml(word ?? digits)}</sub>`)).replaceAll("/∂", unbroken("/∂"));

// Set the names within an element of the page, also in words between the parts of a formula.
function typeset(place) {
  const walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) texts.push(walker.currentNode);
  for (const text of texts) {
    if (text.parentElement.matches("mtext")) text.data = lowered(text.data);
    else if (!text.parentElement.closest(AS_IT_IS)) {
      const holder = element("span");
      holder.innerHTML = inHtml(text.data);
      text.replaceWith(...holder.childNodes);
    }
  }
  return place;
}

// Without a font made for formulas Chromium hardly lowers an index; then the style sheet does.
function lowerIndices() {
  const probe = mathElement("div", "<math><msub><mi>x</mi><mn>2</mn></msub></math>", { class: "formula hidden" });
  document.body.append(probe);
  const [letter, index] = ["mi", "mn"].map((part) => probe.querySelector(part).getBoundingClientRect().bottom);
  const size = parseFloat(getComputedStyle(probe).fontSize);
  document.documentElement.classList.toggle("flat-indices", index - letter < LEAST_DROP * size);
  probe.remove();
}
