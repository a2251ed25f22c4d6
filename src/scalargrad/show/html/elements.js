// Finding and making the elements of a page.

const $ = (id) => document.getElementById(id);

// Make an element with text or children; `on...` attributes are listeners.
function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function svgElement(name, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function filled(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// A table with a heading for each column, and one for each row.
function table(heads, rows) {
  const cell = (content, k) => (k ? element("td", {}, content) : element("th", { scope: "row" }, content));
  const head = element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)));
  return element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map(cell)))));
}

// Set an attribute or a text that changed: browsers lay out anew what is written, changed or not.
function put(part, name, value) {
  if (part.getAttribute(name) !== value) part.setAttribute(name, value);
}

function putText(part, text) {
  if (part.textContent === text) return;
  if (part.firstChild === part.lastChild && part.firstChild?.nodeType === Node.TEXT_NODE) part.firstChild.data = text;
  else part.textContent = text;
}

// The choices among several, such as views; to make one; the one after it.
const choices = (id) => [...$(id).querySelectorAll("input")].map(({ value }) => value);
const choose = (id, value) => { $(id).querySelector(`[value=${value}]`).checked = true; };
const nextChoice = (id, value) => choices(id)[(choices(id).indexOf(value) + 1) % choices(id).length];

// Act on a choice among several. After a click the arrow keys belong to the page again; who chooses
// by keyboard keeps them.
function onChoice(id, action) {
  $(id).addEventListener("change", ({ target }) => {
    action(target.value);
    if (!target.matches(":focus-visible")) target.blur();
  });
}

// Act when a place has another size because the window has. Notebooks lay out a frame that is out of
// sight only when it is scrolled to, after its script has run, and browsers send it no `resize` then.
function onResize(place, action) {
  const size = () => `${place.clientWidth} ${place.clientHeight}`;
  let known = size();
  new ResizeObserver(() => {
    if (size() === known) return;
    known = size();
    action();
  }).observe(document.documentElement);
}

const announce = (text) => { $("announcement").textContent = text; };

const isPhone = () => matchMedia("(max-width: 700px)").matches;

const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

// A number as JSON has it, where inf and nan are words.
const float = (x) => (typeof x === "string" ? Number(x.replace("inf", "Infinity")) : x);

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

// Open a dialog that holds this, or show this in it.
function showDialog(id, ...body) {
  $(id).replaceChildren(...body, element("form", { method: "dialog" }, element("button", {}, "Close")));
  if (!$(id).open) $(id).showModal();
}

// The browser focuses the first button of a dialog, which is at the end of a long one.
function showHelp() {
  $("help-text").showModal();
  $("help-title").focus();
}

// Playing: steps taken one after another until there are no more, or someone pauses.
const EARLY = 1; // milliseconds that a frame may come before its time, as browsers round it
let playing = 0; // the frame that comes next
let whenPaused = () => {};

// `advance` takes a step and says whether another can follow. Steps come with the frames of the screen:
// none is computed that is not shown.
function playEvery(milliseconds, advance, paused = () => {}) {
  let last = performance.now();
  const onFrame = (now) => {
    playing = requestAnimationFrame(onFrame);
    if (now - last < milliseconds - EARLY) return;
    last = now;
    if (!advance()) pause();
  };
  playing = requestAnimationFrame(onFrame);
  whenPaused = paused;
  drawPlay();
}

function pause() {
  if (playing) {
    cancelAnimationFrame(playing);
    playing = 0;
    whenPaused();
  }
  drawPlay();
}

function drawPlay() {
  putText($("play"), playing ? "Pause" : "Play");
  put($("play"), "aria-pressed", String(Boolean(playing)));
}

const togglePlay = () => (playing ? pause() : play());

// The timeline of a page at a place, of which `where` is said and `counter` is shown.
function setTimeline(at, last, where, counter) {
  put($("scrubber"), "max", String(last));
  $("scrubber").value = String(at);
  put($("scrubber"), "aria-valuetext", where);
  putText($("counter"), counter);
  for (const id of ["first", "previous"]) put($(id), "aria-disabled", String(at === 0));
  for (const id of ["next", "last"]) put($(id), "aria-disabled", String(at === last));
}

// Its buttons, scrubber and keys, those of the page besides, and links that are followed within it;
// `last` gives its end.
function listenToTimeline(last, keys) {
  const moves = { first: () => goTo(0), previous: () => goTo(state.at - 1), next: () => goTo(state.at + 1), last: () => goTo(last()) };
  onClicks({ ...moves, play: togglePlay, help: showHelp });
  $("scrubber").addEventListener("input", () => goTo(Number($("scrubber").value)));
  $("speed").addEventListener("change", () => { if (playing) { pause(); play(); } });
  const shared = { ArrowRight: moves.next, ArrowLeft: moves.previous, Home: moves.first, End: moves.last, " ": togglePlay, "?": showHelp };
  document.addEventListener("keydown", (event) => onKey(event, { ...shared, ...keys }));
  window.addEventListener("hashchange", readFragment);
}

function onClicks(actions) {
  for (const [id, action] of Object.entries(actions)) $(id).addEventListener("click", action);
}

// Keys belong to the page unless a dialog is open, or someone writes in a control.
function onKey(event, actions) {
  const { target } = event;
  if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
  if (target.closest("input:not([type=checkbox]), select, textarea")) return;
  if (event.key === " " && target.closest("button, input, summary, a")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const action = (event.shiftKey && actions[`Shift+${key}`]) || actions[key];
  if (!action) return;
  event.preventDefault();
  action();
}

// Keep the address at what is shown.
function noteAddress() {
  try {
    history.replaceState(null, "", linkFragment());
  } catch {
    // a notebook's frame has no address, and some browsers limit how often it may change
  }
}

const fragment = () => new URLSearchParams(location.hash.slice(1));
