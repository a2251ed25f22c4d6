// The current snapshot in words, compared with the previous one; and the dialog of a unit.

const capital = (word) => word[0].toUpperCase() + word.slice(1);
const nameOfExample = (i) => `example ${i}`;

// The parameter that changed most since the previous snapshot, or null.
function largestChange() {
  const changed = training.changes(state.at);
  let parameter = -1;
  for (let p = 0; p < training.parameterCount; p += 1) {
    if (Math.abs(changed[p]) > Math.abs(changed[parameter] ?? 0)) parameter = p;
  }
  return parameter < 0 ? null : { parameter, by: changed[parameter], now: training.parameters[state.at][parameter] };
}

function stepsText() {
  const k = state.at;
  const { steps, stepName } = training;
  if (k === 0) return steps[0] === 0 ? "Before training" : `${capital(stepName)} ${steps[0]}`;
  const first = steps[k - 1] + 1;
  return first === steps[k] ? `${capital(stepName)} ${first}` : `${capital(stepName)}s ${first} to ${steps[k]}`;
}

function sentence() {
  const k = state.at;
  const { losses } = training;
  if (k === 0) return `${stepsText()}: loss ${number(losses[0])}${resultText()}.`;
  return `${stepsText()}: loss ${number(losses[k - 1])} → ${number(losses[k])}${resultText()}.`;
}

// The number of examples classified correctly or, in regression, the example with the largest loss.
function resultText() {
  const k = state.at;
  if (!task.classes.length) return `; ${worstExample(k)}`;
  const { right } = training.answers(k);
  const of = `${right} of ${examples.length} classified correctly`;
  if (k === 0) return `; ${of}`;
  const gained = right - training.answers(k - 1).right;
  const compared = `${Math.abs(gained)} ${gained > 0 ? "more" : "fewer"} classified correctly, ${right} of ${examples.length}`;
  return gained === 0 ? `; still ${of}` : `; ${compared}`;
}

function worstExample(k) {
  const each = training.answers(k).losses;
  const i = each.indexOf(Math.max(...each));
  return i < 0 ? "no loss is a number" : `${nameOfExample(i)} has the largest loss, ${number(each[i])}`;
}

function changeSentence() {
  if (state.at === 0) return "";
  const moved = largestChange();
  if (!moved) return "No parameter changed.";
  return `${capital(training.places[moved.parameter])} changed most, by ${signed(moved.by)} to ${number(moved.now)}${descent(moved)}.`;
}

// The explanation of a change by gradient descent; "" if it does not explain it.
function descent({ parameter, by }) {
  const { steps, rates } = training;
  const rate = rates[state.at];
  if (!rate || steps[state.at] - steps[state.at - 1] !== 1) return "";
  const slope = training.gradients(state.at - 1, null)[parameter];
  if (!(Math.abs(by + rate * slope) <= 0.01 * Math.abs(by))) return "";
  return ` (≈ −learning rate · gradient ${relation(rate, slope)} −${number(rate)} · ${factor(slope)})`;
}

const factor = (x) => (x < 0 ? `(${number(x)})` : number(x));

function exampleSentence() {
  const i = state.example;
  if (i === null) return "";
  const { outputs, losses: each } = training.answers(state.at);
  const given = examples[i].length <= 4 ? `: ${examples[i].map((x, j) => `${training.units[j].name} ${equalTo(x)}`).join(", ")}` : "";
  const outs = outputs[i].map((y, o) => `${nameOfOutput(o)}${classOfOutput(o)} ${equalTo(y)}`).join(", ");
  const answered = task.classes.length
    ? `, so class ${task.names[predictedClass(outputs[i])]}${predictedClass(outputs[i]) === task.classes[i] ? ", which is right" : ", which is wrong"}`
    : "";
  return `${capital(nameOfExample(i))}${given}; ${targetText(i)}. The network outputs ${outs}${answered}; loss ${number(each[i])}.`;
}

function nameOfOutput(o) {
  const { outputs } = training.model;
  return training.units.find((unit) => unit.output === outputs[o])?.name ?? (outputs.length > 1 ? `output ${o}` : "output");
}

// The class of an output, if each class has an output and a name.
function classOfOutput(o) {
  const hasOne = task.classes.length > 0 && training.model.outputs.length === task.names.length;
  return hasOne && task.names[o] !== String(o) ? ` (${task.names[o]})` : "";
}

function drawStory() {
  putText($("sentence"), sentence());
  putText($("change"), changeSentence());
  putText($("example-sentence"), exampleSentence() || "Select an example in the plane to send it through the network.");
  $("example-sentence").classList.toggle("hint", state.example === null);
}

// Open the dialog of a unit, with every product of its sum, and the gradient and change of each weight.
function openUnit(c) {
  const unit = training.units[c];
  const values = state.example === null ? null : training.activations(state.at, state.example);
  const title = unit.layer === 0 ? `Input ${unit.name}` : `Unit ${unit.name} of layer ${unit.layer}`;
  showDialog(
    "unit-details",
    element("h2", { id: "unit-title" }, `${title}, ${stepsText().toLowerCase()}`),
    element("p", {}, unitFormula(c, values)),
    ...(unit.sources.length ? [element("div", { class: "scrolled", tabindex: 0, role: "region", "aria-label": "Its sum" }, unitTable(c, values))] : []),
  );
}

function unitFormula(c, values) {
  const { name, layer, activation } = training.units[c];
  const given = values ? ` For example ${state.example}: ` : "";
  if (layer === 0) return values ? `${given}${name} ${equalTo(values[c])}.` : "It is an input.";
  const rule = activation ? `${name} = ${activation}(z), where z is the sum below.` : `${name} is the sum below.`;
  if (!values) return `${rule} Select an example to see its products.`;
  const z = training.run(training.parameters[state.at])[training.units[c].weighted][state.example];
  const sign = activation === "ReLU" || z === 0 ? relation(z, values[c]) : "≈"; // tanh(40) ≈ 1
  const shown = activation ? `z ${equalTo(z)}, ${name} = ${activation}(${number(z)}) ${sign} ${number(values[c])}` : `${name} ${equalTo(values[c])}`;
  return `${rule}${given}${shown}.`;
}

function unitTable(c, values) {
  const { sources, bias } = training.units[c];
  const [now, slopes, changed] = [training.parameters[state.at], training.gradients(state.at, state.example), training.changes(state.at)];
  const row = (from, x, p) => [
    from, ...(values ? [x === null ? "" : number(x)] : []), number(now[p]),
    ...(values ? [number(x === null ? now[p] : x * now[p])] : []), number(slopes[p]), signed(changed[p]),
  ];
  const rows = sources.map(([source, node]) => row(training.units[source].name, values ? values[source] : null, node - width));
  if (bias !== null && bias >= width && bias < width + training.parameterCount) rows.push(row("bias", null, bias - width));
  const head = ["from", ...(values ? ["value"] : []), "weight", ...(values ? ["product"] : []), values ? `∂L/∂w, example ${state.example}` : "∂L/∂w", "change"];
  return table(head, rows);
}
