/**
 * The recipes of docs/commands, run as they are printed there: an exporter's datagrams into a file that `natlens flows`
 * reads, and `natlens export` into nfcapd. What comes out is compared with `natlens flows` of the same capture.
 */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { customaryExportPorts } from '#capture';
import { readRows, runLine, type FlowRow, type Ran } from '../support/natlens-process.ts';
import { rootFolder } from '../support/source-tree.ts';
import { missing } from './shared-data.ts';

/** The shell blocks below a heading of a page. */
function readRecipes(page: string, heading: string): string[] {
  const text = readFileSync(join(rootFolder, 'docs', 'commands', page), 'utf8');
  const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  return [...section.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map((match) => match[1] as string);
}

const recipePort = 9995;

/** The recipes' port, or where another program has it, one that natlens knows as well. */
async function findFreePort(): Promise<number> {
  for (const port of [recipePort, ...customaryExportPorts]) {
    const isFree = await new Promise<boolean>((resolve) => {
      const socket = createSocket('udp4').once('error', () => resolve(false));
      socket.bind(port, () => socket.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
  throw new Error('other programs listen on all ports of exports');
}

/** Runs a recipe in a new folder, then meters its capture with natlens; at the first failure it stops. */
async function runRecipe(context: TestContext, recipe: string): Promise<{ ran: Ran; folder: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'natlens-recipe-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const lines = recipe.replaceAll(String(recipePort), String(await findFreePort()));
  // What a recipe has put in the background must not outlive it.
  const ran = runLine(
    `set -e; trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n${lines}\nnatlens flows home.pcap -o own.csv -q`, folder);
  assert.equal(ran.status, 0, ran.stdout + ran.stderr);
  return { ran, folder };
}

type Sums = Record<string, { packets: number; octets: number }>;

/** Packets and octets of each direction of each conversation. */
function sumUp(rows: readonly FlowRow[]): Sums {
  const sums: Sums = {};
  for (const row of rows) {
    const ends = [`${row.sourceAddress} ${row.sourceTransportPort}`,
      `${row.destinationAddress} ${row.destinationTransportPort}`];
    for (const [side, from, to] of [['initiator', ends[0], ends[1]], ['responder', ends[1], ends[0]]] as const) {
      const packets = Number(row[`${side}Packets`]);
      if (packets === 0) continue;
      const sum = (sums[`${row.protocolIdentifier} ${from} ${to}`] ??= { packets: 0, octets: 0 });
      sum.packets += packets;
      sum.octets += Number(row[`${side}Octets`]);
    }
  }
  return sums;
}

const readCsv = (folder: string, name: string): FlowRow[] => readRows(readFileSync(join(folder, name), 'utf8'));
const firstStart = (rows: readonly FlowRow[]): number =>
  Math.min(...rows.map(({ flowStartMilliseconds }) => Number(flowStartMilliseconds)));

const [tcpdumpRecipe = '', netcatRecipe = ''] = readRecipes('flows.md', 'From an exporter to a file');
const needsRoot = process.getuid?.() === 0 ? false : 'capturing needs root';

const ways = [
  { way: 'tcpdump', recipe: tcpdumpRecipe, skip: needsRoot || missing({ programs: ['softflowd', 'tcpdump'] }) },
  { way: 'netcat', recipe: netcatRecipe, skip: missing({ programs: ['softflowd', 'nc'] }) },
];

for (const { way, recipe, skip } of ways) {
  for (const { version, ipVersions, startMsMax } of [
    { version: '-v 9', ipVersions: ['4', '6'], startMsMax: 0 },
    // v5 has no other time than uptimes, and softflowd's header is no more exact than a second.
    { version: '-v 5', ipVersions: ['4'], startMsMax: 1_000 },
    { version: '-v 10', ipVersions: ['4', '6'], startMsMax: 0 },
    { version: '-v 10 -b', ipVersions: ['4', '6'], startMsMax: 0 },
  ]) {
    test(`from softflowd ${version} by ${way} to flows`, { skip }, async (context) => {
      assert.ok(recipe.includes('-v 9 '), recipe);
      const { ran, folder } = await runRecipe(context, recipe.replace('-v 9 ', `${version} `));
      const sent = /Flows exported: \d+ \(\d+ records\) in (\d+) packets \(0 failures\)/.exec(ran.stdout)?.[1];
      assert.match(ran.stdout, new RegExp(`^${sent} datagrams, `, 'm'));
      assert.doesNotMatch(ran.stdout, /rejected of exports/);
      const own = readCsv(folder, 'own.csv').filter((row) => ipVersions.includes(row.ipVersion ?? ''));
      const theirs = readCsv(folder, 'records.csv');
      assert.ok(Object.keys(sumUp(own)).length > 200);
      assert.deepEqual(sumUp(theirs), sumUp(own));
      assert.ok(Math.abs(firstStart(theirs) - firstStart(own)) <= startMsMax,
        `${firstStart(theirs)} is not ${firstStart(own)}`);
    });
  }
}

test('natlens export to nfcapd', { skip: missing({ programs: ['nfcapd', 'nfdump'] }) }, async (context) => {
  const [recipe = ''] = readRecipes('export.md', 'Into nfcapd');
  const { ran, folder } = await runRecipe(context, recipe);
  const own = readCsv(folder, 'own.csv');
  const sum = (name: string): number => own.reduce((total, row) => total + Number(row[name]), 0);
  const [packets, octets] = ['Packets', 'Octets'].map((name) => sum(`initiator${name}`) + sum(`responder${name}`));
  assert.ok((ran.stdout + ran.stderr).includes(
    `Flows: ${own.length}, Packets: ${packets}, Bytes: ${octets}, Sequence Errors: 0, Bad Packets: 0`), ran.stderr);
  assert.match(ran.stdout, new RegExp(`^Summary: total flows: ${own.length}, `, 'm'));
  assert.equal([...ran.stdout.matchAll(/ <-> /g)].length, own.length);
  assert.doesNotMatch(ran.stdout, /INVALID|1970-01-01/);
});
