// Writes python.memory into a playground put together: Python's memory once scalargrad is imported.
import { readFile, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";

const folder = process.argv[2];
const { loadPyodide } = await import(pathToFileURL(`${folder}/pyodide/pyodide.mjs`));
const python = await loadPyodide({ _makeSnapshot: true });
python.unpackArchive(new Uint8Array(await readFile(`${folder}/python.zip`)).buffer, "zip", { extractDir: "/lib/scalargrad" });
python.runPython("import sys; sys.path.insert(0, '/lib/scalargrad'); import playground");
await writeFile(`${folder}/python.memory`, gzipSync(python.makeMemorySnapshot(), { level: 9 }));
