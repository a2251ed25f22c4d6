// Write python.memory, a snapshot of Python's memory after the import of scalargrad, into a built playground.
import { readFile, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";

const folder = process.argv[2];
const { loadPyodide } = await import(pathToFileURL(`${folder}/pyodide/pyodide.mjs`));
const python = await loadPyodide({ _makeSnapshot: true });
python.unpackArchive(new Uint8Array(await readFile(`${folder}/python.zip`)).buffer, "zip", { extractDir: "/lib/scalargrad" });
python.runPython("import sys; sys.path.insert(0, '/lib/scalargrad'); import playground");
await writeFile(`${folder}/python.memory`, gzipSync(python.makeMemorySnapshot(), { level: 9 }));
