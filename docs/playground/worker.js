// Python, in a thread of its own, so that the page stays alive and a loop without end can be stopped.
import { Graphviz } from "./graphviz/index.js";
import createPyodideModule from "./pyodide/pyodide.asm.mjs";
import { loadPyodide } from "./pyodide/pyodide.mjs";

const waiting = (text, more) => postMessage({ waiting: text, ...more });
const unpacked = async (reply) => new Response((await reply).body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();

// A Python with room for the memory of another, which had grown.
const roomy = (settings) => createPyodideModule(settings).then((module) => { module._malloc(settings.INITIAL_MEMORY); return module; });

// Python begins where memory.mjs left it, with scalargrad imported: else that takes most of the time.
async function start() {
  const begun = loadPyodide({ createPyodideModule: roomy, _loadSnapshot: unpacked(fetch("python.memory")) });
  const [graphviz, python, sources] = await Promise.all([Graphviz.load(), begun, fetch("python.zip").then((reply) => reply.arrayBuffer())]);
  python.unpackArchive(sources, "zip", { extractDir: "/lib/scalargrad" }); // for what is imported later
  const playground = python.runPython("import playground, random; random.seed(); playground"); // or each visit draws the same
  playground.use((dot, kind) => graphviz.layout(dot, kind, "dot"));
  return playground;
}

const started = start();
started.then(() => postMessage({ ready: true }), (error) => postMessage({ broken: error.message }));
onmessage = async ({ data: { number, kind, text, inputs } }) => {
  const playground = await started;
  waiting(kind === "py" ? "Running the program …" : "Drawing the graph …", { number, stoppable: kind === "py" });
  postMessage({ number, ...JSON.parse(playground.answer(kind, text, inputs)) });
};
