// The panel: what the step says, in a sentence, in symbols, in numbers and in remarks.

const MOST_EXPLAINED = 3; // of more wires at once, each is a line
const MOST_LISTED = 40; // inputs
const LONGEST_CALL = 6; // operands that a formula writes
const LEAST_LETTERS = 14; // pixels, of a presentation

function drawPanel() {
  const shownNow = shownSteps();
  const { phase } = steps[shownNow[0]];
  const heading = element("p", { class: `phase ${phase}` }, placeOf(shownNow));
  const blocks = explainStop(shownNow);
  const greyed = state.undefined ? [element("p", { class: "warning" }, "The last valid state:")] : [];
  $("panel").replaceChildren(element("div", { class: "said" }, ...greyed, heading, ...alarmed(shownNow), ...blocks.flat()));
  typeset($("panel"));
  for (const block of $("panel").querySelectorAll(".formula, .local-rule, .many li")) fit(block);
  fitPresented($("panel"));
}

// A projector shows a step whole: letters are as small as that takes.
function fitPresented(panel) {
  panel.style.cssText = "";
  let size = isPresented() ? parseFloat(getComputedStyle(panel).fontSize) : 0;
  while (size > LEAST_LETTERS && panel.scrollHeight > panel.clientHeight) {
    size -= 1;
    panel.style.cssText = `--large: ${size}px; font-size: ${size}px`;
  }
}

// A sentence on the first number that is inf or nan, from the step on at which it appears; that step
// says it among its remarks.
function alarmed(stop) {
  const { alarm } = state.sweep;
  if (!alarm || !isDone(alarm.at)) return [];
  const isSaid = stop.includes(alarm.at) && stop.length <= MOST_EXPLAINED && state.view !== "layer";
  const text = alarmText(state.sweep);
  return isSaid ? [] : [element("p", { class: "alarm-note" }, `${text[0].toUpperCase()}${text.slice(1)}.`)];
}

// What a stop says: that of its layer, of its steps, or of many steps in brief.
function explainStop(stop) {
  const layer = layerOf(stop);
  if (layer) return [...explainLayer(layer, steps[stop[0]].phase), ...kinkRemarks(stop)];
  if (stop.length > MOST_EXPLAINED) return explainMany(stop);
  return stop.flatMap((k) => explain(steps[k]));
}

// Of a gate with many operands, each wire in a line.
function explainMany(stop) {
  const { sweep, notation } = state;
  const { node } = steps[stop[0]];
  const named = signal(node, TEXT, notation);
  const upstream = sweep.signals[node];
  const rows = stop.map((k) => {
    const row = mathElement("li", formula(sweep, steps[k], "whole", MATHML, notation));
    const sum = sumNote(sweep, steps[k], notation);
    if (sum) row.append(element("p", { class: "sum" }, sum));
    return row;
  });
  return [
    element("p", { class: "sentence" }, `From ${nodes[node].name} back along ${stop.length} wires: upstream ${named} ${equalTo(upstream)} times each local.`),
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
    const around = drawings[drawingAround(shownNow)];
    const isNamed = around.parent === null || around.title.toLowerCase() === layer.title;
    return `${step.phase}: ${layer.title}${isNamed ? "" : `, in the graph ${around.title}`}`;
  }
  const { name } = nodes[step.node];
  if (step.phase !== "backward") return `${step.phase}: ${name}`;
  const parents = [...new Set(shownNow.map((i) => nodes[steps[i].parent].name))];
  return `backward: ${name} → ${parents.length > MOST_EXPLAINED ? listed(parents) : parents.join(", ")}`;
}

// What the names of patterns mean, where they stand.
const PATTERNS = {
  distributor: "A distributor hands the gradient on to each operand as it is, or an equal share of it.",
  "swap multiplier": "A swap multiplier multiplies the gradient by the other operand.",
  "sign flip": "A sign flip hands on the gradient negated.",
  "gradient router": "A gradient router hands the gradient to what was chosen, and nothing to the others; equal ones share it.",
  adder: "An adder: where a value fans out, the gradients that come back are added.",
};

