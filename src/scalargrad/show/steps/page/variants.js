// Worksheets with inputs of their own, drawn by a seed, and as numerical questions for Moodle.

const TRIES = 200; // points drawn until one is defined, with gradients that are not all zero
const TOLERANCE = 0.005; // as a share of an answer: three digits are enough

// Act with the inputs of the chosen variant, and go back to those there were.
function atVariant(action) {
  const kept = state.sweep;
  const seed = Math.abs(Math.trunc(Number($("variant").value))) || 0;
  if (seed && canCompute) state.sweep = variant(seed) ?? kept;
  action();
  state.sweep = kept;
  drawAll();
}

// The graph at inputs drawn by a seed: parameters and data of one decimal, alike in size.
function variant(seed) {
  const draw = randomBy(seed);
  for (let k = 0; k < TRIES; k += 1) {
    const data = [...recordedSweep.data];
    for (const i of inputs) data[i] = drawnLike(recordedSweep.data[i], draw);
    const sweep = new Sweep(data);
    if (!sweep.invalid && !sweep.alarm && inputs.some((i) => i === root || sweep.total(i) !== 0)) return sweep;
  }
  return null;
}

// A number of two digits at most, of about the size of x, and never 0.
function drawnLike(x, draw) {
  const size = Number.isFinite(x) && x !== 0 ? 10 ** Math.floor(Math.log10(Math.abs(x))) : 1;
  const digits = 1 + Math.floor(draw() * 40);
  return Number(((draw() < 0.5 ? -1 : 1) * digits * size * 0.1).toPrecision(2));
}

// Numbers from 0 to 1, always the same ones for a seed.
function randomBy(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

// A numerical question for each wire, and one for each gradient that is a sum.
function moodleXml() {
  const { sweep } = state;
  const given = inputs.map((i) => `${nodes[i].name} = ${exact(sweep.data[i])}`).join(", ");
  const gateSteps = steps.filter((step) => step.phase === "forward" && step.node !== null);
  const written = gateSteps.map((step) => formula(sweep, step, "symbols", TEXT, "partial"));
  const graphText = `${written.join("; ")}, at ${given}`;
  const questions = backwardSteps().flatMap((step) => questionsOf(step, graphText));
  return `<?xml version="1.0" encoding="UTF-8"?>\n<quiz>\n${questions.join("\n")}\n</quiz>\n`;
}

function questionsOf(step, graphText) {
  const { sweep, notation } = state;
  const contribution = sweep.signals[step.node] * sweep.locals[step.node][step.operand];
  const gradient = signal(step.parent, TEXT, notation);
  const symbols = formula(sweep, step, "symbols", TEXT, notation);
  const ways = step.expected > 1 ? `, the term by ${gateWords(step)}` : "";
  const found = [question(`${gradient}${ways}`, `${graphText}. What is ${symbols}?`, contribution, formula(sweep, step, "whole", TEXT, notation))];
  if (step.expected > 1 && step.arrived === step.expected) {
    found.push(question(`${gradient}, the sum`, `${graphText}. What is ${gradient}, the sum of ${step.expected} terms?`, sweep.total(step.parent), sumNote(sweep, step, notation)));
  }
  return found;
}

function question(name, text, answer, feedback) {
  const html = (words) => `<text>${escapeHtml(`<p>${escapeHtml(words)}</p>`)}</text>`;
  return [
    `<question type="numerical">`,
    `<name><text>${escapeHtml(name)}</text></name>`,
    `<questiontext format="html">${html(text)}</questiontext>`,
    `<generalfeedback format="html">${html(feedback)}</generalfeedback>`,
    `<answer fraction="100"><text>${answer}</text><tolerance>${TOLERANCE * Math.abs(answer) || TOLERANCE}</tolerance></answer>`,
    `</question>`,
  ].join("\n");
}

function saveMoodle() {
  const seed = Number($("variant").value) || 0;
  saveFile(moodleXml(), "application/xml", seed ? `questions-${seed}.xml` : "questions.xml");
}
