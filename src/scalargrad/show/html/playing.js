// Playing: steps taken one after another until there are no more, or someone pauses.
let playing = 0;

// `advance` takes a step and says whether another can follow.
function playEvery(milliseconds, advance) {
  playing = setInterval(() => {
    if (!advance()) pause();
  }, milliseconds);
  drawPlay();
}

function pause() {
  clearInterval(playing);
  playing = 0;
  drawPlay();
}

function drawPlay() {
  putText($("play"), playing ? "Pause" : "Play");
  put($("play"), "aria-pressed", String(Boolean(playing)));
}

const togglePlay = () => (playing ? pause() : play());