// What one step says, as elements.
function explain(step) {
  const { sweep, notation } = state;
  const math = (part) => mathElement("div", formula(sweep, step, part, MATHML, notation), { class: `formula ${part}` });
  const said = [element("p", { class: "sentence" }, sentence(step, notation))];
  const isAsked = askedStep() === step;
  if (step.phase !== "backward") said.push(...(step.node === null ? [inputRows()] : [math("whole"), ...operandList(step)]));
  else if (asksLocal(step)) said.push(mathElement("div", chainAsked(step), { class: "formula symbols" }), questionForm());
  else said.push(math("symbols"), isAsked ? questionForm() : math("numbers"), mathElement("p", localText(sweep, step, MATHML), { class: "local-rule" }));
  if (asksLocal(step)) return said;
  if (state.question?.step === step && !isAsked) said.push(...replies());
  const shown = remarks(sweep, step, notation).filter(([kind]) => !isAsked || kind === "pattern");
  return [...said, ...shown.map(([kind, text]) => remark(step, kind, text))];
}

// A remark, and what the name in it means; columns keep them together.
function remark(step, kind, text) {
  const name = kind === "sum" && step.arrived === step.expected ? "adder" : kind === "pattern" ? text.split(":")[0] : "";
  const meaning = PATTERNS[name] ? [element("p", { class: "meaning" }, PATTERNS[name])] : [];
  return element("div", {}, element("p", { class: kind === "alarm" ? "alarm-note" : `note ${kind}` }, text), ...meaning);
}

// The inputs one below the other, each with its number.
function inputRows() {
  const rows = inputs.slice(0, MOST_LISTED).map(valueRow);
  const rest = inputs.length - rows.length;
  if (rest > 0) rows.push(element("p", { class: "extent" }, say("more", { count: rest })));
  return element("div", { class: "formula" }, ...rows);
}

const valueRow = (i) => mathElement("div", MATHML.finish(chain(MATHML, wholeLinks(inputFormula(state.sweep, i, MATHML)))));

// Every operand of a gate whose formula leaves some out.
function operandList({ phase, node }) {
  const operands = [...new Set(linked(nodes[node]).map((link) => link.node))];
  if (phase !== "forward" || operands.length <= LONGEST_CALL) return [];
  return [element("p", { class: "extent" }, `All ${operands.length} operands:`), element("div", { class: "operands" }, ...operands.map(valueRow))];
}

// Everything the page says at a step, as a screen reader is told it.
function announceStep() {
  const said = saidAt(shownSteps());
  const where = drawings.length > 1 ? ` In ${pathInWords(open.index)}.` : "";
  announce(`Step ${state.at + 1} of ${stops().length}.${where} ${said.map((text) => (/[.?]$/.test(text) ? text : `${text}.`)).join(" ")}`);
}

function saidAt(stop) {
  const layer = layerOf(stop);
  if (layer) return [layerSentence(layer, steps[stop[0]].phase), ...kinkNotes(stop)];
  if (stop.length > MOST_EXPLAINED) return [explainMany(stop)[0].textContent, ...kinkNotes(stop)];
  return stop.flatMap((i) => {
    const step = steps[i];
    const isAsked = askedStep() === step;
    if (asksLocal(step)) return [sentence(step, state.notation), QUESTIONS.local];
    const part = isAsked ? "symbols" : "whole";
    const remarks = isAsked ? [QUESTIONS[state.question.stage]] : notes(state.sweep, step, state.notation);
    return [sentence(step, state.notation), formula(state.sweep, step, part, TEXT, state.notation), ...remarks];
  });
}

// A node's full sum: its value, and the terms its gradient consists of.
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
  if (i === root) return [element("p", {}, `${signal(i, TEXT, notation)} = 1: the backward pass starts here.`)];
  const rows = [];
  let last = null;
  for (const [k, step] of steps.entries()) {
    if (step.phase !== "backward" || step.parent !== i) continue;
    const hidden = !isDone(k) || askedStep() === step;
    if (!hidden) last = step;
    const written = hidden
      ? element("li", { class: "pending" }, `${say("via", { gate: gateWords(step) })}: not yet`)
      : mathElement("li", formula(sweep, step, "whole", MATHML, notation));
    rows.push(written);
  }
  const found = [element("ol", {}, ...rows)];
  if (last && wires[i] > 1) found.push(element("p", { class: "sum" }, sumNote(sweep, last, notation)));
  if (last && last.arrived === wires[i]) found.push(element("p", { class: "exact" }, `exactly ${exact(sweep.total(i))}`));
  return found;
}

