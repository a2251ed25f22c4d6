// The panel: the current step in a sentence, in symbols, in numbers and in remarks.

const MAX_EXPLAINED = 3; // maximum number of steps explained in full; of more wires, each is a line
const MAX_LISTED = 40; // maximum number of inputs listed
const MAX_CALL_OPERANDS = 6; // maximum number of operands in a formula
const MIN_FONT_SIZE = 14; // minimum font size of a presentation, in pixels

function drawPanel() {
  const shownNow = currentSteps();
  const { phase } = steps[shownNow[0]];
  const heading = element("p", { class: `phase ${phase}` }, placeOf(shownNow));
  const blocks = explainStop(shownNow);
  const greyed = state.undefined ? [element("p", { class: "warning" }, "The last valid state:")] : [];
  $("panel").replaceChildren(element("div", { class: "said" }, ...greyed, heading, ...alarmNotes(shownNow), ...blocks.flat()));
  typeset($("panel"));
  for (const block of $("panel").querySelectorAll(".formula, .local-rule, .many li")) fit(block);
  fitPresented($("panel"));
}

// In a presentation, reduce the font size until the whole step is visible.
function fitPresented(panel) {
  panel.style.cssText = "";
  let size = isPresented() ? parseFloat(getComputedStyle(panel).fontSize) : 0;
  while (size > MIN_FONT_SIZE && panel.scrollHeight > panel.clientHeight) {
    size -= 1;
    panel.style.cssText = `--large: ${size}px; font-size: ${size}px`;
  }
}

// A sentence on the first number that is inf or nan, at all steps after it appears; its own step has it
// among the remarks.
function alarmNotes(stop) {
  const { alarm } = state.sweep;
  if (!alarm || !isDone(alarm.at)) return [];
  const isInRemarks = stop.includes(alarm.at) && stop.length <= MAX_EXPLAINED && state.view !== "layer";
  const text = alarmText(state.sweep);
  return isInRemarks ? [] : [element("p", { class: "alarm-note" }, `${text[0].toUpperCase()}${text.slice(1)}.`)];
}

// The explanation of a stop: of its layer, of its steps, or of many steps in brief.
function explainStop(stop) {
  const layer = layerOf(stop);
  if (layer) return [...explainLayer(layer, steps[stop[0]].phase), ...kinkRemarks(stop)];
  if (stop.length > MAX_EXPLAINED) return explainMany(stop);
  return stop.flatMap((k) => explain(steps[k]));
}

// The explanation of a gate with many operands: one line for each wire.
function explainMany(stop) {
  const { sweep, notation } = state;
  const { node } = steps[stop[0]];
  const symbol = gradientSymbol(node, TEXT, notation);
  const upstream = sweep.adjoints[node];
  const rows = stop.map((k) => {
    const row = mathElement("li", formula(sweep, steps[k], "whole", MATHML, notation));
    const sum = sumNote(sweep, steps[k], notation);
    if (sum) row.append(element("p", { class: "sum" }, sum));
    return row;
  });
  return [
    element("p", { class: "sentence" }, `From ${nodes[node].name} back along ${stop.length} wires: upstream ${symbol} ${equalTo(upstream)} times each local.`),
    element("ol", { class: "many" }, ...rows),
    ...kinkRemarks(stop),
  ];
}

const kinkRemarks = (stop) => kinkNotes(stop).map((text) => element("p", { class: "note kink" }, text));

function placeOf(shownNow) {
  const step = steps[shownNow.at(-1)];
  if (step.node === null) return "inputs";
  const layer = layerOf(shownNow);
  if (layer) {
    const drawing = drawings[commonDrawing(shownNow)];
    const isNamed = drawing.parent === null || drawing.title.toLowerCase() === layer.title;
    return `${step.phase}: ${layer.title}${isNamed ? "" : `, in the graph ${drawing.title}`}`;
  }
  const { name } = nodes[step.node];
  if (step.phase !== "backward") return `${step.phase}: ${name}`;
  const parents = [...new Set(shownNow.map((i) => nodes[steps[i].parent].name))];
  return `backward: ${name} → ${parents.length > MAX_EXPLAINED ? joinNames(parents) : parents.join(", ")}`;
}

// The meanings of the names of patterns, shown below them.
const PATTERNS = {
  distributor: "A distributor passes the gradient to each operand unchanged, or divided equally.",
  "swap multiplier": "A swap multiplier multiplies the gradient by the other operand.",
  "sign flip": "A sign flip passes on the negative of the gradient.",
  "gradient router": "A gradient router passes the gradient to the selected operand, and nothing to the others; equal operands share it.",
  adder: "An adder: where a value fans out, the gradients of its wires are added.",
};

