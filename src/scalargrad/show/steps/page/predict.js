// Predict mode: the local derivative and then the product are left blank. Answers are checked, and the reply
// names the mistake: a wrong sign, a forgotten upstream gradient, a forgotten term.

const TOLERANCE_OF_ANSWERS = 5e-3; // relative error of a correct answer: about three digits

// A question about one wire: first the local derivative, then the product and, if there are earlier terms,
// the sum.
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

  // Check an answer; if it is right, continue with the next stage, or end.
  give(text) {
    const given = readNumber(text);
    this.reply = given === null ? "Write a number, such as −0.25." : judge(given, this);
    if (this.reply) return;
    this.log.push(`Right: ${this.answerText()}.`);
    if (this.stage === "local") this.stage = "product";
    else if (this.stage === "product" && this.step.arrived > 1) this.stage = "sum";
    else this.isOpen = false;
  }

  // The answer as text, with its derivation.
  answerText() {
    const { sweep, notation } = state;
    if (this.stage === "local") return localText(sweep, this.step);
    if (this.stage === "product") return formula(sweep, this.step, "numbers", TEXT, notation);
    const { terms } = sweep;
    const { parent, arrived } = this.step;
    const sum = runningSum(terms[parent].slice(0, arrived), arrived, arrived);
    return `${gradientSymbol(this.step.parent, TEXT, notation)} ${sum}`;
  }
}

const QUESTIONS = { local: "What is the local derivative?", product: "What is the product?", sum: "What is the sum of the terms so far?" };

function readNumber(text) {
  const plain = text.trim().replaceAll("−", "-").replace(",", ".");
  return plain && Number.isFinite(Number(plain)) ? Number(plain) : null;
}

function isClose(given, right) {
  return given === right || number(given) === number(right) || Math.abs(given - right) <= TOLERANCE_OF_ANSWERS * Math.abs(right);
}

// The mistake in an answer; "" if it is right.
function judge(given, { step, stage, answer }) {
  if (isClose(given, answer)) return "";
  if (stage === "local") return judgeLocal(given, step, answer);
  return stage === "sum" ? judgeSum(given, step, answer) : judgeProduct(given, step, answer);
}

// The reply to the first mistake whose number was given, or else a general one.
const replyTo = (given, mistakes, rest) => mistakes.find(([x]) => isClose(given, x))?.[1] ?? rest;

function judgeLocal(given, step, answer) {
  const { parents, name } = nodes[step.node];
  const other = nodes[step.parent].name;
  const gate = gateAt(state.sweep, step.node);
  const others = state.sweep.locals[step.node].filter((_, k) => typeof parents[k] === "number" && parents[k] !== step.parent);
  const [by, rest] = isShare(step) ? [`${other} ${fillText("share")}`, "everything else fixed, including its other wires"] : [other, "everything else fixed"];
  return replyTo(given, [
    [-answer, "Wrong sign: the size is right."],
    [state.sweep.adjoints[step.node] * answer, `That is already the product. The question is only about the local derivative: how ${name} changes with ${other}.`],
    ...others.map((local) => [local, `That is the derivative with respect to another operand. Differentiate ${name} with respect to ${other}.`]),
    [state.sweep.data[step.node], `That is the value of ${name}, not its derivative.`],
  ], `Not yet: differentiate ${name} = ${TEXT.fill(gate.gate.written, gate.word)} with respect to ${by}, with ${rest}.`);
}

