// Builds the browser code into ../telehealth/web/static/dist: bundles and style with hashed names, a manifest from
// logical to hashed names, and .gz siblings that the server sends as they are. The new folder replaces the old one
// at the end, so that a server never sees half a build.
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";

import * as esbuild from "esbuild";
import * as sass from "sass";

const here = path.dirname(fileURLToPath(import.meta.url));
const target = path.resolve(here, "../telehealth/web/static/dist");
const work = `${target}.new-${process.pid}`;
const entries = ["board", "queue", "resident", "page", "visit", "consultation", "waiting", "simulator"];
const stamp = process.argv.find((part) => part.startsWith("--stamp="))?.slice("--stamp=".length) ?? "";

async function scripts() {
  const result = await esbuild.build({
    absWorkingDir: here,
    entryPoints: entries.map((name) => ["ts", "tsx"].map((kind) => `src/${name}.${kind}`).find((file) => fs.existsSync(path.join(here, file)))),
    outdir: work,
    bundle: true,
    splitting: true,
    format: "esm",
    // A resident's tablet may be old: nothing in the syntax keeps one out that could take part.
    target: "es2019",
    minify: true,
    metafile: true,
    legalComments: "linked",
    jsx: "automatic",
    jsxImportSource: "preact",
    entryNames: "[name]-[hash]",
    chunkNames: "shared-[hash]",
    logLevel: "warning",
  });
  return Object.fromEntries(
    Object.entries(result.metafile.outputs)
      .filter(([, output]) => output.entryPoint)
      .map(([file, output]) => [`${path.basename(output.entryPoint).replace(/\.tsx?$/, "")}.js`, path.basename(file)]),
  );
}

function style() {
  const { css } = sass.compile(path.join(here, "src/main.scss"), {
    loadPaths: [path.join(here, "node_modules")],
    style: "compressed",
    quietDeps: true,
  });
  const name = `main-${createHash("sha256").update(css).digest("hex").slice(0, 8).toUpperCase()}.css`;
  fs.writeFileSync(path.join(work, name), css);
  return { "main.css": name };
}

function compress() {
  for (const name of fs.readdirSync(work)) {
    if (/\.(js|css|json)$/.test(name)) fs.writeFileSync(path.join(work, `${name}.gz`), gzipSync(fs.readFileSync(path.join(work, name)), { level: 9 }));
  }
}

try {
  fs.mkdirSync(work, { recursive: true });
  const manifest = { ...(await scripts()), ...style() };
  compress();
  fs.writeFileSync(path.join(work, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  if (stamp) fs.writeFileSync(path.join(work, "stamp"), stamp);
  fs.rmSync(target, { recursive: true, force: true });
  fs.renameSync(work, target);
} finally {
  fs.rmSync(work, { recursive: true, force: true });
}
