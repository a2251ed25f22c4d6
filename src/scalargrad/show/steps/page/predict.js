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
    const { sweep } = state;
    if (this.stage === "sum") return sweep.total(this.step.parent, this.step.arrived);
    if (this.stage === "local") return sweep.locals[this.step.node][this.step.operand];
    return sweep.signals[this.step.node] * sweep.locals[this.step.node][this.step.operand];
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

const QUESTIONS = { local: "What is the local derivative?", product: "What is the product?", sum: "What is the sum so far?" };

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

function judgeLocal(given, step, answer) {
  const upstream = state.sweep.signals[step.node];
  const others = state.sweep.locals[step.node].filter((_, k) => typeof nodes[step.node].parents[k] === "number" && nodes[step.node].parents[k] !== step.parent);
  if (isClose(given, -answer)) return "Wrong sign: the size is right.";
  if (isClose(given, upstream * answer)) {
    return `That is the product already. Here only the local derivative is asked for: how ${nodes[step.node].name} changes with ${nodes[step.parent].name}.`;
  }
  if (others.some((local) => isClose(given, local))) {
    return `That is the derivative by another operand. Differentiate ${nodes[step.node].name} by ${nodes[step.parent].name}.`;
  }
  if (isClose(given, state.sweep.data[step.node])) return `That is the value of ${nodes[step.node].name}, not its slope.`;
  const gate = gateAt(state.sweep, step.node);
  const [by, rest] = isShare(step) ? [`${nodes[step.parent].name} on this wire`, "everything else fixed, its other wires too"] : [nodes[step.parent].name, "everything else fixed"];
  return `Not yet: differentiate ${nodes[step.node].name} = ${TEXT.fill(gate.gate.written, gate.word)} by ${by}, ${rest}.`;
}

function judgeProduct(given, step, answer) {
  const { sweep, notation } = state;
  const upstream = sweep.signals[step.node];
  const local = sweep.locals[step.node][step.operand];
  const before = sweep.total(step.parent, step.arrived - 1);
  const named = signal(step.node, TEXT, notation);
  if (isClose(given, local)) {
    return `Forgotten upstream: ${number(local)} is the local derivative alone. Multiply it by the upstream ${named} ${equalTo(upstream)}.`;
  }
  if (isClose(given, -answer)) {
    return `Wrong sign: the size is right. One negative factor makes a negative product, two make a positive one.`;
  }
  if (isClose(given, upstream)) {
    return `Forgotten local derivative: ${number(upstream)} is the upstream alone. Multiply it by the local derivative ${number(local)}.`;
  }
  if (step.arrived > 1 && isClose(given, before + answer)) {
    return "That is already the sum of the terms. Here only the product of this wire is asked for.";
  }
  if (isClose(given, upstream + local)) return "The chain rule multiplies the two; it does not add them.";
  return `Not yet: multiply the upstream ${number(upstream)} by the local derivative ${number(local)}.`;
}

function judgeSum(given, step, answer) {
  const { sweep } = state;
  const terms = sweep.terms[step.parent].slice(0, step.arrived);
  const latest = terms.at(-1);
  const before = sweep.total(step.parent, step.arrived - 1);
  if (isClose(given, -answer)) return "Wrong sign: the size is right.";
  if (isClose(given, latest)) {
    return `Forgotten term: ${number(latest)} is this wire's term alone. ${number(before)} had arrived before; a fan-out adds.`;
  }
  if (isClose(given, before)) return `Forgotten term: ${number(before)} had arrived before. Add this wire's ${number(latest)}.`;
  if (terms.some((term) => isClose(given, answer - term))) return "Forgotten term: one of those that arrived is missing from the sum.";
  if (isClose(given, before - latest)) return "Wrong sign: add the new term with the sign it has.";
  return `Not yet: add ${addedUp(terms.map(number))}.`;
}

// Ask about the step that is shown, if this is Predict mode and there is something to ask.
function askIfPredicting() {
  const asked = shownSteps().map((i) => steps[i]).find((step) => step.phase === "backward");
  const isAsked = state.predicting && state.view === "wire" && asked;
  state.question = isAsked ? new Question(asked) : null;
}

// The blank: a box for the answer, and what the last answer was told.
function questionForm() {
  const { question } = state;
  const { sweep, notation } = state;
  const { step } = question;
  const factors = TEXT.product(TEXT.factor(sweep.signals[step.node]), TEXT.factor(sweep.locals[step.node][step.operand]));
  const asked = {
    local: `${TEXT.partial(nodes[step.node].word, nodes[step.parent].word)}${isShare(step) ? " on this wire" : ""} = ?`,
    product: `${factors} = ?`,
    sum: `${signal(step.parent, TEXT, notation)} so far = ?`,
  }[question.stage];
  const box = element("input", { type: "text", inputmode: "text", id: "answer", autocomplete: "off", "aria-describedby": "reply" });
  const form = element(
    "form",
    { class: "question", onsubmit: (event) => { event.preventDefault(); answer(box.value); } },
    ...question.log.map((line) => element("p", { class: "right" }, line)),
    element("label", { for: "answer" }, asked),
    element("div", { class: "row" }, box, element("button", { type: "submit" }, "Check"), element("button", { type: "button", onclick: reveal }, "Show")),
    element("p", { id: "reply", class: question.reply ? "wrong" : "" }, question.reply),
  );
  return form;
}

function answer(written) {
  const { question } = state;
  question.give(written);
  drawAll();
  announce(question.reply || [question.log.at(-1), ...(question.isOpen ? [QUESTIONS[question.stage]] : [])].join(" "));
  if (!question.isOpen) {
    $("panel").focus();
    return;
  }
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
  state.question.isOpen = false;
  drawAll();
  announce(state.question.log.at(-1));
  $("panel").focus();
}

// What the chain rule says while the local derivative is asked for: its name stands for it.
function chainAsked(step) {
  const { notation } = state;
  const partial = MATHML.partial(nodes[step.node].word, nodes[step.parent].word);
  const local = isShare(step) ? MATHML.join([partial, MATHML.phrase("on this wire")]) : partial;
  const product = MATHML.product(signal(step.node, MATHML, notation), local);
  return MATHML.finish(chain(MATHML, contributionLinks(step, product, MATHML, notation)));
}

const asksLocal = (step) => askedStep() === step && state.question.stage === "local";

const replies = () => state.question.log.map((line) => element("p", { class: "right" }, line));
