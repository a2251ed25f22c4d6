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
