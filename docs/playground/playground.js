// The page of the playground: sends formulas and programs to the worker, and shows the step page in a frame.

const $ = (id) => document.getElementById(id);
const WAITING = "The program has not run yet: read it, then press Run.";
const EXAMPLES = {
  "The chain rule": "f=q = x + y; f = q*z&x=-2&y=5&z=-4",
  "A sigmoid neuron": "f=1 / (1 + exp(-(w0*x0 + w1*x1 + w2)))&w0=2&x0=-1&w1=-3&x1=-2&w2=-3",
  "A weight that fans out": "f=y = sigmoid(w*x + b); L = 0.5*(y - t)^2; R = 0.5*w^2; L_reg = L + 0.1*R&w=0.5&x=2&b=-0.25&t=1",
  "A maximum": "f=m = max(x, y); f = m*z&x=2&y=-1&z=3",
  "Python: a loop": `py=from scalargrad import Value

# Newton's method for the square root of a
a = Value(2.0, "a")
x = Value(1.0, "x")
for i in range(3):
    x = (x + a / x) / 2
    x.label = f"x{i + 1}"
    print(x.label, x.data)
x`,
  "Python: two layers": `py=from scalargrad import Value, nn, walk

model = nn.MLP(2, [2, 1], activation="tanh", rng=1)
inputs = [Value(0.5, "x0"), Value(-1.0, "x1")]
loss = (model(inputs) - 1.0) ** 2
loss.label = "L"
walk(loss, model=model)`,
};

const PUZZLES = JSON.parse(document.body.dataset.puzzles); // pairs of title and program
PUZZLES.forEach(([title], i) => { EXAMPLES[`Puzzle ${i + 1}: ${title}`] = `puzzle=${i + 1}`; });

const savedText = { py: EXAMPLES["Python: a loop"].slice(3) }; // the text in the other language
let worker = null;
let request = { number: 0 }; // the current request; answers to earlier ones are ignored
let isReady = false;

const kind = () => document.querySelector("[name=kind]:checked").value;
// x=-2, y = 5 w=2,-3: an input begins at each name before an equals sign.
const inputs = () => $("inputs").value.replace(/^[\s,;]+|[\s,;]+$/g, "").split(/[\s,;]+(?=[\p{L}_][\p{L}\p{N}_]*\s*=)/u)
  .map((input) => input.replace(/\s*([=,])\s*/g, "$1")).filter(Boolean);

// The first part of the address is the formula or the program; the others are inputs, whatever their names.
// A plus sign is not decoded to a space, so that addresses can be written by hand.
function readAddress(address) {
  const decoded = (part) => { try { return decodeURIComponent(part); } catch { return part; } };
  const [first, ...rest] = address.split("&").map(decoded);
  const [, language, text] = first.match(/^(f|py|puzzle)=(.*)$/s) ?? [];
  const program = language === "puzzle" ? PUZZLES[text - 1]?.[1] : text;
  if (program === undefined) return false;
  setText(language === "f" ? "f" : "py", program);
  $("inputs").value = rest.join(" ");
  return true;
}

function writeAddress() {
  const parts = [`${kind()}=${$("text").value}`, ...(kind() === "f" ? inputs() : [])];
  const encoded = parts.map((part) => part.split(/=(.*)/s).slice(0, 2).map(encodeURIComponent).join("="));
  history.replaceState(null, "", `#${encoded.join("&")}`);
}

function setText(language, text) {
  savedText[document.body.dataset.kind] = $("text").value;
  $("kinds").querySelector(`[value=${language}]`).checked = true;
  $("text").value = text;
  adaptToLanguage();
}

// Adapt the page to the language, and the height of the text to its lines.
function adaptToLanguage() {
  const isPython = kind() === "py";
  document.body.dataset.kind = kind();
  $("text").setAttribute("aria-label", isPython ? "Python" : "Formula");
  $("inputs-field").hidden = isPython;
  $("run").textContent = isPython ? "Run" : "Step through";
  const lines = $("text").value.split("\n").length;
  $("text").rows = isPython ? Math.min(Math.max(lines + 1, 8), 22) : Math.min(lines, 6);
}

