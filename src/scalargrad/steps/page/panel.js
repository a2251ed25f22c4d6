// The panel: what the step says, in a sentence, in symbols, in numbers and in remarks.

function drawPanel() {
  const shownNow = shownSteps();
  const index = reached();
  const heading = element("p", { class: `phase ${steps[index].phase}` }, placeOf(shownNow));
  const blocks = shownNow.map((i) => explain(steps[i], i));
  const greyed = state.undefined ? [element("p", { class: "warning" }, "The last valid state:")] : [];
  $("panel").replaceChildren(...greyed, heading, ...blocks.flat());
}

function placeOf(shownNow) {
  const step = steps[shownNow.at(-1)];
  if (step.node === null) return "inputs";
  const { name } = nodes[step.node];
  if (step.phase !== "backward") return `${step.phase}: ${name}`;
  const parents = shownNow.map((i) => nodes[steps[i].parent].name);
  return `backward: ${name} → ${[...new Set(parents)].join(", ")}`;
}

// What one step says, as elements.
function explain(step) {
  const { sweep, notation } = state;
  const say = (kind, text) => element("p", { class: kind }, text);
  const math = (part) => formula(sweep, step, part, MATHML, notation);
  const said = [say("sentence", sentence(step, notation))];
  if (step.phase !== "backward") {
    const whole = step.node === null ? inputRows() : mathElement("div", math("whole"), { class: "formula" });
    return [...said, whole, ...notes(sweep, step, notation).map((note) => say("note", note))];
  }
  const open = state.question?.isOpen && state.question.step === step;
  said.push(
    mathElement("div", math("symbols"), { class: "formula symbols" }),
    open ? questionForm() : mathElement("div", math("numbers"), { class: "formula numbers" }),
    mathElement("p", localText(sweep, step, MATHML), { class: "local-rule" }),
  );
  if (state.question?.step === step && !open) said.push(...replies());
  const pattern = patternNote(sweep, step, notation);
  if (pattern) said.push(say("note pattern", pattern));
  if (open) return said;
  const sum = sumNote(sweep, step, notation);
  if (sum) said.push(say("note sum", sum));
  const nudge = nudgeNote(sweep, step);
  if (nudge) said.push(say("note nudge", nudge));
  return said;
}

// The inputs one below the other, each with its number.
function inputRows() {
  const rows = inputs.map((i) => mathElement("div", MATHML.finish(chain(MATHML, wholeLinks(inputFormula(state.sweep, i, MATHML))))));
  return element("div", { class: "formula" }, ...rows);
}

// Everything the page says at a step, as a screen reader is told it.
function announceStep() {
  const said = shownSteps().flatMap((i) => {
    const step = steps[i];
    const open = state.question?.isOpen && state.question.step === step;
    const part = open ? "symbols" : "whole";
    const remarks = open ? ["What is the product?"] : notes(state.sweep, step, state.notation);
    return [sentence(step, state.notation), formula(state.sweep, step, part, TEXT, state.notation), ...remarks];
  });
  announce(`Step ${state.at + 1} of ${stops().length}. ${said.map((text) => (/[.?]$/.test(text) ? text : `${text}.`)).join(" ")}`);
}

function announce(text) {
  $("announcement").textContent = text;
}

// A node's full sum: its value, and the terms its gradient consists of.
function openNode(i) {
  const { sweep, notation } = state;
  const node = nodes[i];
  const index = reached();
  const known = knownAt[i] <= index;
  const title = element("h2", { id: "node-title" }, node.name);
  const body = [title];
  const kind = { parameter: "a parameter", input: "an input" }[node.kind];
  if (kind) body.push(element("p", {}, `${node.name} is ${kind}.`));
  else body.push(mathElement("div", formula(sweep, steps[knownAt[i]], known ? "whole" : "symbols", MATHML, notation), { class: "formula" }));
  if (known) body.push(element("p", { class: "exact" }, `exactly ${sweep.data[i]}`));
  body.push(element("h3", {}, "Gradient"), ...gradientSum(i, index));
  const close = element("form", { method: "dialog" }, element("button", {}, "Close"));
  $("node-sum").replaceChildren(...body, close);
  $("node-sum").showModal();
}

function gradientSum(i, index) {
  const { sweep, notation } = state;
  if (i === root) return [element("p", {}, `${signal(i, TEXT, notation)} = 1: the backward pass starts here.`)];
  const rows = [];
  let last = null;
  for (const [k, step] of steps.entries()) {
    if (step.phase !== "backward" || step.parent !== i) continue;
    const hidden = k > index || (state.question?.isOpen && state.question.step === step);
    if (!hidden) last = step;
    const written = hidden
      ? element("li", { class: "pending" }, `by ${gateWords(step)}: not yet`)
      : mathElement("li", formula(sweep, step, "whole", MATHML, notation));
    rows.push(written);
  }
  const found = [element("ol", {}, ...rows)];
  if (last && wires[i] > 1) found.push(element("p", { class: "sum" }, sumNote(sweep, last, notation)));
  if (last && last.arrived === wires[i]) found.push(element("p", { class: "exact" }, `exactly ${sweep.total(i)}`));
  return found;
}

// The exact numbers of the node that has the focus or was pointed at.
function showExact(i) {
  const index = reached();
  const known = knownAt[i] <= index;
  const complete = i === root ? index >= seedAt : wires[i] > 0 && arrivedAt(index)[i] === wires[i] && state.question?.isOpen !== true;
  const value = known ? `${nodes[i].name} = ${state.sweep.data[i]}` : `${nodes[i].name}: not computed yet`;
  const gradient = complete ? `; ${signal(i, TEXT, state.notation)} = ${i === root ? 1 : state.sweep.total(i)}` : "";
  $("exact").textContent = `exactly: ${value}${gradient}`;
}
