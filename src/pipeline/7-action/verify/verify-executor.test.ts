/** Verification by programs of the test's own: answers, facts, limits, and what becomes of those that misbehave. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { testExecutorContract } from '../../../../test/support/executor-contract.ts';
import { sampleAction } from '../../../../test/support/outbox-sample.ts';
import type { Outcome, PlannedAction, VerificationAnswer } from '../action.ts';
import { combineAnswers, createVerifyExecutor, type VerifyParts } from './verify-executor.ts';

const folder = mkdtempSync(join(tmpdir(), 'natlens-verify-'));
after(() => rmSync(folder, { recursive: true }));
const newFolder = (): string => mkdtempSync(join(folder, 'case-'));
const verifyAction = (changed: Partial<PlannedAction> = {}): PlannedAction =>
  sampleAction({ kind: 'verify', rung: 'verify', channel: 'command', ...changed });

/** A shell script with a name of its own. */
function program(text: string): string {
  const path = join(newFolder(), 'ask');
  writeFileSync(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return path;
}

function ask(parts: Partial<VerifyParts>, more: { action?: PlannedAction; signal?: AbortSignal } = {}):
Promise<Outcome> {
  const { action = verifyAction(), signal = new AbortController().signal } = more;
  return createVerifyExecutor({ command: undefined, timeoutMs: 10_000, ...parts })
    .execute(action, { markCommitting: () => undefined, signal, wallMs: () => 0 });
}

testExecutorContract({
  name: 'verify', action: verifyAction(), open: () => {
    const own = newFolder();
    const [log, broken] = [join(own, 'log'), join(own, 'broken')];
    const command = [program(`[ ! -e ${broken} ] || exit 9\necho "$NATLENS_ACTION_ID" >> ${log}`)];
    return {
      executor: createVerifyExecutor({ command, timeoutMs: 10_000 }),
      effects: () => (existsSync(log) ? [...new Set(readFileSync(log, 'utf8').trim().split('\n'))] : []),
      breakDown: () => writeFileSync(broken, ''), mend: () => rmSync(broken), close: () => undefined,
    };
  },
});

test('exit codes are answers, and any other is none', async () => {
  const cases: [number, Outcome][] = [
    [0, { status: 'done', answer: 'confirmed', detail: 'command: confirmed (seen)' }],
    [1, { status: 'done', answer: 'refuted', detail: 'command: refuted (seen)' }],
    [2, { status: 'done', answer: 'unsure', detail: 'command: unsure (seen)' }],
  ];
  for (const [code, outcome] of cases) {
    assert.deepEqual(await ask({ command: [program(`echo seen; exit ${code}`)] }), outcome);
  }
  for (const code of [3, 127, 255]) {
    const path = program(`echo no route >&2; exit ${code}`);
    assert.deepEqual(await ask({ command: [path] }),
      { status: 'retry', detail: `${path} exited with ${code} (no route)` });
  }
});

test('arguments are taken as they are, by no shell, and facts come in the environment and as JSON', async () => {
  process.env.NATLENS_TEST_SECRET = 'not to be seen';
  const own = newFolder();
  const path = program(`printf '%s\\n' "$@" > ${own}/args; env > ${own}/env; cat > ${own}/input`);
  const action = verifyAction();
  const args = ['--home', '$(touch x) `y` ; z', '', '*'];
  const addressesOf = (home: string): string[] => [`${home}-a`, '2001:db8::1'];
  const outcome = await ask({ command: [path, ...args], addressesOf }, { action });
  delete process.env.NATLENS_TEST_SECRET;
  assert.equal(outcome.status, 'done');
  const read = (name: string): string => readFileSync(join(own, name), 'utf8');
  assert.deepEqual(read('args').split('\n').slice(0, -1), args);
  const lines = read('env').trim().split('\n');
  const environment = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s).slice(0, 2)));
  // The shell itself adds some.
  for (const name of ['PWD', 'OLDPWD', 'SHLVL', '_']) delete environment[name];
  const { PATH: searched, ...facts } = environment as Record<string, string>;
  assert.match(searched as string, /\/usr\/bin/);
  assert.deepEqual(facts, {
    LC_ALL: 'C.UTF-8', NATLENS_HOME: action.home, NATLENS_DEVICE_MODEL: action.deviceModel, NATLENS_EPISODE: '1',
    NATLENS_ACTION_ID: action.id, NATLENS_ADDRESSES: `${action.home}-a 2001:db8::1`, NATLENS_SCORE: '3',
  });
  const { verdict } = action;
  assert.deepEqual(JSON.parse(read('input')), {
    version: 1, action: action.id, home: action.home, deviceModel: action.deviceModel, classifier: verdict.classifier,
    episode: 1, addresses: [`${action.home}-a`, '2001:db8::1'], sinceMs: verdict.sinceMs,
    firstFlowMs: verdict.firstFlowMs, supportedMs: verdict.supportedMs, evidence: verdict.evidence,
  });
});

