// Printed sheets: a list of the steps, or a worksheet with blanks and its answer key.

const BLANK = "______";

// A picture of the graph at a step, without ids.
function graphAt(index, prepare = () => {}) {
  const saved = { at: state.at, question: state.question, view: state.view };
  Object.assign(state, { view: "wire", question: null });
  state.at = Math.min(ranks.wire[index], stops().length - 1);
  drawGraph();
  clearLayers();
  const copy = graph.cloneNode(true);
  Object.assign(state, saved);
  drawAll();
  prepare(copy);
  for (const part of [copy, ...copy.querySelectorAll("[id]")]) {
    if (part.closest("defs") === null) part.removeAttribute("id");
    part.removeAttribute("tabindex");
  }
  copy.classList.add("printed");
  return copy;
}

const lastForward = () => steps.findIndex((step) => step.phase === "seed");

// Replace the gradients below the wires by blanks, except those of nodes outside a subgraph.
function blankGradients(copy) {
  for (const text of copy.querySelectorAll("text.gradient")) {
    const [, i] = /^n(\d+)-gradient$/.exec(text.id) ?? [];
    const isGiven = i !== undefined && open.find(`exit-n${i}`);
    text.textContent = isGiven ? number(state.sweep.total(Number(i))) : BLANK;
  }
}

// The steps to print: all or, in a graph with subgraphs, those in the open drawing.
const printedSteps = () => {
  const here = steps.filter(({ node }) => node !== null && drawingOf(node) === open.index);
  return drawings.length > 1 && here.length ? here : steps; // all, if it has only subgraphs
};

// The nodes whose values a worksheet states: the inputs and other nodes that the printed gates read.
function givenNodes() {
  const gates = new Set(printedSteps().map(({ node }) => node));
  const read = new Set([...gates].filter((i) => i !== null).flatMap((i) => linked(nodes[i]).map((link) => link.node)));
  const computed = [...read].filter((i) => nodes[i].gate && !gates.has(i));
  return [...inputs.filter((i) => read.has(i) || i === root), ...computed];
}
const backwardSteps = () => printedSteps().filter((step) => step.phase === "backward");

function sheetTitle() {
  const place = drawings.length > 1 ? `: ${pathInWords(open.index)}` : "";
  return `${document.title}${place}${variantHere ? `, variant ${variantHere}` : ""}`;
}

function fillSheet(kind) {
  $("sheet").replaceChildren(...(kind === "worksheet" ? worksheets() : stepList()).filter(Boolean));
  typeset($("sheet"));
  $("sheet").className = kind;
}

function printSheet(kind) {
  fillSheet(kind);
  document.body.classList.add("printing-sheet");
  window.print();
}

function stepList() {
  const { sweep, notation } = state;
  const items = printedSteps().map((step) => {
    const item = mathElement("li", formula(sweep, step, "whole", MATHML, notation), { class: step.phase });
    item.append(element("div", { class: "note" }, notes(sweep, step, notation).join("; ")));
    return item;
  });
  return [element("h1", {}, sheetTitle()), graphAt(steps.length - 1), element("ol", {}, ...items)];
}

// The worksheets of all variants, followed by their keys, each on its own page.
function worksheets() {
  const sheets = forEachVariant(worksheet);
  return [...sheets.flatMap(([sheet]) => sheet), ...sheets.flatMap(([, key]) => key)];
}

// A worksheet and its key.
function worksheet() {
  const exercises = backwardSteps().map((step) => exercise(step, true));
  const answers = backwardSteps().map((step) => exercise(step, false));
  const values = givenNodes().map((i) => TEXT.join([nodes[i].name, relation(state.sweep.data[i]), number(state.sweep.data[i])]));
  const sheet = [
    element("h1", { class: "new-page" }, sheetTitle()),
    element("p", {}, `At ${values.join(", ")}: write the gradient below every wire. Work from right to left: each wire multiplies the upstream gradient by its local derivative, and where a wire branches, the products are added.`),
    graphAt(lastForward(), blankGradients),
    element("ol", {}, ...exercises),
  ];
  return [sheet, [element("h1", { class: "new-page" }, `${sheetTitle()}: answer key`), graphAt(steps.length - 1), element("ol", {}, ...answers)]];
}

