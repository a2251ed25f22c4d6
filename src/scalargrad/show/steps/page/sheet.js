// What is printed: the steps as a list, or a worksheet with blanks and its answer key.

const BLANK = "______";

// The graph as it would look at a step, as a picture that holds no ids of its own.
function graphAt(index, prepare = () => {}) {
  const kept = { at: state.at, question: state.question, view: state.view };
  Object.assign(state, { view: "wire", question: null });
  state.at = Math.min(ranks.wire[index], stops().length - 1);
  drawGraph();
  clearLayers();
  const copy = graph.cloneNode(true);
  Object.assign(state, kept);
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

// Blanks below the wires; what comes into a fold from outside is given.
function blankGradients(copy) {
  for (const text of copy.querySelectorAll("text.gradient")) {
    const [, i] = /^n(\d+)-gradient$/.exec(text.id) ?? [];
    const isGiven = i !== undefined && open.find(`exit-n${i}`);
    text.textContent = isGiven ? number(state.sweep.total(Number(i))) : BLANK;
  }
}

// The steps that are printed: all of them or, of a graph with folds, those in the open drawing.
const printedSteps = () => {
  const here = steps.filter(({ node }) => node !== null && homeOf(node) === open.index);
  return drawings.length > 1 && here.length ? here : steps; // of nothing but folds, what is in them
};

// What is given for the steps that are printed: the inputs and whatever else their gates read.
function givenHere() {
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

// The worksheets of all variants, and then their keys, each on a page of its own.
function worksheets() {
  const made = atVariants(worksheet);
  return [...made.flatMap(([sheet]) => sheet), ...made.flatMap(([, key]) => key)];
}

// The exercises, and their key.
function worksheet() {
  const exercises = backwardSteps().map((step) => exercise(step, true));
  const answers = backwardSteps().map((step) => exercise(step, false));
  const values = givenHere().map((i) => TEXT.join([nodes[i].name, relation(state.sweep.data[i]), number(state.sweep.data[i])]));
  const sheet = [
    element("h1", { class: "new-page" }, sheetTitle()),
    element("p", {}, `At ${values.join(", ")}: write the gradient below every wire. Go from right to left; each wire multiplies what comes from upstream by its local derivative, and where a wire branches, the products are added.`),
    graphAt(lastForward(), blankGradients),
    element("ol", {}, ...exercises),
  ];
  return [sheet, [element("h1", { class: "new-page" }, `${sheetTitle()}: answer key`), graphAt(steps.length - 1), element("ol", {}, ...answers)]];
}

// One exercise and, where it is the last term of a gradient that fans out, the sum below it.
function exercise(step, blank) {
  const { sweep, notation } = state;
  const item = mathElement("li", worked(step, blank));
  if (step.expected < 2 || step.arrived < step.expected) return item;
  const terms = Array(Math.min(step.expected, LONGEST_SUM)).fill(BLANK);
  const sum = blank ? `= ${terms.join(" + ")}${step.expected > LONGEST_SUM ? " + …" : ""} = ${BLANK}` : runningSum(sweep.terms[step.parent], step.arrived, step.expected);
  item.append(element("div", { class: "sum" }, `${signal(step.parent, TEXT, notation)} ${sum}`));
  return item;
}

// The product of an exercise: the chain rule in symbols, the numbers left blank or filled in.
function worked(step, blank) {
  const { sweep, notation } = state;
  if (!blank) return formula(sweep, step, "whole", MATHML, notation);
  const made = backwardFormula(sweep, { ...step }, MATHML, notation);
  const gap = `<mtext>${BLANK}</mtext>`;
  const left = [["", made.symbols[0][1]], [made.symbols[1][0], MATHML.product(gap, gap)], ["=", gap]];
  return MATHML.finish(chain(MATHML, left));
}

// Worksheets with inputs of their own, drawn by a seed, and as numerical questions for Moodle.

const TRIES = 200; // points drawn
const FEW_TRIES = 20; // of a graph so large that computing it takes milliseconds
const LARGE = 1000;
const FLAT = 0.01; // a slope or an answer below it would be printed as 0.00
const TOLERANCE = 0.005; // as a share of an answer: three digits are enough
const MOST_VARIANTS = 50;
const PRINTED = 4; // digits that a student computes with

let variantHere = 0; // whose inputs there are

// The numbers of the variants that are asked for: 0; 7; 1-4; 1, 3.
function seedsAsked() {
  const asked = [...$("variants").value.matchAll(/(\d+)(?:\s*[-–]\s*(\d+))?/g)];
  const seeds = asked.flatMap(([, first, last = first]) => Array.from({ length: Math.min(MOST_VARIANTS, last - first + 1) }, (_, k) => Number(first) + k));
  return canCompute && seeds.length ? seeds.slice(0, MOST_VARIANTS) : [0];
}

// What is made of each variant at its inputs; then go back to those there were.
function atVariants(make) {
  const kept = state.sweep;
  const made = seedsAsked().map((seed) => {
    const found = seed ? variant(seed) : null;
    [state.sweep, variantHere] = found ? [found, seed] : [kept, 0];
    return make();
  });
  [state.sweep, variantHere] = [kept, 0];
  drawAll();
  return made;
}

// The graph at inputs drawn by a seed: parameters and data of one decimal, alike in size. Of several
// points the one whose answers say most; the first that has nothing to be said against it.
function variant(seed) {
  const draw = randomBy(seed);
  let best = null;
  for (let k = 0; k < (nodes.length > LARGE ? FEW_TRIES : TRIES); k += 1) {
    const data = [...recordedSweep.data];
    for (const i of inputs) data[i] = drawnLike(recordedSweep.data[i], draw);
    const sweep = new Sweep(data);
    if (sweep.invalid || sweep.alarm || sweep.flips.length) continue;
    const against = weakAnswers(sweep);
    if (!best || against < best.against) best = { sweep, against };
    if (!against) break;
  }
  return best?.sweep ?? null;
}

// How many wires of a point teach little: nothing goes back, or next to nothing, as from a saturated σ.
function weakAnswers(sweep) {
  let found = 0;
  for (const [k, { phase, node, operand }] of steps.entries()) {
    if (phase !== "backward") continue;
    const local = Math.abs(sweep.locals[node][operand]);
    if (local === 0) found += 0.5; // a router leaves out all operands but one
    else if (local < FLAT || Math.abs(sweep.contributions[k]) < FLAT) found += 1;
  }
  return found;
}

// A number of two digits at most, of about the size of x, and never 0.
function drawnLike(x, draw) {
  const size = Number.isFinite(x) && x !== 0 ? 10 ** Math.floor(Math.log10(Math.abs(x))) : 1;
  const digits = 1 + Math.floor(draw() * 40);
  return Number(((draw() < 0.5 ? -1 : 1) * digits * size * 0.1).toPrecision(2));
}

// A numerical question for each wire, and one for each gradient that is a sum. Of several variants,
// those alike are in one category, from which Moodle draws a question at random.
function moodleXml() {
  const variants = atVariants(questionsHere);
  const questions = variants.length > 1 ? variants[0].flatMap(({ name }, k) => [category(k, name), ...variants.map((found) => found[k].xml)]) : variants[0].map(({ xml }) => xml);
  return `<?xml version="1.0" encoding="UTF-8"?>\n<quiz>\n${questions.join("\n")}\n</quiz>\n`;
}

function questionsHere() {
  const { sweep } = state;
  const given = inputs.map((i) => `${nodes[i].name} = ${exact(sweep.data[i])}`).join(", ");
  const gateSteps = steps.filter((step) => step.phase === "forward" && step.node !== null);
  const written = gateSteps.map((step) => formula(sweep, step, "symbols", TEXT, "partial"));
  const graphText = `${written.join("; ")}, at ${given}`;
  return backwardSteps().flatMap((step) => questionsOf(step, graphText));
}

// In the path of a category, a slash is written twice.
function category(k, name) {
  const path = [document.title, `${k + 1} ${name}`].map((part) => part.replaceAll("/", "//")).join("/");
  return `<question type="category">\n<category><text>${escapeHtml(`$course$/top/${path}`)}</text></category>\n</question>`;
}

function questionsOf(step, graphText) {
  const { sweep, notation } = state;
  const { contribution } = sweep.factors(step);
  const gradient = signal(step.parent, TEXT, notation);
  const ways = step.expected > 1 ? `, the term ${say("via", { gate: gateWords(step) })}` : "";
  const found = [question(`${gradient}${ways}`, `${graphText}. What is ${gradient}${ways}?`, contribution, byPrinted(step), formula(sweep, step, "whole", TEXT, notation))];
  if (step.expected > 1 && step.arrived === step.expected) {
    const all = steps.filter((other) => other.phase === "backward" && other.parent === step.parent);
    const sum = all.reduce((total, other) => total + printed(byPrinted(other)), 0);
    found.push(question(`${gradient}, the sum`, `${graphText}. What is ${gradient}, the sum of ${step.expected} terms?`, sweep.total(step.parent), sum, sumNote(sweep, step, notation)));
  }
  return found;
}

const printed = (x) => (Number.isFinite(x) ? Number(x.toPrecision(PRINTED)) : x);

// Slopes as they are written; they are computed without such a difference, which cancels.
const TEXTBOOK = { "sigmoid/1": (y) => y * (1 - y), "tanh/1": (y) => 1 - y * y };

// The product of a wire as someone finds it who computes with the numbers as they are printed: of
// 1 − 0.9998 few digits are left.
function byPrinted({ node, operand }) {
  const { sweep } = state;
  const gate = functions[nodes[node].gate];
  const operands = operandData(nodes[node], sweep.data).map(printed);
  const y = printed(sweep.data[node]);
  const written = TEXTBOOK[nodes[node].gate];
  const local = written ? written(y) : gate ? gate.partials(y, operands)[operand] : sweep.locals[node][operand];
  return printed(sweep.signals[node]) * printed(local);
}

// A question and how far from the answer is right: what digits left out on the way may come to.
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
  const asked = seedsAsked();
  const which = asked.length > 1 ? `-${asked[0]}-${asked.at(-1)}` : asked[0] ? `-${asked[0]}` : "";
  saveFile(moodleXml(), "application/xml", `questions${which}.xml`);
}