test('what a program says is one line without tricks', async () => {
  const said = async (text: string): Promise<string> => (await ask({ command: [program(text)] })).detail;
  assert.equal(await said(String.raw`printf '\n\n  \033[31mred\007\t\342\200\256text  \nsecond\n'`),
    'command: confirmed ([31mred text)');
  assert.equal(await said(`printf '\\377\\376ok'`), 'command: confirmed (\ufffd\ufffdok)');
  assert.equal(await said('exec 2>&1; echo >&2 to both'), 'command: confirmed (to both)');
  assert.equal(await said('true'), 'command: confirmed');
  assert.equal(await said(`head -c 1000 /dev/zero | tr '\\0' x`), `command: confirmed (${'x'.repeat(199)}…)`);
  // More than pipes hold and more than is kept.
  assert.match(await said(`echo first; head -c 3000000 /dev/zero | tr '\\0' '\\n'; exit 1`),
    /^command: refuted \(first\)$/);
});

test('a program that takes too long is ended with all that it started', async () => {
  const own = newFolder();
  const path = program(`echo $$ > ${own}/pid; (sleep 60; touch ${own}/late) & echo $! >> ${own}/pid; sleep 60`);
  assert.deepEqual(await ask({ command: [path], timeoutMs: 300 }),
    { status: 'retry', detail: `${path} took longer than 300 ms and was ended` });
  await assertGone(join(own, 'pid'), 2);
});

test('what a program leaves behind ends with it', async () => {
  const own = newFolder();
  const path = program(`sleep 60 & echo $! > ${own}/pid; echo fine`);
  assert.equal((await ask({ command: [path] })).detail, 'command: confirmed (fine)');
  await assertGone(join(own, 'pid'), 1);
});

/** Processes of a file of pids are gone, or wait for nobody but init. */
async function assertGone(path: string, count: number): Promise<void> {
  const pids = readFileSync(path, 'utf8').trim().split('\n').map(Number);
  assert.equal(pids.length, count);
  const isAlive = (pid: number): boolean =>
    existsSync(`/proc/${pid}/stat`) && !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  for (let tries = 0; tries < 100 && pids.some(isAlive); tries++) {
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
  }
  assert.deepEqual(pids.filter(isAlive), []);
}

test('a program that cannot be asked is asked again later', async () => {
  const absent = join(folder, 'absent');
  assert.deepEqual(await ask({ command: [absent] }), { status: 'retry', detail: `${absent} does not start (ENOENT)` });
  const plain = join(newFolder(), 'plain');
  writeFileSync(plain, '', { mode: 0o644 });
  assert.match((await ask({ command: [plain] })).detail, /does not start \(EACCES\)/);
  const killed = program('kill -KILL $$');
  assert.deepEqual(await ask({ command: [killed] }), { status: 'retry', detail: `${killed} was ended by SIGKILL` });
  const stop = new AbortController();
  const running = ask({ command: [program('sleep 60')] }, { signal: stop.signal });
  stop.abort();
  assert.deepEqual(await running, { status: 'retry', detail: 'the detector stops' });
});

test('a second opinion and a command together: a refutation wins', async () => {
  const answers: VerificationAnswer[] = ['confirmed', 'refuted', 'unsure'];
  const own = newFolder();
  for (const [i, mine] of answers.entries()) {
    for (const [code, theirs] of answers.entries()) {
      const log = join(own, `${i}-${code}`);
      const outcome = await ask({ command: [program(`touch ${log}; exit ${code}`)], secondOpinion: () => mine });
      const expected = [mine, theirs].includes('refuted') ? 'refuted'
        : [mine, theirs].includes('confirmed') ? 'confirmed' : 'unsure';
      const what = `${mine} ${theirs} ${JSON.stringify(outcome)}`;
      assert.ok(outcome.status === 'done' && outcome.answer === expected, what);
      assert.equal(existsSync(log), mine !== 'refuted', 'what is refuted is told to nobody');
    }
  }
  assert.deepEqual(await ask({ secondOpinion: () => Promise.resolve('unsure') }),
    { status: 'done', answer: 'unsure', detail: 'second opinion: unsure' });
  // One that cannot answer now is waited for: it might refute.
  assert.equal((await ask({ command: [program('exit 7')], secondOpinion: () => 'confirmed' })).status, 'retry');
  assert.equal((await ask({})).status, 'failed');
  assert.equal(combineAnswers([]), 'unsure');
});
