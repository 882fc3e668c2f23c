#!/usr/bin/env node
'use strict';
/*
 * The launcher: plain old JavaScript that any Node since 12 parses. It runs src/apps/cli/main.ts on Node 24 or later,
 * and when it finds itself on an older Node, starts itself again on the Node 24 that npm installed beside us.
 * It must stay without dependencies, and quick: nothing is read or started that a run on Node 24 does not need.
 */
var path = require('path');

var nodeMajorMin = 24;
/** Exit code of an environment that must be mended, as for every EnvironmentError (docs/decisions/0004-errors.md). */
var exitEnvironment = 3;

/** Node refuses to strip types below a node_modules folder; there our own loader hook does it. */
var isInstalled = __dirname.split(path.sep).indexOf('node_modules') >= 0;
var stripTypes = path.join(__dirname, 'strip-types.cjs');

if (parseInt(process.versions.node, 10) >= nodeMajorMin) run();
else restartOnNewerNode();

function run() {
  if (isInstalled) stripTypesHere();
  keepCompiled();
  import('../src/apps/cli/main.ts').then(function (cli) {
    return cli.main(process.argv.slice(2));
  }).then(function (exitCode) {
    process.exitCode = exitCode;
  });
}

/**
 * Workers inherit only what was preloaded, so this process becomes one that was (15 ms); where it cannot, it does
 * without.
 */
function stripTypesHere() {
  if (process.execve !== undefined && process.execArgv.indexOf(stripTypes) < 0) {
    var preload = process.execArgv.concat('--require', stripTypes, __filename, process.argv.slice(2));
    process.execve(process.execPath, [process.execPath].concat(preload), process.env);
  }
  require('./strip-types.cjs').register();
}

/** Compiled code is kept in the user's own cache folder: the second start takes a third of the first one's time. */
function keepCompiled() {
  var cache = process.env.XDG_CACHE_HOME || (process.env.HOME && path.join(process.env.HOME, '.cache'));
  if (cache) require('module').enableCompileCache(path.join(cache, 'natlens', 'compiled'));
}

function restartOnNewerNode() {
  var node = findNode();
  if (node === undefined) {
    fail('natlens needs Node ' + nodeMajorMin + ' and this is ' + process.version + ': install Node ' + nodeMajorMin +
      ', or run `npm ci` on Linux x64 or arm64, which brings it along.');
    return;
  }
  var options = isInstalled ? ['--require', stripTypes] : [];
  var child = require('child_process').spawn(
    node, options.concat(__filename, process.argv.slice(2)), { stdio: 'inherit' });
  child.on('error', function (error) {
    fail('natlens found Node ' + nodeMajorMin + ' at ' + node + ', but it does not start here (' + error.message +
      '): install Node ' + nodeMajorMin + '.');
  });
  passSignals(child);
}

/** Path of the Node that the optional dependency of this platform installed, or undefined. */
function findNode() {
  try {
    var folder = path.dirname(require.resolve('node-' + process.platform + '-' + process.arch + '/package.json'));
    var node = path.join(folder, 'bin', 'node');
    return require('fs').existsSync(node) ? node : undefined;
  } catch {
    return undefined;
  }
}

/** Signals go down to the child, and the way it ended comes back up: its exit code, or the signal that ended it. */
function passSignals(child) {
  var signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'];
  var forward = function (signal) {
    // A terminal sends Ctrl-C to the whole process group: the child has it already, and a second one would mean "now".
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  };
  signals.forEach(function (signal) {
    process.on(signal, forward);
  });
  child.on('exit', function (exitCode, signal) {
    signals.forEach(function (name) {
      process.removeListener(name, forward);
    });
    if (signal === null) process.exitCode = exitCode;
    else process.kill(process.pid, signal);
  });
}

function fail(sentence) {
  process.stderr.write(sentence + '\n');
  process.exitCode = exitEnvironment;
}
