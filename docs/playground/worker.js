// Python in its own thread, so that the page remains responsive and an infinite loop can be stopped.
import { Graphviz } from "./graphviz/index.js";
import createPyodideModule from "./pyodide/pyodide.asm.mjs";
import { loadPyodide } from "./pyodide/pyodide.mjs";

const waiting = (text, more) => postMessage({ waiting: text, ...more });
const unpacked = async (reply) => new Response((await reply).body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();

// A Python with enough memory for the snapshot, whose memory had grown.
const roomy = (settings) => createPyodideModule(settings).then((module) => { module._malloc(settings.INITIAL_MEMORY); return module; });

// Start Python from the snapshot of memory.mjs, in which scalargrad is imported: the import takes most of the time.
async function start() {
  const loading = loadPyodide({ createPyodideModule: roomy, _loadSnapshot: unpacked(fetch("python.memory")) });
  const [graphviz, python, sources] = await Promise.all([Graphviz.load(), loading, fetch("python.zip").then((reply) => reply.arrayBuffer())]);
  python.unpackArchive(sources, "zip", { extractDir: "/lib/scalargrad" }); // for later imports
  const playground = python.runPython("import playground, random; random.seed(); playground"); // without seed(), each visit would draw the same numbers
  playground.set_layout_function((dot, kind) => graphviz.layout(dot, kind, "dot"));
  return playground;
}

const started = start();
started.then(() => postMessage({ ready: true }), (error) => postMessage({ broken: error.message }));
onmessage = async ({ data: { number, kind, text, inputs } }) => {
  const playground = await started;
  waiting(kind === "py" ? "Running the program …" : "Drawing the graph …", { number, stoppable: kind === "py" });
  postMessage({ number, ...JSON.parse(playground.answer(kind, text, inputs)) });
};