// The explanation of one step, as elements.
function explain(step) {
  const { sweep, notation } = state;
  const math = (part) => mathElement("div", formula(sweep, step, part, MATHML, notation), { class: `formula ${part}` });
  const said = [element("p", { class: "sentence" }, sentence(step, notation))];
  const isAsked = questionStep() === step;
  if (step.phase !== "backward") said.push(...(step.node === null ? [inputRows()] : [math("whole"), ...operandList(step)]));
  else if (asksLocal(step)) said.push(mathElement("div", chainWithoutLocal(step), { class: "formula symbols" }), questionForm());
  else said.push(math("symbols"), isAsked ? questionForm() : math("numbers"), mathElement("p", localText(sweep, step, MATHML), { class: "local-rule" }));
  if (asksLocal(step)) return said;
  if (state.question?.step === step && !isAsked) said.push(...logLines());
  const shown = remarks(sweep, step, notation).filter(([kind]) => !isAsked || kind === "pattern");
  return [...said, ...shown.map(([kind, text]) => remark(step, kind, text))];
}

// A remark, and the meaning of the pattern that it names, in one column.
function remark(step, kind, text) {
  const name = kind === "sum" && step.arrived === step.expected ? "adder" : kind === "pattern" ? text.split(":")[0] : "";
  const meaning = PATTERNS[name] ? [element("p", { class: "meaning" }, PATTERNS[name])] : [];
  return element("div", {}, element("p", { class: kind === "alarm" ? "alarm-note" : `note ${kind}` }, text), ...meaning);
}

// A list of the inputs with their numbers.
function inputRows() {
  const rows = inputs.slice(0, MAX_LISTED).map(valueRow);
  const rest = inputs.length - rows.length;
  if (rest > 0) rows.push(element("p", { class: "extent" }, fillText("more", { count: rest })));
  return element("div", { class: "formula" }, ...rows);
}

const valueRow = (i) => mathElement("div", MATHML.finish(chain(MATHML, wholeLinks(inputFormula(state.sweep, i, MATHML)))));

// All operands of a gate whose formula is abbreviated.
function operandList({ phase, node }) {
  const operands = [...new Set(linked(nodes[node]).map((link) => link.node))];
  if (phase !== "forward" || operands.length <= MAX_CALL_OPERANDS) return [];
  return [element("p", { class: "extent" }, `All ${operands.length} operands:`), element("div", { class: "operands" }, ...operands.map(valueRow))];
}

// Announce the whole text of the current step to screen readers.
function announceStep() {
  const said = textsAt(currentSteps());
  const where = drawings.length > 1 ? ` In ${pathInWords(open.index)}.` : "";
  announce(`Step ${state.at + 1} of ${stops().length}.${where} ${said.map((text) => (/[.?]$/.test(text) ? text : `${text}.`)).join(" ")}`);
}

function textsAt(stop) {
  const layer = layerOf(stop);
  if (layer) return [layerSentence(layer, steps[stop[0]].phase), ...kinkNotes(stop)];
  if (stop.length > MAX_EXPLAINED) return [explainMany(stop)[0].textContent, ...kinkNotes(stop)];
  return stop.flatMap((i) => {
    const step = steps[i];
    const isAsked = questionStep() === step;
    if (asksLocal(step)) return [sentence(step, state.notation), QUESTIONS.local];
    const part = isAsked ? "symbols" : "whole";
    const remarks = isAsked ? [QUESTIONS[state.question.stage]] : notes(state.sweep, step, state.notation);
    return [sentence(step, state.notation), formula(state.sweep, step, part, TEXT, state.notation), ...remarks];
  });
}

// Open the dialog of a node, with its value and all terms of its gradient.
function openNode(i) {
  const { sweep, notation } = state;
  const node = nodes[i];
  const known = isDone(knownAt[i]);
  const title = element("h2", { id: "node-title" }, node.name);
  const body = [title];
  const kind = { parameter: "a parameter", input: "an input" }[node.kind];
  if (kind) body.push(element("p", {}, `${node.name} is ${kind}.`));
  else body.push(mathElement("div", formula(sweep, steps[knownAt[i]], known ? "whole" : "symbols", MATHML, notation), { class: "formula" }));
  if (known) body.push(element("p", { class: "exact" }, `exactly ${exact(sweep.data[i])}`));
  body.push(element("h3", {}, "Gradient"), ...gradientSum(i));
  showNode(...body);
}

function gradientSum(i) {
  const { sweep, notation } = state;
  if (i === root) return [element("p", {}, `${gradientSymbol(i, TEXT, notation)} = 1: the backward pass starts here.`)];
  const rows = [];
  let last = null;
  for (const [k, step] of steps.entries()) {
    if (step.phase !== "backward" || step.parent !== i) continue;
    const hidden = !isDone(k) || questionStep() === step;
    if (!hidden) last = step;
    const row = hidden
      ? element("li", { class: "pending" }, `${fillText("via", { gate: gateWords(step) })}: not yet`)
      : mathElement("li", formula(sweep, step, "whole", MATHML, notation));
    rows.push(row);
  }
  const parts = [element("ol", {}, ...rows)];
  if (last && wires[i] > 1) parts.push(element("p", { class: "sum" }, sumNote(sweep, last, notation)));
  if (last && last.arrived === wires[i]) parts.push(element("p", { class: "exact" }, `exactly ${exact(sweep.total(i))}`));
  return parts;
}

