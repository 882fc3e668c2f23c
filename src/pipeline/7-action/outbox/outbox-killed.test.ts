/**
 * Killed at any instant: nothing is lost and nothing done twice. At each step of the runner by a real SIGKILL; at each
 * statement of SQL by going on from a copy of the files as they are at that instant, which is what a kill leaves.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runOutboxScenario, scenarioDatabase, type ScenarioEnd } from '../../../../test/support/outbox-scenario.ts';

const childFile = fileURLToPath(new URL('../../../../test/support/outbox-killed-child.ts', import.meta.url));
const stepsMax = 200;

/** What the scenario does when nobody interrupts it. */
const everything = ['block', 'mail', 'verify', 'webhook', 'webhook', 'webhook'];

type Ended = { readonly steps: string[]; readonly end: ScenarioEnd | undefined; readonly signal: string | null };

async function runChild(file: string, world: string, killedAt: number): Promise<Ended> {
  const args = [childFile, file, world, String(killedAt)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  child.stdout.on('data', (bytes) => output += bytes);
  child.stderr.on('data', (bytes) => errors += bytes);
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) => {
    child.on('close', (...how) => resolve(how));
  });
  const lines = output.trimEnd().split('\n');
  if (signal !== null) return { steps: lines, end: undefined, signal };
  assert.equal(code, 0, errors);
  return { steps: lines, end: JSON.parse(lines.pop() as string) as ScenarioEnd, signal };
}

function makeFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'natlens-outbox-'));
  context.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Starts again, from what a kill left, in this process. @param delivered  what the world sees is added */
async function goOn(file: string, delivered: string[]): Promise<ScenarioEnd> {
  const db = new DatabaseSync(file);
  // Nobody switches the power off here: a process that is killed loses nothing that it handed to the kernel.
  db.exec('PRAGMA synchronous = OFF');
  const end = await runOutboxScenario({
    db, onStep: () => undefined, deliver: async (kind, id) => void delivered.push(`${kind}/${id}`),
  });
  db.close();
  return end;
}

/**
 * What must hold after an interruption and a restart.
 *
 * @param delivered    `kind/id`, as the world saw it, over both runs
 * @param interrupted  where
 * @param mailStep     what the mail had come to
 */
function assertOnce(end: ScenarioEnd, delivered: readonly string[], interrupted: string,
  mailStep: 'untouched' | 'committing' | 'delivered'): void {
  const states = end.actions.map(({ kind, state }) => `${kind} ${state}`).sort();
  const mails = delivered.filter((what) => what.startsWith('mail/'));
  const isUncertain = mailStep !== 'untouched';
  assert.deepEqual(states, everything.map((kind) => `${kind} ${kind === 'mail' && isUncertain ? 'uncertain' : 'done'}`),
    interrupted);
  assert.equal(mails.length, mailStep === 'committing' ? 0 : 1, `${interrupted}: ${mails.length} mails`);
  const mail = end.actions.find(({ kind }) => kind === 'mail');
  assert.deepEqual(end.uncertain, isUncertain ? [mail?.id] : [], interrupted);
  assert.equal(end.audited.includes('uncertain'), isUncertain, interrupted);
  // What may be repeated is the same thing each time: the world knows it by its id.
  const expected = end.actions.filter(({ kind }) => kind !== 'mail').map(({ kind, id }) => `${kind}/${id}`).sort();
  assert.deepEqual([...new Set(delivered)].filter((what) => !what.startsWith('mail/')).sort(), expected, interrupted);
}