function judgeProduct(given, step, answer) {
  const { sweep, notation } = state;
  const { upstream, local } = sweep.factors(step);
  const sum = step.arrived > 1 ? sweep.total(step.parent, step.arrived - 1) + answer : NaN;
  return replyTo(given, [
    [local, `Forgotten upstream: ${number(local)} is only the local derivative. Multiply it by the upstream gradient ${gradientSymbol(step.node, TEXT, notation)} ${equalTo(upstream)}.`],
    [-answer, "Wrong sign: the size is right. One negative factor makes the product negative, two make it positive."],
    [upstream, `Forgotten local derivative: ${number(upstream)} is only the upstream gradient. Multiply it by the local derivative ${number(local)}.`],
    [sum, "That is already the sum of the terms. The question is only about the product of this wire."],
    [upstream + local, "The chain rule multiplies the two; it does not add them."],
  ], `Not yet: multiply the upstream gradient ${number(upstream)} by the local derivative ${number(local)}.`);
}

function judgeSum(given, step, answer) {
  const terms = state.sweep.terms[step.parent].slice(0, step.arrived);
  const latest = terms.at(-1);
  const before = state.sweep.total(step.parent, step.arrived - 1);
  return replyTo(given, [
    [-answer, "Wrong sign: the size is right."],
    [latest, `Forgotten term: ${number(latest)} is only the term of this wire. Add it to the earlier ${number(before)}; at a fan-out, terms are added.`],
    [before, `Forgotten term: ${number(before)} is the sum of the earlier terms. Add the term of this wire, ${number(latest)}.`],
    ...terms.map((term) => [answer - term, "Forgotten term: one of the terms is missing from the sum."]),
    [before - latest, "Wrong sign: add the new term with its own sign."],
  ], `Not yet: add ${joinTerms(terms.map(number))}.`);
}

// Set the question about the current step, in Predict mode and at a backward step.
function updateQuestion() {
  const asked = currentSteps().map((i) => steps[i]).find((step) => step.phase === "backward");
  const isAsked = state.predicting && state.view === "wire" && asked;
  state.question = isAsked ? new Question(asked) : null;
}

// The form of a question: a box for the answer, and the reply to the last answer.
function questionForm() {
  const { question, sweep, notation } = state;
  const { step } = question;
  const { upstream, local } = sweep.factors(step);
  const asked = {
    local: `${TEXT.partial(nodes[step.node].word, nodes[step.parent].word)}${isShare(step) ? ` ${fillText("share")}` : ""} = ?`,
    product: `${TEXT.product(TEXT.factor(upstream), TEXT.factor(local))} = ?`,
    sum: `${gradientSymbol(step.parent, TEXT, notation)}${step.arrived < step.expected ? " so far" : ""} = ?`,
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

function answer(text) {
  const { question } = state;
  question.give(text);
  showReply(question.reply || [question.log.at(-1), ...(question.isOpen ? [QUESTIONS[question.stage]] : [])].join(" "));
  if (!question.isOpen) return;
  if (question.reply) $("answer").value = text;
  $("answer").focus();
  $("answer").select(); // so that the next try replaces it
  $("reply").scrollIntoView({ block: "nearest" });
}

function reveal() {
  const { question } = state;
  if (question.stage === "local") {
    question.log.push(`The local derivative is ${question.answerText()}.`);
    question.stage = "product";
  }
  question.log.push(`It is ${question.answerText()}.`);
  question.isOpen = false;
  showReply(question.log.at(-1));
}

// Show and announce the reply to an answer; after the last question, focus the panel.
function showReply(text) {
  drawAll();
  announce(text);
  if (!state.question.isOpen) $("panel").focus();
}

// The chain rule while the local derivative is the question: it is written by its name.
function chainWithoutLocal(step) {
  const { notation } = state;
  const partial = MATHML.partial(nodes[step.node].word, nodes[step.parent].word);
  const local = isShare(step) ? MATHML.join([partial, MATHML.phrase(fillText("share"))]) : partial;
  const product = MATHML.product(gradientSymbol(step.node, MATHML, notation), local);
  return MATHML.finish(chain(MATHML, contributionLinks(step, product, MATHML, notation)));
}

const asksLocal = (step) => questionStep() === step && state.question.stage === "local";

const logLines = () => state.question.log.map((line) => element("p", { class: "right" }, line));
