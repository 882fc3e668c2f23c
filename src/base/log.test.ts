/** The log: what a line looks like, what never gets into one, and what a flood of lines comes to. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatAddress, formatMac } from './bytes.ts';
import { VirtualClock } from './clock.ts';
import { InvariantError } from './errors.ts';
import { configText, Logger, logText, type LoggerOptions, type Pseudonym } from './log.ts';

function openLog(more: Partial<LoggerOptions> = {}): {
  log: Logger; clock: VirtualClock; lines: () => Record<string, unknown>[]; raw: string[];
} {
  const clock = new VirtualClock(Date.UTC(2026, 0, 2, 3, 4, 0));
  const raw: string[] = [];
  const log = new Logger({ level: 'info', stream: { write: (line) => raw.push(line) }, nowMs: clock.nowMs, ...more });
  return { log, clock, raw, lines: () => raw.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

test('a line is one JSON object with time, level, event and fields', () => {
  const { log, raw } = openLog();
  const state = 'present' as 'present' | 'not yet';
  log.info('verdict', { home: 'h-0123456789ab' as Pseudonym, state, score: 3.5, isDryRun: true, nothing: undefined });
  assert.deepEqual(raw, ['{"time":"2026-01-02T03:04:00.000Z","level":"info","event":"verdict",' +
    '"home":"h-0123456789ab","state":"present","score":3.5,"isDryRun":true}\n']);
});

test('levels below the one asked for are silent', () => {
  const { log, lines } = openLog({ level: 'warn' });
  log.debug('a');
  log.info('b');
  log.warn('c');
  log.error('d');
  assert.deepEqual(lines().map(({ event, level }) => [event, level]), [['c', 'warn'], ['d', 'error']]);
});

test('a plain string is no field: the compiler refuses what may be a home or an address', () => {
  const { log, lines } = openLog();
  const homeName: string = ['smith', 'family'].join(' ');
  // @ts-expect-error: this line is the test; it compiles no more when the type lets plain strings in.
  log.info('leak', { home: homeName });
  // @ts-expect-error: nor with undefined beside it.
  log.info('leak', { home: homeName as string | undefined });
  log.info('fine', { home: logText(homeName), file: configText('/etc/natlens.toml') });
  assert.equal(lines().length, 3);
});

test('texts from elsewhere lose addresses of every kind, and keep the rest', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['connect ECONNREFUSED 192.0.2.7:25', 'connect ECONNREFUSED [address]:25'],
    ['to 2001:db8::1, via fe80::1%eth0 and ::ffff:192.0.2.1.', 'to [address], via [address]%eth0 and [address].'],
    ['2001:db8:0:1:2:3:4:5 is full', '[address] is full'],
    ['mail to <anna.smith+x@example.org> bounced', 'mail to <[address]> bounced'],
    ['device 00:1a:2B:3c:4d:5e left', 'device [address] left'],
    ['at 12:34:56 version 1.2.3, 4 of 5; std::vector', 'at 12:34:56 version 1.2.3, 4 of 5; std::vector'],
  ];
  for (const [text, expected] of cases) assert.equal(logText(text), expected);
  assert.equal(configText('listening at 192.0.2.7:2055'), 'listening at 192.0.2.7:2055');
});

test('no address survives, wherever it stands', () => {
  const word = fc.integer({ min: 0, max: 0xffffffff });
  const address = fc.oneof(
    fc.tuple(word, word, word, word).map((words) => formatAddress(Uint32Array.from(words), 0)),
    word.map((low) => formatAddress(Uint32Array.from([0, 0, 0xffff, low]), 0)),
    fc.tuple(fc.integer({ min: 0, max: 0xffff }), word).map((words) => formatMac(Uint32Array.from(words), 0)));
  const around = fc.constantFrom('', ' ', ', ', '(', ')', '[', ']', '"', '<', '>', '=', '/', ';');
  fc.assert(fc.property(around, address, around, (before, text, after) => {
    assert.equal(logText(`${before}${text}${after}`), `${before}[address]${after}`);
  }), { seed: 7, numRuns: 2_000 });
});

test('control characters become spaces, long texts are cut, and a line stays one line', () => {
  const { log, raw, lines } = openLog();
  log.warn('odd', { text: logText('a\nb\r\x1b[31m\u2028\u202ec\u0000'), long: logText('x'.repeat(5_000)) });
  assert.equal(raw[0]?.split('\n').length, 2);
  assert.equal(lines()[0]?.['text'], 'a b [31m c ');
  assert.equal(String(lines()[0]?.['long']).length, 1_001);
});

test('a flood of one event is cut to so many lines a minute, and the rest is counted', () => {
  const { log, clock, lines } = openLog({ linesPerMinute: 3 });
  for (let i = 0; i < 100; i++) log.warn('flood', { i });
  log.info('other');
  assert.deepEqual(lines().map(({ event }) => event), ['flood', 'flood', 'flood', 'other']);
  clock.advance(60_000);
  log.warn('flood', { i: 100 });
  assert.deepEqual(lines().slice(4).map(({ i, suppressed }) => ({ i, suppressed })),
    [{ i: undefined, suppressed: 97 }, { i: 100, suppressed: undefined }]);
  for (let i = 0; i < 10; i++) log.warn('flood');
  log.flush();
  assert.equal(lines().length, 8, 'the minute runs');
  clock.advance(60_000);
  log.flush();
  log.flush();
  assert.deepEqual(lines().slice(8).map(({ level, suppressed }) => [level, suppressed]), [['warn', 8]]);
  for (let i = 0; i < 5; i++) log.warn('flood');
  log.end();
  assert.equal(lines().at(-1)?.['suppressed'], 2);
});

test('more events than have a count of their own share one, and none is lost uncounted', () => {
  const { log, lines } = openLog({ linesPerMinute: 1 });
  for (let i = 0; i < 1_100; i++) log.info(`event-${i}`);
  log.end();
  const told = lines().reduce((sum, { suppressed }) => sum + (suppressed === undefined ? 1 : suppressed as number), 0);
  assert.equal(told, 1_100);
});

test('a log that cannot be written to counts, and stops nothing', () => {
  const full = openLog({ stream: { write: () => { throw new Error('ENOSPC'); } } });
  full.log.error('x');
  assert.equal(full.log.lostLines, 1);
  const written: string[] = [];
  const stuck = openLog({ stream: { write: (line) => written.push(line), writableLength: 2 << 20 } });
  stuck.log.error('x');
  assert.deepEqual([stuck.log.lostLines, written.length], [1, 0]);
});

test('a field cannot overwrite what every line has', () => {
  const { log } = openLog();
  assert.throws(() => log.info('x', { time: 3 }), InvariantError);
});
