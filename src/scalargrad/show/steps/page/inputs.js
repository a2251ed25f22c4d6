// The inputs: a slider and a number box each. Everything is recomputed at once, at whatever step.

const fields = new Map(); // by node: {row, slider, box, gradient}
const MOST_FIELDS = 60; // of more inputs, those of the open drawing are listed
const MOST_DATA = 20;
const MOST_DIGITS = 10; // that a number box holds beside its slider
const MOST_LETTERS = 13; // of ∂f/∂x, so that a gradient stays on one line
let listedInputs = [];

function buildInputs() {
  listInputs();
  if (canCompute) return;
  const own = nodes.filter((node) => node.gate && !functions[node.gate]).map((node) => gates[node.form].symbol);
  $("undefined").textContent = `The inputs are fixed: ${listed([...new Set(own)])} is a Python function, which a page cannot call.`;
  $("reset").hidden = true;
}

// List the inputs; of very many, the data and what stands in the open drawing.
function listInputs() {
  const here = new Set([...inputs.filter((i) => nodes[i].kind === "input").slice(0, MOST_DATA), ...inputsHere()]);
  listedInputs = inputs.length <= MOST_FIELDS ? inputs : inputs.filter((i) => here.has(i));
  $("fields").style.setProperty("--longest", `${Math.max(...listedInputs.map((i) => nodes[i].name.length), 0)}ch`);
  $("fields").replaceChildren(...listedInputs.map((i) => fieldOf(i).row));
  $("some").textContent = listedInputs.length < inputs.length ? `${listedInputs.length} of ${inputs.length} inputs: data, and those drawn here.` : "";
}

// The inputs that stand in the open drawing.
const inputsHere = () => inputs.filter((i) => open.nodes.has(i) || open.unitOf.has(i));

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
    onkeydown: ({ key }) => { if (key === "Enter") box.blur(); }, // the arrow keys step again
  });
  const gradient = element("output", { class: "gradient" });
  return { row: element("div", { class: "field" }, label, slider, box, gradient), slider, box, gradient };
}

// A round number at least twice as large as the input; no less than 5, except for a very small one.
function niceExtent(x) {
  const size = Number.isFinite(x) ? Math.abs(x) : 0;
  const isSmall = size > 1e-300 && size < 1e-3;
  return roundAbove(isSmall ? 2 * size : Math.max(5, 2 * size));
}

const roundTo = (x, grain) => Number((Math.round(x / grain) * grain).toPrecision(6));

// Four significant digits, and while someone is in the box every digit. A refused text stays.
function showInBox(i, box) {
  if (box.getAttribute("aria-invalid") === "true") return;
  const value = state.sweep.data[i];
  const isFinite = Number.isFinite(value);
  box.type = isFinite ? "number" : "text"; // a box of numbers would stay empty
  const written = isFinite && document.activeElement === box ? String(value) : digitsOf(value);
  if (box.value !== written) box.value = written;
  suitBox(box);
}

// A long number needs the room of its slider while someone is in the box.
const suitBox = (box) => box.classList.toggle("long", box.value.length > MOST_DIGITS);

function typeInput(i, box) {
  suitBox(box);
  if (box.value.trim() === "" || !Number.isFinite(Number(box.value))) {
    refuse(`${nodes[i].name}: write a number.`, box);
  } else setInput(i, Number(box.value));
}

// Recompute with new inputs, given as [node, number]; where undefined, keep the last valid state.
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
  if (state.question?.isOpen) askIfPredicting();
  drawAll();
  if ($("announcement").textContent && !state.question?.isOpen) announceStep(); // in the numbers that now hold
}

function resetInputs() {
  state.sweep = recordedSweep;
  accept();
}

const areMoved = () => inputs.some((i) => !Object.is(state.sweep.data[i], recordedSweep.data[i]));

// Show the numbers of the inputs; a box in which someone writes, or a refused one, is left alone.
function drawInputs() {
  const arrived = arrivedNow();
  const asked = state.question?.isOpen ? state.question.step.parent : null;
  const isLong = listedInputs.some((i) => signal(i, TEXT, state.notation).length > MOST_LETTERS);
  for (const i of listedInputs) {
    const { slider, box, gradient } = fields.get(i);
    const value = state.sweep.data[i];
    if (!state.undefined) {
      box.removeAttribute("aria-invalid");
      if (document.activeElement !== box || !Object.is(Number(box.value), value)) showInBox(i, box);
      if (document.activeElement !== slider || Number(slider.value) !== value) slider.value = String(value);
      slider.setAttribute("aria-valuetext", number(value));
    }
    const name = isLong ? "gradient" : signal(i, TEXT, state.notation); // the name itself stands beside
    const hidden = i === asked || !isComplete(i, arrived);
    gradient.textContent = hidden ? `${name} = …` : `${name} ${equalTo(state.sweep.total(i))}`;
    typeset(gradient);
  }
}