// One exercise, with the sum below it if it is the last term of a gradient.
function exercise(step, blank) {
  const { sweep, notation } = state;
  const item = mathElement("li", exerciseFormula(step, blank));
  if (step.expected < 2 || step.arrived < step.expected) return item;
  const terms = Array(Math.min(step.expected, LONGEST_SUM)).fill(BLANK);
  const sum = blank ? `= ${terms.join(" + ")}${step.expected > LONGEST_SUM ? " + …" : ""} = ${BLANK}` : runningSum(sweep.terms[step.parent], step.arrived, step.expected);
  item.append(element("div", { class: "sum" }, `${gradientSymbol(step.parent, TEXT, notation)} ${sum}`));
  return item;
}

// The product of an exercise: the chain rule in symbols, with numbers or blanks.
function exerciseFormula(step, blank) {
  const { sweep, notation } = state;
  if (!blank) return formula(sweep, step, "whole", MATHML, notation);
  const { symbols } = backwardFormula(sweep, { ...step }, MATHML, notation);
  const gap = `<mtext>${BLANK}</mtext>`;
  const left = [["", symbols[0][1]], [symbols[1][0], MATHML.product(gap, gap)], ["=", gap]];
  return MATHML.finish(chain(MATHML, left));
}

// Worksheets with random inputs, and numerical questions for Moodle.

const MAX_TRIES = 200; // maximum number of random points per variant
const MAX_TRIES_LARGE = 20; // the same for a large graph, which takes milliseconds to compute
const LARGE_GRAPH = 1000; // nodes
const MIN_ANSWER = 0.01; // smaller derivatives and answers would be printed as 0.00
const TOLERANCE = 0.005; // relative error of a correct answer: three digits
const MAX_VARIANTS = 50; // maximum number of variants at once
const PRINTED_DIGITS = 4; // digits of printed numbers

let variantHere = 0; // the current variant; 0 for the original inputs

// The seeds of the requested variants: 0; 7; 1-4; 1, 3.
function requestedSeeds() {
  const asked = [...$("variants").value.matchAll(/(\d+)(?:\s*[-–]\s*(\d+))?/g)];
  const seeds = asked.flatMap(([, first, last = first]) => Array.from({ length: Math.min(MAX_VARIANTS, last - first + 1) }, (_, k) => Number(first) + k));
  return canCompute && seeds.length ? seeds.slice(0, MAX_VARIANTS) : [0];
}

// Call a function at the inputs of each variant, restore the inputs, and return its results.
function forEachVariant(make) {
  const original = state.sweep;
  const results = requestedSeeds().map((seed) => {
    const found = seed ? variant(seed) : null;
    [state.sweep, variantHere] = found ? [found, seed] : [original, 0];
    return make();
  });
  [state.sweep, variantHere] = [original, 0];
  drawAll();
  return results;
}

// The graph at random inputs of two digits, similar in size to the original ones. Of several points, the one
// with the fewest weak answers is taken, or the first without any.
function variant(seed) {
  const draw = seededRandom(seed);
  let best = null;
  for (let k = 0; k < (nodes.length > LARGE_GRAPH ? MAX_TRIES_LARGE : MAX_TRIES); k += 1) {
    const data = [...recordedSweep.data];
    for (const i of inputs) data[i] = randomLike(recordedSweep.data[i], draw);
    const sweep = new Sweep(data);
    if (sweep.invalid || sweep.alarm || sweep.flips.length) continue;
    const against = countWeakAnswers(sweep);
    if (!best || against < best.against) best = { sweep, against };
    if (!against) break;
  }
  return best?.sweep ?? null;
}

// The number of wires with a weak answer: a gradient that is zero or tiny, as of a saturated σ.
function countWeakAnswers(sweep) {
  let found = 0;
  for (const [k, { phase, node, operand }] of steps.entries()) {
    if (phase !== "backward") continue;
    const local = Math.abs(sweep.locals[node][operand]);
    if (local === 0) found += 0.5; // a router passes nothing to all operands but one
    else if (local < MIN_ANSWER || Math.abs(sweep.contributions[k]) < MIN_ANSWER) found += 1;
  }
  return found;
}

// A random nonzero number of at most two digits, about the size of x.
function randomLike(x, draw) {
  const size = Number.isFinite(x) && x !== 0 ? 10 ** Math.floor(Math.log10(Math.abs(x))) : 1;
  const digits = 1 + Math.floor(draw() * 40);
  return Number(((draw() < 0.5 ? -1 : 1) * digits * size * 0.1).toPrecision(2));
}

