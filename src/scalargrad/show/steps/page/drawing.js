// The open drawing at a step: what is known, what is active, what has come back. The layout never
// moves; only classes, numbers and the overlay change.

const MANY_DIGITS = 8;
const LEAST_NUMBER = 0.7; // of its size

// How many terms of each node's gradient have arrived.
function arrivedNow() {
  const arrived = nodes.map(() => 0);
  for (const [k, step] of steps.entries()) if (step.phase === "backward" && isDone(k)) arrived[step.parent] += 1;
  return arrived;
}

// Whether a gradient has all its terms.
const isComplete = (i, arrived) => (i === root ? isDone(seedAt) : wires[i] > 0 && arrived[i] === wires[i]);

const askedStep = () => (state.question?.isOpen ? state.question.step : null);

function drawGraph() {
  const arrived = arrivedNow();
  const active = shownSteps().map((k) => steps[k]);
  for (const [i, shapes] of open.nodes) drawNode(i, shapes, arrived);
  for (const [b, bundle] of open.bundles) drawBundle(b, bundle, arrived, active);
  for (const [f, shapes] of open.folds) drawFold(f, shapes);
  for (const [line, carried] of open.lines) drawWireBack(line, carried);
  clearLayers();
  highlight(active);
  drawChips(active);
  $("stage").classList.toggle("greyed", Boolean(state.undefined));
}

function clearLayers() {
  overlay.replaceChildren();
  underlay.replaceChildren();
}

function drawNode(i, { parts, ways, wire, name, label, number: text, gradient, shape }, arrived) {
  const known = isDone(knownAt[i]);
  for (const part of parts) part.classList.toggle("todo", !known);
  if (name && !name.classList.contains("above")) name.replaceChildren(...inDrawing(label + (known ? ` ${relation(state.sweep.data[i])} ` : "")));
  text.textContent = known ? number(state.sweep.data[i]) : "";
  fitNumber(text, wire);
  const asked = askedStep();
  const passed = isComplete(i, arrived) && asked?.parent !== i;
  for (const way of ways) way.classList.toggle("passed", passed);
  const back = asked && asked.parent === i ? askedGradient(i, arrived[i]) : gradientText(i, arrived);
  gradient.textContent = back;
  fitNumber(gradient, wire);
  shape?.setAttribute("aria-label", describeNode(nodes[i].gate ? shape.textContent : nodes[i].name, i, known, back));
}

// A number that is longer than its wire, as −1.235e−300 may be, is set smaller; the wire never moves.
function fitNumber(text, wire) {
  text.style.fontSize = "";
  if (!wire || text.textContent.length < MANY_DIGITS) return;
  const name = text.previousElementSibling;
  const beside = name?.matches(".name:not(.above)") ? name.getComputedTextLength() + 4 : 0;
  const share = (roomOf(wire) - beside - 4) / text.getComputedTextLength();
  if (share < 1) text.style.fontSize = `${(parseFloat(getComputedStyle(text).fontSize) * Math.max(share, LEAST_NUMBER)).toFixed(1)}px`;
}

const roomOf = (wire) => (wire.localName === "rect" ? wire.width.baseVal.value : wire.getTotalLength());

// The gradient of a node as far as it has come: 0.5 + ? until every term has arrived.
function gradientText(i, arrived) {
  if (isComplete(i, arrived)) return i === root ? "1" : number(state.sweep.total(i));
  return arrived[i] && i !== root ? partialSum(state.sweep.total(i, arrived[i])) : "";
}

const partialSum = (sum) => `${number(sum)} + ?`;
const askedGradient = (i, arrived) => (arrived > 1 ? partialSum(state.sweep.total(i, arrived - 1)) : "?");

const valueText = (i) => equalTo(state.sweep.data[i]);

// A node's accessible name; it begins with what is seen in the node.
function describeNode(seen, i, known, gradient) {
  const node = nodes[i];
  const value = known ? ` ${valueText(i)}` : ", not computed yet";
  return `${seen}, ${node.kind}: ${node.name}${value}${gradient ? `, gradient ${gradient}` : ""}`;
}

