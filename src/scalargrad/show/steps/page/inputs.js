// The inputs: a slider and a number box for each. A change recomputes the whole graph at any step.

const fields = new Map(); // by node: {row, slider, box, gradient}
const MAX_FIELDS = 60; // maximum number of inputs listed; of more, the data and the inputs in the open drawing
const MAX_DATA = 20; // maximum number of data listed, if there are more inputs than MAX_FIELDS
const MAX_BOX_DIGITS = 10; // maximum length of a number in a box next to its slider
const MAX_GRADIENT_NAME = 13; // maximum length of ∂f/∂x, so that a gradient needs only one line
let listedInputs = [];

function buildInputs() {
  listInputs();
  if (canCompute) return;
  const own = nodes.filter((node) => node.gate && !functions[node.gate]).map((node) => gates[node.form].symbol);
  $("undefined").textContent = `The inputs are fixed: ${joinNames([...new Set(own)])} is a Python function, which a page cannot call.`;
  $("reset").hidden = true;
}

// List the inputs; of very many, the data and those in the open drawing.
function listInputs() {
  const here = new Set([...inputs.filter((i) => nodes[i].kind === "input").slice(0, MAX_DATA), ...inputsHere()]);
  listedInputs = inputs.length <= MAX_FIELDS ? inputs : inputs.filter((i) => here.has(i));
  $("fields").style.setProperty("--longest", `${Math.max(...listedInputs.map((i) => nodes[i].name.length), 0)}ch`);
  $("fields").replaceChildren(...listedInputs.map((i) => fieldOf(i).row));
  $("some").textContent = listedInputs.length < inputs.length ? `${listedInputs.length} of ${inputs.length} inputs: data, and inputs in this drawing.` : "";
}

// The inputs in the open drawing.
const inputsHere = () => inputs.filter((i) => open.nodes.has(i) || open.sourceOf.has(i));

function fieldOf(i) {
  if (!fields.has(i)) fields.set(i, buildField(i));
  return fields.get(i);
}

function buildField(i) {
  const node = nodes[i];
  const extent = niceExtent(float(node.data));
  const label = typeset(element("span", { class: `chip-name ${node.kind}`, title: node.name }, node.name));
  const slider = element("input", {
    type: "range", min: -extent, max: extent, step: "any", disabled: !canCompute, "aria-label": `${node.name}, slider`,
    oninput: () => setInput(i, roundTo(Number(slider.value), extent / 100)),
  });
  const box = element("input", {
    type: "number", step: "any", id: `box-${i}`, disabled: !canCompute, "aria-label": node.name,
    oninput: () => typeInput(i, box), onfocus: () => showInBox(i, box), onblur: () => showInBox(i, box),
    onkeydown: ({ key }) => { if (key === "Enter") box.blur(); }, // so that the arrow keys move through the steps again
  });
  const gradient = element("output", { class: "gradient" });
  return { row: element("div", { class: "field" }, label, slider, box, gradient), slider, box, gradient };
}

// A round number that is at least twice the input, and at least 5 unless the input is very small.
function niceExtent(x) {
  const size = Number.isFinite(x) ? Math.abs(x) : 0;
  const isSmall = size > 1e-300 && size < 1e-3;
  return roundAbove(isSmall ? 2 * size : Math.max(5, 2 * size));
}

const roundTo = (x, grain) => Number((Math.round(x / grain) * grain).toPrecision(6));

// Show four significant digits or, while the box has the focus, all digits. A refused text remains.
function showInBox(i, box) {
  if (box.getAttribute("aria-invalid") === "true") return;
  const value = state.sweep.data[i];
  const isFinite = Number.isFinite(value);
  box.type = isFinite ? "number" : "text"; // a number box cannot show inf and nan
  const text = isFinite && document.activeElement === box ? String(value) : digitsOf(value);
  if (box.value !== text) box.value = text;
  suitBox(box);
}

// Let a long number cover its slider while the box has the focus.
const suitBox = (box) => box.classList.toggle("long", box.value.length > MAX_BOX_DIGITS);

function typeInput(i, box) {
  suitBox(box);
  if (box.value.trim() === "" || !Number.isFinite(Number(box.value))) {
    refuse(`${nodes[i].name}: write a number.`, box);
  } else setInput(i, Number(box.value));
}

// Recompute with new inputs, a list of [node, number]; if a gate is undefined, keep the last valid state.
function setInputs(changes) {
  const sweep = state.sweep.with(changes);
  if (sweep.invalid) {
    refuse(`${undefinedNote(sweep.invalid)} The last valid state is kept.`, fieldOf(changes[0][0]).box);
    return false;
  }
  state.sweep = sweep;
  accept();
  return true;
}

const setInput = (i, value) => setInputs([[i, value]]);

function refuse(why, box) {
  state.undefined = why;
  $("undefined").textContent = why;
  box.setAttribute("aria-invalid", "true");
  drawAll();
}

function accept() {
  state.undefined = "";
  $("undefined").textContent = "";
  if (state.question?.isOpen) updateQuestion();
  drawAll();
  if ($("announcement").textContent && !state.question?.isOpen) announceStep(); // with the new numbers
}

function resetInputs() {
  state.sweep = recordedSweep;
  accept();
}

const areMoved = () => inputs.some((i) => !Object.is(state.sweep.data[i], recordedSweep.data[i]));

// Show the numbers of the inputs, except in boxes that have the focus or were refused.
function drawInputs() {
  const arrived = countArrivedTerms();
  const asked = state.question?.isOpen ? state.question.step.parent : null;
  const isLong = listedInputs.some((i) => gradientSymbol(i, TEXT, state.notation).length > MAX_GRADIENT_NAME);
  for (const i of listedInputs) {
    const { slider, box, gradient } = fields.get(i);
    const value = state.sweep.data[i];
    if (!state.undefined) {
      box.removeAttribute("aria-invalid");
      if (document.activeElement !== box || !Object.is(Number(box.value), value)) showInBox(i, box);
      if (document.activeElement !== slider || Number(slider.value) !== value) slider.value = String(value);
      slider.setAttribute("aria-valuetext", number(value));
    }
    const name = isLong ? "gradient" : gradientSymbol(i, TEXT, state.notation); // the name is in the same row
    const hidden = i === asked || !isComplete(i, arrived);
    gradient.textContent = hidden ? `${name} = …` : `${name} ${equalTo(state.sweep.total(i))}`;
    typeset(gradient);
  }
}