// The exact numbers of the node that has the focus or was pointed at.
function showExact() {
  const i = state.looked;
  if (i === null) return;
  const known = isDone(knownAt[i]);
  const complete = isComplete(i, arrivedNow()) && state.question?.isOpen !== true;
  const value = known ? `${nodes[i].name} = ${exact(state.sweep.data[i])}` : `${nodes[i].name}: not computed yet`;
  const gradient = complete ? `; ${signal(i, TEXT, state.notation)} = ${exact(state.sweep.total(i))}` : "";
  $("exact").textContent = `exactly: ${value}${gradient}`;
  typeset($("exact"));
}

// The wires drawn as one: each with its value and its gradient.
function openBundle(b) {
  const { members } = open.bundles.get(b);
  const arrived = arrivedNow();
  const asked = askedStep();
  const rows = members.map((i) => {
    const value = isDone(knownAt[i]) ? number(state.sweep.data[i]) : "";
    const gradient = asked?.parent === i ? askedGradient(i, arrived[i]) : gradientText(i, arrived);
    const name = element("button", { type: "button", onclick: () => openNode(i) }, nodes[i].name);
    return [name, element("span", { class: "value" }, value), element("span", { class: "gradient" }, gradient)];
  });
  const list = table(["name", "value", "gradient"], rows);
  showNode(element("h2", { id: "node-title" }, `${members.length} wires drawn as one`), element("div", { class: "scrolled", tabindex: "0", role: "group", "aria-label": "The wires" }, list));
}

function showNode(...body) {
  const warning = state.sweep.flips.length ? [element("p", { class: "warning" }, branchNote(state.sweep))] : []; // it covers the page
  showDialog("node-sum", ...warning, ...body);
  typeset($("node-sum"));
  for (const block of $("node-sum").querySelectorAll(".formula, li")) fit(block);
}

// Long formulas in lines. Browsers do not break MathML, so a formula that is too wide is divided
// into several, at its relations first, then between terms, then between factors and operands.

const RELATIONS = ["=", "≈"];
const SIGNS = ["+", "−", "-"];
const LEAST_SHARE = 0.8; // what is a little too wide is made smaller instead
const LEAST_SIZE = 14; // pixels

// Make a formula fit into its block: smaller within reason, else in several lines.
function fit(block) {
  const share = block.clientWidth / block.scrollWidth;
  if (share >= 1) return;
  const size = parseFloat(getComputedStyle(block).fontSize);
  block.style.fontSize = `${Math.max(LEAST_SIZE, Math.floor(size * Math.max(share, LEAST_SHARE)))}px`;
  if (share < LEAST_SHARE || block.scrollWidth > block.clientWidth) divide(block);
}

// Divide every formula in a block where it may go on in the next line.
function divide(block) {
  for (const math of block.querySelectorAll("math")) math.replaceWith(dividedAtoms(math, atomsOf(math, 0)));
}

// What a formula consists of, with the depth of its parentheses. A row that opens with an operator,
// such as (a + b) or −x, stays in one piece.
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

// Where a new line may begin: before an atom, or behind a comma or words.
const DIVISIONS = [
  ({ text, depth }) => depth === 0 && RELATIONS.includes(text),
  ({ text, depth }) => depth === 0 && SIGNS.includes(text),
  ({ text }, before) => text === "·" || SIGNS.includes(text) || before.text === "," || ["mtext", "mpadded"].includes(before.part.localName),
];

function dividedAtoms(math, atoms, level = 0) {
  if (level === DIVISIONS.length) return mathOf(math, atoms);
  const groups = [];
  for (const [k, atom] of atoms.entries()) {
    if (k === 0 || DIVISIONS[level](atom, atoms[k - 1])) groups.push([]);
    groups.at(-1).push(atom);
  }
  if (groups.length === 1) return dividedAtoms(math, atoms, level + 1);
  return element("span", { class: "lines" }, ...groups.map((group) => dividedAtoms(math, group, level + 1)));
}

// Some atoms of a formula as a formula of their own.
function mathOf(math, atoms) {
  const made = math.cloneNode(false);
  const [first] = atoms;
  if (first.text && first.text !== "(") first.part.setAttribute("form", "infix"); // spaced as within a line
  made.append(...atoms.map(({ part }) => part));
  return made;
}