test('killed at each step by SIGKILL: nothing is lost, nothing done twice', { timeout: 300_000 }, async (context) => {
  const folder = makeFolder(context);
  let delivered: string[] = [];
  const world = createServer((request, response) => {
    delivered.push(request.url?.slice(1) ?? '');
    response.end();
  });
  await new Promise<void>((resolve) => {
    world.listen(0, '127.0.0.1', resolve);
  });
  context.after(() => world.close());
  const address = `http://127.0.0.1:${(world.address() as AddressInfo).port}`;
  let uncertainCount = 0;
  let step = 1;
  for (; step < stepsMax; step++) {
    delivered = [];
    const file = join(folder, `${step}.sqlite`);
    const first = await runChild(file, address, step);
    if (first.end !== undefined) {
      assert.deepEqual(delivered.map((what) => what.split('/')[0]).sort(), everything);
      break;
    }
    assert.equal(first.signal, 'SIGKILL');
    assert.equal(first.steps.length, step);
    const last = first.steps.at(-1) as string;
    const wasMailed = delivered.some((what) => what.startsWith('mail/'));
    const end = await goOn(file, delivered);
    const mailStep = end.uncertain.length === 0 ? 'untouched' : wasMailed ? 'delivered' : 'committing';
    assertOnce(end, delivered, `step ${step}, ${last}`, mailStep);
    if (mailStep === 'untouched') continue;
    uncertainCount++;
    assert.ok(isInMailCommit(first.steps), `uncertain without need at step ${step}, ${last}`);
  }
  assert.ok(step > 20 && step < stepsMax, `${step} steps`);
  assert.ok(uncertainCount >= 2, 'the instant at which nobody can know was hit, before and after the mail');
});

/** Between the mark and what is written of the outcome; other kinds, which mark nothing, are at work beside it. */
function isInMailCommit(steps: readonly string[]): boolean {
  const at = steps.indexOf('committing');
  return at >= 0 && steps.slice(at).filter((step) => step === 'finished').length < everything.length;
}

/** A database that calls `onStatement` before each statement that it runs. */
function watchStatements(db: DatabaseSync, onStatement: () => void): DatabaseSync {
  const watch = <Target extends object>(
    target: Target, names: readonly string[], change?: (made: object) => object,
  ): Target =>
    new Proxy(target, {
      get: (_, name) => {
        const member = Reflect.get(target, name) as unknown;
        if (typeof member !== 'function') return member;
        return (...args: unknown[]) => {
          if (names.includes(String(name))) onStatement();
          const made = (member as (...all: unknown[]) => unknown).apply(target, args);
          return change !== undefined && typeof made === 'object' && made !== null ? change(made) : made;
        };
      },
    });
  return watch(db, ['exec'], (statement) => watch(statement as StatementSync, ['run', 'get', 'all']));
}

function readMailState(file: string): string | undefined {
  const db = new DatabaseSync(file);
  const isThere = db.prepare(`SELECT 1 FROM sqlite_master WHERE name = 'outbox_action'`).get() !== undefined;
  const row = isThere ? db.prepare(`SELECT state FROM outbox_action WHERE kind = 'mail'`).get() : undefined;
  db.close();
  return (row as { state: string } | undefined)?.state;
}

test('interrupted before each statement of SQL: nothing is lost, nothing done twice', async (context) => {
  const folder = makeFolder(context);
  const copies: { file: string; delivered: string[]; mailStep: 'untouched' | 'committing' | 'delivered' }[] = [];
  const file = join(folder, 'whole.sqlite');
  const db = new DatabaseSync(file);
  db.exec(scenarioDatabase);
  const delivered: string[] = [];
  const copy = (): void => {
    const copied = join(folder, `${copies.length}.sqlite`);
    for (const end of ['', '-wal']) if (existsSync(file + end)) copyFileSync(file + end, copied + end);
    // What was written down in the copy decides, not what the interrupted transaction was about to write.
    const isCommitting = readMailState(copied) === 'committing';
    const wasMailed = delivered.some((what) => what.startsWith('mail/'));
    const mailStep = !isCommitting ? 'untouched' : wasMailed ? 'delivered' : 'committing';
    copies.push({ file: copied, delivered: [...delivered], mailStep });
  };
  const whole = await runOutboxScenario({
    db: watchStatements(db, copy), onStep: copy, deliver: async (kind, id) => void delivered.push(`${kind}/${id}`),
  });
  assertOnce(whole, delivered, 'uninterrupted', 'untouched');
  db.close();
  assert.ok(copies.length > 100, `${copies.length} instants`);
  for (const [at, copied] of copies.entries()) {
    const all = [...copied.delivered];
    assertOnce(await goOn(copied.file, all), all, `instant ${at}`, copied.mailStep);
  }
  const uncertain = copies.filter(({ mailStep }) => mailStep !== 'untouched');
  assert.deepEqual([...new Set(uncertain.map(({ mailStep }) => mailStep))].sort(), ['committing', 'delivered']);
});
