// Predict mode: the local derivative and then the product are left blank, the answer is judged, and
// the reply says what went wrong: a sign, a forgotten upstream, a forgotten term.

const CLOSE = 5e-3; // an answer may be rounded to about three digits

// A question about one wire: first the local derivative, then the product and, where terms had
// arrived, the sum.
class Question {
  constructor(step) {
    this.step = step;
    this.stage = "local";
    this.reply = "";
    this.isOpen = true;
    this.log = [];
  }

  get answer() {
    if (this.stage === "sum") return state.sweep.total(this.step.parent, this.step.arrived);
    const { local, contribution } = state.sweep.factors(this.step);
    return this.stage === "local" ? local : contribution;
  }

  // Judge an answer, and go on to the next question or to the end if it is right.
  give(written) {
    const given = readNumber(written);
    this.reply = given === null ? "Write a number, such as −0.25." : judge(given, this);
    if (this.reply) return;
    this.log.push(`Right: ${this.inWords()}.`);
    if (this.stage === "local") this.stage = "product";
    else if (this.stage === "product" && this.step.arrived > 1) this.stage = "sum";
    else this.isOpen = false;
  }

  // The answer in words, with the way that leads to it.
  inWords() {
    const { sweep, notation } = state;
    if (this.stage === "local") return localText(sweep, this.step);
    if (this.stage === "product") return formula(sweep, this.step, "numbers", TEXT, notation);
    const { terms } = sweep;
    const { parent, arrived } = this.step;
    const sum = runningSum(terms[parent].slice(0, arrived), arrived, arrived);
    return `${signal(this.step.parent, TEXT, notation)} ${sum}`;
  }
}

const QUESTIONS = { local: "What is the local derivative?", product: "What is the product?", sum: "What is the sum of the terms that have arrived?" };

function readNumber(written) {
  const plain = written.trim().replaceAll("−", "-").replace(",", ".");
  return plain && Number.isFinite(Number(plain)) ? Number(plain) : null;
}

function isClose(given, right) {
  return given === right || number(given) === number(right) || Math.abs(given - right) <= CLOSE * Math.abs(right);
}

// Say what is wrong with an answer; nothing if it is right.
function judge(given, { step, stage, answer }) {
  if (isClose(given, answer)) return "";
  if (stage === "local") return judgeLocal(given, step, answer);
  return stage === "sum" ? judgeSum(given, step, answer) : judgeProduct(given, step, answer);
}

// The reply to the first of some numbers that was given instead, or else what is left to say.
const replyTo = (given, mistakes, rest) => mistakes.find(([x]) => isClose(given, x))?.[1] ?? rest;

function judgeLocal(given, step, answer) {
  const { parents, name } = nodes[step.node];
  const other = nodes[step.parent].name;
  const gate = gateAt(state.sweep, step.node);
  const others = state.sweep.locals[step.node].filter((_, k) => typeof parents[k] === "number" && parents[k] !== step.parent);
  const [by, rest] = isShare(step) ? [`${other} ${say("share")}`, "everything else fixed, its other wires too"] : [other, "everything else fixed"];
  return replyTo(given, [
    [-answer, "Wrong sign: the size is right."],
    [state.sweep.signals[step.node] * answer, `That is the product already. Here only the local derivative is asked for: how ${name} changes with ${other}.`],
    ...others.map((local) => [local, `That is the derivative by another operand. Differentiate ${name} by ${other}.`]),
    [state.sweep.data[step.node], `That is the value of ${name}, not its slope.`],
  ], `Not yet: differentiate ${name} = ${TEXT.fill(gate.gate.written, gate.word)} by ${by}, ${rest}.`);
}

function judgeProduct(given, step, answer) {
  const { sweep, notation } = state;
  const { upstream, local } = sweep.factors(step);
  const sum = step.arrived > 1 ? sweep.total(step.parent, step.arrived - 1) + answer : NaN;
  return replyTo(given, [
    [local, `Forgotten upstream: ${number(local)} is the local derivative alone. Multiply it by the upstream ${signal(step.node, TEXT, notation)} ${equalTo(upstream)}.`],
    [-answer, "Wrong sign: the size is right. One negative factor makes a negative product, two make a positive one."],
    [upstream, `Forgotten local derivative: ${number(upstream)} is the upstream alone. Multiply it by the local derivative ${number(local)}.`],
    [sum, "That is already the sum of the terms. Here only the product of this wire is asked for."],
    [upstream + local, "The chain rule multiplies the two; it does not add them."],
  ], `Not yet: multiply the upstream ${number(upstream)} by the local derivative ${number(local)}.`);
}

