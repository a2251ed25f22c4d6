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
  const all = positions.map((i) => steps[i]);
  const here = all.filter(({ node }) => node !== null && homeOf(node) === open.index);
  return drawings.length > 1 && here.length ? here : all; // of nothing but folds, what is in them
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
  return [element("h1", {}, sheetTitle()), shortNames(), graphAt(steps.length - 1), element("ol", {}, ...items)];
}

// What short names stand for, as the page's heading says; paper has no heading.
function shortNames() {
  const entries = [...document.querySelectorAll(".aliases dl > div")].map((entry) => [...entry.children].map((part) => part.textContent).join(" = "));
  return entries.length ? element("p", { class: "short-names" }, `Short: ${entries.join("; ")}.`) : null;
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
    shortNames(),
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