// Several values on one wire: the number of the one at work, or how many there are.
function drawBundle(b, { members, shape, number: text, gradient }, arrived, active) {
  const known = members.filter((i) => isDone(knownAt[i])).length;
  const complete = members.filter((i) => isComplete(i, arrived)).length;
  for (const part of ["", "-out", "-wire", "-stem", "-fan"]) open.find(`b${b}${part}`)?.classList.toggle("todo", !known);
  open.find(`exit-b${b}`)?.classList.toggle("todo", !known);
  for (const part of ["-out", "-wire-line", "-stem"]) open.find(`b${b}${part}`)?.classList.toggle("passed", complete === members.length);
  const one = atWork(members, active);
  open.bundles.get(b).one = one;
  text.replaceChildren(...inDrawing(one === null ? countedOf(known, "value", members.length) : `${nodes[one].name} ${valueText(one)}`));
  const asked = askedStep()?.parent === one;
  const back = one === null ? "" : asked ? askedGradient(one, arrived[one]) : gradientText(one, arrived);
  gradient.textContent = back || countedOf(complete, "gradient", members.length);
  shape.setAttribute("aria-label", `${shape.textContent}: ${members.length} wires drawn as one; opens their list`);
}

// How many of several there are: nothing, 3/16 values, 16 values.
function countedOf(count, noun, all) {
  return count ? `${count === all ? count : `${count}/${all}`} ${noun}s` : "";
}

// The one of several nodes that the steps shown are about, or else whose value they read.
function atWork(members, active) {
  const [step] = active;
  const here = (found) => {
    const among = [...new Set(found)].filter((i) => members.includes(i) && isDone(knownAt[i]));
    return among.length === 1 ? among[0] : null;
  };
  if (step.phase !== "backward") return here(active.map(({ node }) => node));
  return here(active.map(({ parent }) => parent)) ?? here(active.flatMap(readBy));
}

function drawFold(f, { shape, lines }) {
  const begun = drawings[f].gates.some((i) => isDone(knownAt[i]));
  for (const part of [shape, ...lines]) part.classList.toggle("todo", !begun);
}

function drawWireBack(line, carried) {
  const asked = askedStep();
  const done = carried.filter((k) => isDone(k));
  const isAsked = asked !== null && carried.some((k) => steps[k] === asked);
  const all = done.length === carried.length && !isAsked;
  const dead = all && carried.every((k) => isStopped(state.sweep, steps[k]));
  line.classList.toggle("passed", all && !dead);
  line.classList.toggle("dead", dead);
  drawContribution(line, done, carried, isAsked);
}

// What has come back along a line: on its tap, or on the wire of its copy or repeated name.
function drawContribution(line, done, carried, isAsked) {
  const tap = open.find(`${line.id}-tap`);
  const copy = open.find(`${line.id}-gradient`);
  if (!tap && !copy) return;
  if (copy && open.bundles.has(Number(/-b(\d+)$/.exec(line.id)?.[1]))) {
    drawBundleAgain(line, done, carried);
    return;
  }
  const sum = done.reduce((total, k) => total + state.sweep.contributions[k], 0);
  const whole = isAsked ? "?" : number(sum);
  const text = !done.length ? "" : done.length === carried.length ? whole : partialSum(sum);
  const place = copy ?? tap.querySelector("text");
  place.textContent = text;
  fitNumber(place, copy ? open.find(`${line.id}-wire-line`) : tap.querySelector("rect"));
  tap?.classList.toggle("empty", !done.length);
  if (!copy) return;
  const { parent } = steps[carried[0]];
  const known = isDone(knownAt[parent]);
  drawWireAgain(line, known, known ? number(state.sweep.data[parent]) : "");
}

// The wire of a copy or a repeated name, on which its line continues.
function drawWireAgain(line, known, value) {
  const place = open.find(`${line.id}-value`).querySelector(".value");
  place.textContent = value;
  fitNumber(place, open.find(`${line.id}-wire-line`));
  open.find(`${line.id}-again`)?.classList.toggle("todo", !known);
  for (const part of ["out", "wire-line"]) {
    const { classList } = open.find(`${line.id}-${part}`);
    classList.toggle("todo", !known);
    for (const name of ["passed", "dead"]) classList.toggle(name, line.classList.contains(name));
  }
}

// A bundle named again: how many of its values there are, and how many terms have come back.
function drawBundleAgain(line, done, carried) {
  const members = [...new Set(carried.map((k) => steps[k].parent))];
  const known = members.filter((i) => isDone(knownAt[i])).length;
  drawWireAgain(line, known > 0, countedOf(known, "value", members.length));
  open.find(`${line.id}-gradient`).textContent = countedOf(done.length, "term", carried.length);
}
