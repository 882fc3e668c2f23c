/*
 * Strips the types of our own .ts files where Node does not: below a node_modules folder, that is when natlens is
 * installed as a package. Preloaded with --require, it does so at once, and so in every child and worker too.
 * It must touch no other package's files.
 */
'use strict';

const { readFileSync } = require('node:fs');
const { registerHooks, stripTypeScriptTypes } = require('node:module');
const { resolve } = require('node:path');
const { fileURLToPath, pathToFileURL } = require('node:url');

const home = resolve(__dirname, '..');
const ours = pathToFileURL(home).href + '/';
const theirs = ours + 'node_modules/';
const doneKey = Symbol.for('natlens.strip-types');

/** Registers the hook in this process and asks for it in every Node that this process will start. */
function register() {
  // An older Node that inherited NODE_OPTIONS from us has nothing to hook, and must run undisturbed.
  if (globalThis[doneKey] || registerHooks === undefined || stripTypeScriptTypes === undefined) return;
  globalThis[doneKey] = true;
  silenceOwnWarnings();
  registerHooks({ load });
  const before = process.env.NODE_OPTIONS || '';
  const path = __filename.replace(/[\\"]/g, '\\$&');
  if (!before.includes(path)) process.env.NODE_OPTIONS = (before + ' --require "' + path + '"').trim();
}

function load(url, context, nextLoad) {
  if (!url.startsWith(ours) || url.startsWith(theirs) || !url.endsWith('.ts')) return nextLoad(url, context);
  const source = stripTypeScriptTypes(readFileSync(fileURLToPath(url), 'utf8'), { mode: 'strip' });
  return { format: 'module', source, shortCircuit: true };
}

/** Keeps back the two warnings about what this file itself uses; all others pass. */
function silenceOwnWarnings() {
  const emit = process.emitWarning;
  process.emitWarning = function (warning, ...rest) {
    const kind = typeof rest[0] === 'string' ? rest[0] : rest[0] && rest[0].type;
    const text = String(warning);
    const isOwn = kind === 'ExperimentalWarning' && /stripTypeScriptTypes|registerHooks|Type Stripping/i.test(text);
    if (!isOwn) emit.call(this, warning, ...rest);
  };
}

module.exports = { register };
// Preloaded modules have no main module that required them from natlens.cjs: register at once.
if (module.parent === null || module.parent === undefined || module.parent.id === 'internal/preload') register();
