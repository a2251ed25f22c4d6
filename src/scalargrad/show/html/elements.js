// Common to all pages: find and create elements, play, move along the timeline, handle keys.

const $ = (id) => document.getElementById(id);

// Create an element with attributes and children; attributes that begin with "on" are listeners.
function element(name, attributes = {}, ...children) {
  return setUpElement(document.createElement(name), attributes, children);
}

function svgElement(name, attributes = {}, ...children) {
  return setUpElement(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function setUpElement(created, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) created.addEventListener(key.slice(2), value);
    else if (value !== false) created.setAttribute(key, value === true ? "" : value);
  }
  created.append(...children.filter((child) => child !== null && child !== undefined));
  return created;
}

// Create a table with a heading for each column and each row.
function table(heads, rows) {
  const cell = (content, k) => (k ? element("td", {}, content) : element("th", { scope: "row" }, content));
  const head = element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)));
  return element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map(cell)))));
}

// Set an attribute or a text only if it changes: browsers repeat the layout after every assignment.
function put(part, name, value) {
  if (part.getAttribute(name) !== value) part.setAttribute(name, value);
}

function putText(part, text) {
  if (part.textContent === text) return;
  if (part.firstChild === part.lastChild && part.firstChild?.nodeType === Node.TEXT_NODE) part.firstChild.data = text;
  else part.textContent = text;
}

// The values of a group of radio buttons, the selection of one, and the value after another.
const choices = (id) => [...$(id).querySelectorAll("input")].map(({ value }) => value);
const choose = (id, value) => { $(id).querySelector(`[value=${value}]`).checked = true; };
const nextChoice = (id, value) => choices(id)[(choices(id).indexOf(value) + 1) % choices(id).length];

// Call an action when another radio button is selected. After a click the arrow keys move through the
// page again; after a selection by keyboard they stay with the radio buttons.
function onChoice(id, action) {
  $(id).addEventListener("change", ({ target }) => {
    action(target.value);
    if (!target.matches(":focus-visible")) target.blur();
  });
}

// Call an action when an element changes its size with the window. Notebooks lay out a frame only when
// it is scrolled into view, after its script has run, and browsers send no `resize` event then.
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

const pluralize = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

// A number from JSON, in which inf and nan are strings.
const float = (x) => (typeof x === "string" ? Number(x.replace("inf", "Infinity")) : x);

// A generator of numbers from 0 to 1, with the same numbers for the same seed.
function seededRandom(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

// Show elements in a dialog, and open it.
function showDialog(id, ...body) {
  $(id).replaceChildren(...body, element("form", { method: "dialog" }, element("button", {}, "Close")));
  if (!$(id).open) $(id).showModal();
}

// The browser would focus the first button of the dialog, which is at its end.
function showHelp() {
  $("help-text").showModal();
  $("help-title").focus();
}

// Play: one step after another until the last one, or until paused.
const FRAME_TOLERANCE = 1; // milliseconds by which a frame may be early, because browsers round times
let playing = 0; // the requested frame
let whenPaused = () => {};

// `advance` takes a step and returns whether another can follow. Steps are synchronized with the frames
// of the screen, so that no step is computed without being shown.
function playEvery(milliseconds, advance, paused = () => {}) {
  let last = performance.now();
  const onFrame = (now) => {
    playing = requestAnimationFrame(onFrame);
    if (now - last < milliseconds - FRAME_TOLERANCE) return;
    last = now;
    if (!advance()) pause();
  };
  playing = requestAnimationFrame(onFrame);
  whenPaused = paused;
  updatePlayButton();
}

function pause() {
  if (playing) {
    cancelAnimationFrame(playing);
    playing = 0;
    whenPaused();
  }
  updatePlayButton();
}

function updatePlayButton() {
  putText($("play"), playing ? "Pause" : "Play");
  put($("play"), "aria-pressed", String(Boolean(playing)));
}

const togglePlay = () => (playing ? pause() : play());

// Set the timeline to a position; `where` is its text for screen readers, `counter` the visible one.
function setTimeline(at, last, where, counter) {
  put($("scrubber"), "max", String(last));
  $("scrubber").value = String(at);
  put($("scrubber"), "aria-valuetext", where);
  putText($("counter"), counter);
  for (const id of ["first", "previous"]) put($(id), "aria-disabled", String(at === 0));
  for (const id of ["next", "last"]) put($(id), "aria-disabled", String(at === last));
}

// Listen to the buttons, the scrubber and the keys of the timeline, further keys of the page, and links
// within the page; `last` returns the last position.
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

// Handle a key, unless a dialog is open or a control has the focus.
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

// Update the address of the page to its state.
function updateAddress() {
  try {
    history.replaceState(null, "", linkFragment());
  } catch {
    // a frame in a notebook has no address, and some browsers limit the number of changes
  }
}

const fragment = () => new URLSearchParams(location.hash.slice(1));