// A numerical question for each wire, and one for each gradient that is a sum. The same questions of several
// variants form a category, from which Moodle draws one at random.
function moodleXml() {
  const variants = forEachVariant(questionsHere);
  const questions = variants.length > 1 ? variants[0].flatMap(({ name }, k) => [category(k, name), ...variants.map((found) => found[k].xml)]) : variants[0].map(({ xml }) => xml);
  return `<?xml version="1.0" encoding="UTF-8"?>\n<quiz>\n${questions.join("\n")}\n</quiz>\n`;
}

function questionsHere() {
  const { sweep } = state;
  const given = inputs.map((i) => `${nodes[i].name} = ${exact(sweep.data[i])}`).join(", ");
  const gateSteps = steps.filter((step) => step.phase === "forward" && step.node !== null);
  const formulas = gateSteps.map((step) => formula(sweep, step, "symbols", TEXT, "partial"));
  const graphText = `${formulas.join("; ")}, at ${given}`;
  return backwardSteps().flatMap((step) => questionsOf(step, graphText));
}

// In the path of a category, slashes are doubled.
function category(k, name) {
  const path = [document.title, `${k + 1} ${name}`].map((part) => part.replaceAll("/", "//")).join("/");
  return `<question type="category">\n<category><text>${escapeHtml(`$course$/top/${path}`)}</text></category>\n</question>`;
}

function questionsOf(step, graphText) {
  const { sweep, notation } = state;
  const { contribution } = sweep.factors(step);
  const gradient = gradientSymbol(step.parent, TEXT, notation);
  const term = step.expected > 1 ? `, the term ${fillText("via", { gate: gateWords(step) })}` : "";
  const found = [question(`${gradient}${term}`, `${graphText}. What is ${gradient}${term}?`, contribution, contributionFromPrinted(step), formula(sweep, step, "whole", TEXT, notation))];
  if (step.expected > 1 && step.arrived === step.expected) {
    const all = steps.filter((other) => other.phase === "backward" && other.parent === step.parent);
    const sum = all.reduce((total, other) => total + roundAsPrinted(contributionFromPrinted(other)), 0);
    found.push(question(`${gradient}, the sum`, `${graphText}. What is ${gradient}, the sum of ${step.expected} terms?`, sweep.total(step.parent), sum, sumNote(sweep, step, notation)));
  }
  return found;
}

const roundAsPrinted = (x) => (Number.isFinite(x) ? Number(x.toPrecision(PRINTED_DIGITS)) : x);

// Derivatives in the form of textbooks; the page computes them without these differences, which cancel.
const TEXTBOOK = { "sigmoid/1": (y) => y * (1 - y), "tanh/1": (y) => 1 - y * y };

// The product of a wire, computed from the printed numbers; 1 − 0.9998 has few correct digits.
function contributionFromPrinted({ node, operand }) {
  const { sweep } = state;
  const gate = functions[nodes[node].gate];
  const operands = operandData(nodes[node], sweep.data).map(roundAsPrinted);
  const y = roundAsPrinted(sweep.data[node]);
  const textbook = TEXTBOOK[nodes[node].gate];
  const local = textbook ? textbook(y) : gate ? gate.partials(y, operands)[operand] : sweep.locals[node][operand];
  return roundAsPrinted(sweep.adjoints[node]) * roundAsPrinted(local);
}

// A question; its tolerance covers the error from rounded intermediate results.
function question(name, text, answer, rounded, feedback) {
  const html = (words) => `<text>${escapeHtml(`<p>${escapeHtml(words)}</p>`)}</text>`;
  const off = Number.isFinite(rounded) ? 1.5 * Math.abs(rounded - answer) : 0;
  const tolerance = Math.max(TOLERANCE * Math.abs(answer), off) || TOLERANCE;
  const xml = [
    `<question type="numerical">`,
    `<name><text>${escapeHtml(variantHere ? `${name}, variant ${variantHere}` : name)}</text></name>`,
    `<questiontext format="html">${html(text)}</questiontext>`,
    `<generalfeedback format="html">${html(feedback)}</generalfeedback>`,
    `<answer fraction="100"><text>${answer}</text><tolerance>${tolerance}</tolerance></answer>`,
    `</question>`,
  ].join("\n");
  return { name, xml };
}

function saveMoodle() {
  const asked = requestedSeeds();
  const which = asked.length > 1 ? `-${asked[0]}-${asked.at(-1)}` : asked[0] ? `-${asked[0]}` : "";
  saveFile(moodleXml(), "application/xml", `questions${which}.xml`);
}