function say(text, waits = false) {
  $("status").textContent = text;
  $("status").classList.toggle("waits", waits);
  $("stop").hidden = true;
}

function show(id, text) {
  $(id).textContent = text ?? "";
  $(id).hidden = !text;
}

function start() {
  isReady = false;
  worker = new Worker("worker.js", { type: "module" });
  worker.onmessage = ({ data }) => onWorkerMessage(data);
  worker.onerror = () => onWorkerMessage({ broken: "a file of the playground is missing, or the server sends it with a wrong type" });
  say("Loading Python, 24 MB the first time …", true);
}

function onWorkerMessage(data) {
  if (data.number && data.number !== request.number) return;
  if (data.waiting) {
    say(data.waiting, true);
    $("stop").hidden = !data.stoppable;
  } else if (data.broken) {
    say("");
    show("error", `Python did not load: ${data.broken}. What you typed is still here.`);
  } else if (data.ready) {
    isReady = true;
    if (!request.kind) say(WAITING);
  } else showAnswer(data);
}

// An error keeps the last graph, in pale colours, and the text.
function showAnswer({ page, inputs: used, notes, printed, verdict, error }) {
  say(error ? "" : notes.join("; "));
  show("printed", printed);
  show("verdict", verdict?.text);
  $("verdict").classList.toggle("right", Boolean(verdict?.right));
  show("error", error);
  $("page").classList.toggle("stale", Boolean(error));
  if (error) return;
  if (request.kind === "f" && request.written === $("inputs").value) $("inputs").value = used.join(" ");
  writeAddress();
  const fresh = $("page").cloneNode(); // loading another page in the same frame would add an entry to the history
  fresh.hidden = false;
  fresh.srcdoc = page;
  $("page").replaceWith(fresh);
  (verdict ? $("verdict") : fresh).scrollIntoView({ block: "nearest" });
  if (request.byHand) fresh.addEventListener("load", () => fresh.focus({ preventScroll: true }), { once: true }); // so that the arrow keys move through the steps
}

function run(byHand) {
  if (!worker) return;
  writeAddress();
  request = { number: request.number + 1, kind: kind(), text: $("text").value, inputs: inputs(), written: $("inputs").value, byHand };
  worker.postMessage(request);
}

function stopProgram() {
  worker.terminate();
  request = { number: request.number };
  start();
}

async function copyLink() {
  writeAddress();
  try {
    await navigator.clipboard.writeText(location.href);
    say("Copied.");
  } catch {
    say("The address of this page is the link.");
  }
}

// A formula runs at once, because the parser accepts nothing else. A program waits for a click.
function openExercise() {
  if (!readAddress(location.hash.slice(1))) readAddress(EXAMPLES["The chain rule"]);
  request = { number: request.number + 1 };
  if (kind() === "f") run(false);
  else if (isReady) say(WAITING);
}

for (const [name, address] of Object.entries(EXAMPLES)) $("examples").append(new Option(name, address));
$("examples").addEventListener("change", () => {
  const chosen = $("examples").value;
  $("examples").value = "";
  if (chosen.startsWith("puzzle=")) location.hash = chosen; // which waits for a click
  else if (readAddress(chosen)) run(true);
});
$("kinds").addEventListener("change", () => setText(kind(), savedText[kind()] ?? ""));
$("text").addEventListener("input", adaptToLanguage);
$("text").addEventListener("keydown", (event) => {
  const runs = event.key === "Enter" && (kind() === "py" ? event.ctrlKey || event.metaKey : !event.shiftKey);
  if (!runs) return;
  event.preventDefault();
  run(true);
});
$("exercise").addEventListener("submit", (event) => { event.preventDefault(); run(true); });
$("stop").addEventListener("click", stopProgram);
$("copy").addEventListener("click", copyLink);
window.addEventListener("hashchange", openExercise);

const missing = location.protocol === "file:"
  ? "Browsers run Python only from a server. In the folder of the site: python -m http.server; then open http://localhost:8000/playground/"
  : document.body.dataset.missing;
if (missing) show("error", missing);
else start();
openExercise();