function judgeSum(given, step, answer) {
  const terms = state.sweep.terms[step.parent].slice(0, step.arrived);
  const latest = terms.at(-1);
  const before = state.sweep.total(step.parent, step.arrived - 1);
  return replyTo(given, [
    [-answer, "Wrong sign: the size is right."],
    [latest, `Forgotten term: ${number(latest)} is this wire's term alone. ${number(before)} had arrived before; a fan-out adds.`],
    [before, `Forgotten term: ${number(before)} had arrived before. Add this wire's ${number(latest)}.`],
    ...terms.map((term) => [answer - term, "Forgotten term: one of those that arrived is missing from the sum."]),
    [before - latest, "Wrong sign: add the new term with the sign it has."],
  ], `Not yet: add ${addedUp(terms.map(number))}.`);
}

// Ask about the step that is shown, if this is Predict mode and there is something to ask.
function askIfPredicting() {
  const asked = shownSteps().map((i) => steps[i]).find((step) => step.phase === "backward");
  const isAsked = state.predicting && state.view === "wire" && asked;
  state.question = isAsked ? new Question(asked) : null;
}

// The blank: a box for the answer, and what the last answer was told.
function questionForm() {
  const { question, sweep, notation } = state;
  const { step } = question;
  const { upstream, local } = sweep.factors(step);
  const asked = {
    local: `${TEXT.partial(nodes[step.node].word, nodes[step.parent].word)}${isShare(step) ? ` ${say("share")}` : ""} = ?`,
    product: `${TEXT.product(TEXT.factor(upstream), TEXT.factor(local))} = ?`,
    sum: `${signal(step.parent, TEXT, notation)}${step.arrived < step.expected ? " so far" : ""} = ?`,
  }[question.stage];
  const box = element("input", { type: "text", inputmode: "text", id: "answer", autocomplete: "off", "aria-describedby": "reply" });
  return element(
    "form",
    { class: "question", onsubmit: (event) => { event.preventDefault(); answer(box.value); } },
    ...question.log.map((line) => element("p", { class: "right" }, line)),
    element("label", { for: "answer" }, asked),
    element("div", { class: "row" }, box, element("button", { type: "submit" }, "Check"), element("button", { type: "button", onclick: reveal }, "Show")),
    element("p", { id: "reply", class: question.reply ? "wrong" : "" }, question.reply),
  );
}

function answer(written) {
  const { question } = state;
  question.give(written);
  told(question.reply || [question.log.at(-1), ...(question.isOpen ? [QUESTIONS[question.stage]] : [])].join(" "));
  if (!question.isOpen) return;
  if (question.reply) $("answer").value = written;
  $("answer").focus();
  $("answer").select(); // so that the next try replaces it
  $("reply").scrollIntoView({ block: "nearest" });
}

function reveal() {
  const { question } = state;
  if (question.stage === "local") {
    question.log.push(`The local derivative is ${question.inWords()}.`);
    question.stage = "product";
  }
  question.log.push(`It is ${question.inWords()}.`);
  question.isOpen = false;
  told(question.log.at(-1));
}

// Show what came of an answer, and say it; where nothing more is asked, the panel has the focus.
function told(said) {
  drawAll();
  announce(said);
  if (!state.question.isOpen) $("panel").focus();
}

// What the chain rule says while the local derivative is asked for: its name stands for it.
function chainAsked(step) {
  const { notation } = state;
  const partial = MATHML.partial(nodes[step.node].word, nodes[step.parent].word);
  const local = isShare(step) ? MATHML.join([partial, MATHML.phrase(say("share"))]) : partial;
  const product = MATHML.product(signal(step.node, MATHML, notation), local);
  return MATHML.finish(chain(MATHML, contributionLinks(step, product, MATHML, notation)));
}

const asksLocal = (step) => askedStep() === step && state.question.stage === "local";

const replies = () => state.question.log.map((line) => element("p", { class: "right" }, line));