// Show the exact numbers of the node that has the focus or was last pointed at.
function showExact() {
  const i = state.looked;
  if (i === null) return;
  const known = isDone(knownAt[i]);
  const complete = isComplete(i, countArrivedTerms()) && state.question?.isOpen !== true;
  const value = known ? `${nodes[i].name} = ${exact(state.sweep.data[i])}` : `${nodes[i].name}: not computed yet`;
  const gradient = complete ? `; ${gradientSymbol(i, TEXT, state.notation)} = ${exact(state.sweep.total(i))}` : "";
  $("exact").textContent = `exactly: ${value}${gradient}`;
  typeset($("exact"));
}

// Open the dialog of a bundle, with the value and the gradient of each wire.
function openBundle(b) {
  const { members } = open.bundles.get(b);
  const arrived = countArrivedTerms();
  const asked = questionStep();
  const rows = members.map((i) => {
    const value = isDone(knownAt[i]) ? number(state.sweep.data[i]) : "";
    const gradient = asked?.parent === i ? hiddenGradient(i, arrived[i]) : gradientText(i, arrived);
    const name = element("button", { type: "button", onclick: () => openNode(i) }, nodes[i].name);
    return [name, element("span", { class: "value" }, value), element("span", { class: "gradient" }, gradient)];
  });
  const list = table(["name", "value", "gradient"], rows);
  showNode(element("h2", { id: "node-title" }, `${members.length} wires drawn as one`), element("div", { class: "scrolled", tabindex: "0", role: "group", "aria-label": "The wires" }, list));
}

function showNode(...body) {
  const warning = state.sweep.flips.length ? [element("p", { class: "warning" }, branchNote(state.sweep))] : []; // the dialog covers the page
  showDialog("node-sum", ...warning, ...body);
  typeset($("node-sum"));
  for (const block of $("node-sum").querySelectorAll(".formula, li")) fit(block);
}

// Line breaks in long formulas. Browsers do not break MathML, so a formula that is too wide is divided into
// several: first at relations, then between terms, then between factors and operands.

const RELATIONS = ["=", "≈"];
const SIGNS = ["+", "−", "-"];
const MIN_SHARE = 0.8; // minimum scale of a formula that is slightly too wide; below it, the formula is divided
const MIN_SIZE = 14; // minimum font size of a formula, in pixels

// Fit a formula into its block, with a smaller font or in several lines.
function fit(block) {
  const share = block.clientWidth / block.scrollWidth;
  if (share >= 1) return;
  const size = parseFloat(getComputedStyle(block).fontSize);
  block.style.fontSize = `${Math.max(MIN_SIZE, Math.floor(size * Math.max(share, MIN_SHARE)))}px`;
  if (share < MIN_SHARE || block.scrollWidth > block.clientWidth) divide(block);
}

// Divide every formula in a block into lines.
function divide(block) {
  for (const math of block.querySelectorAll("math")) math.replaceWith(divideAtoms(math, atomsOf(math, 0)));
}

// The atoms of a formula, with the depth of their parentheses. A row that begins with an operator, such as
// (a + b) or −x, is one atom.
function atomsOf(row, depth) {
  const found = [];
  for (const part of row.children) {
    if (part.localName === "mrow" && part.firstElementChild?.localName !== "mo") {
      found.push(...atomsOf(part, depth));
      continue;
    }
    const text = part.localName === "mo" ? part.textContent : "";
    if (text === ")") depth -= 1;
    found.push({ part, text, depth });
    if (text === "(") depth += 1;
  }
  return found;
}

// The levels of possible line breaks: before an atom, or after a comma or words.
const DIVISIONS = [
  ({ text, depth }) => depth === 0 && RELATIONS.includes(text),
  ({ text, depth }) => depth === 0 && SIGNS.includes(text),
  ({ text }, before) => text === "·" || SIGNS.includes(text) || before.text === "," || ["mtext", "mpadded"].includes(before.part.localName),
];

function divideAtoms(math, atoms, level = 0) {
  if (level === DIVISIONS.length) return mathOf(math, atoms);
  const groups = [];
  for (const [k, atom] of atoms.entries()) {
    if (k === 0 || DIVISIONS[level](atom, atoms[k - 1])) groups.push([]);
    groups.at(-1).push(atom);
  }
  if (groups.length === 1) return divideAtoms(math, atoms, level + 1);
  return element("span", { class: "lines" }, ...groups.map((group) => divideAtoms(math, group, level + 1)));
}

// A formula of its own from some atoms of a formula.
function mathOf(math, atoms) {
  const part = math.cloneNode(false);
  const [first] = atoms;
  if (first.text && first.text !== "(") first.part.setAttribute("form", "infix"); // with the spacing within a line
  part.append(...atoms.map((atom) => atom.part));
  return part;
}
