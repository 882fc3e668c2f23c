/**
 * A mail server that is down for a day, with the config, engine, outbox and SMTP of the real detector and a virtual
 * clock: the mail waits, over a restart too, arrives once, and is given up only when the config says so.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { VirtualClock } from '#base';
import { OutboxRunner, type ActionKind, type OutboxState } from '#action';
import { deviceModel, layOutDetector, makeArtifact, makeHomeFlows } from '../../../test/support/detector-world.ts';
import { SmtpReceiver } from '../../../test/support/smtp-receiver.ts';
import { readConfig } from './config/read-config.ts';
import { openCore } from './core.ts';
import { WatchedExecutors } from './executors.ts';
import { forgetHome, resendAction, type DetectorCore } from './home-desk.ts';
import { StateStore } from './state-store.ts';
import { SteadyClock } from './steady-clock.ts';

const minuteMs = 60_000;
const hourMs = 3_600_000;
const dayMs = 86_400_000;
const artifact = makeArtifact();

/** The state of the mail to household-1, and how often it was tried. */
type MailState = { readonly state: OutboxState; readonly attempts: number };

/** A detector by a virtual clock, whose process can be replaced by another. */
class Outage {
  readonly receiver = new SmtpReceiver({ disabledCommands: ['STARTTLS'] });
  readonly clock = new VirtualClock(Date.UTC(2026, 3, 1));
  /** Outcomes as the log has them. */
  readonly outcomes: string[] = [];
  #config = '';
  #store: StateStore | undefined;
  #core: DetectorCore | undefined;
  #runner: OutboxRunner | undefined;
  #executors: WatchedExecutors | undefined;

  static async open(t: TestContext, more = ''): Promise<Outage> {
    const outage = new Outage();
    const folder = mkdtempSync(join(tmpdir(), 'natlens-outage-'));
    await outage.receiver.open();
    t.after(async () => {
      await outage.closeProcess();
      await outage.receiver.close();
      rmSync(folder, { recursive: true });
    });
    outage.#config = layOutDetector(folder, `
[homes]
name = "household-1"
inside = ["192.168.1.0/24"]
[[home]]
name = "household-1"
mail = "customer@example.net"
[mail]
server = "smtp://127.0.0.1:${outage.receiver.port}"
require_tls = false
from = "security@example.net"
provider_name = "Example Net"
${more}`, { 'webcam.nlc': artifact });
    writeFileSync(outage.#config, `dry_run = false\n${readFileSync(outage.#config, 'utf8')}`);
    await outage.openProcess();
    return outage;
  }

  async openProcess(): Promise<void> {
    const config = await readConfig(this.#config);
    this.#store = StateStore.open(config.stateFolder);
    const steady = new SteadyClock(this.clock, this.#store.savedTime());
    this.#core = await openCore(config, this.#store, steady);
    const nowMs = (): number => steady.nowMs();
    this.#executors = new WatchedExecutors(config, {
      pseudonyms: this.#store.pseudonyms, nowMs, toWall: (timeMs) => steady.toWall(timeMs),
      secondOpinion: () => 'unsure',
      onOutcome: (_, { status }) => this.outcomes.push(status),
    });
    this.#runner = new OutboxRunner(this.#core.desk.outbox, this.#executors.executors,
      { nowMs, wallMs: () => steady.wallMs(), isDryRun: false });
  }

  async closeProcess(): Promise<void> {
    await this.#runner?.stop();
    if (this.#store !== undefined) this.core.engine.checkpoint();
    this.#store?.close();
    this.#store = undefined;
  }

  get core(): DetectorCore {
    return this.#core as DetectorCore;
  }

  get failing(): readonly ActionKind[] {
    return this.#executors?.failing() ?? [];
  }

  get mail(): MailState | undefined {
    const [mail, ...others] = this.core.desk.outbox.list().filter(({ kind }) => kind === 'mail');
    assert.deepEqual(others, []);
    return mail;
  }

  /** Flows of the device, one a minute for half an hour. */
  seeDevice(): void {
    const startMs = this.clock.nowMs();
    const endMs = Array.from({ length: 30 }, (_, i) => startMs + i * minuteMs);
    this.clock.advance(30 * minuteMs);
    this.core.engine.accept(makeHomeFlows({ from: '192.168.1.7', isDevice: true, endMs }),
      { steadyMs: this.clock.nowMs(), offsetMs: 0 });
    assert.equal(this.core.engine.book.find('household-1', deviceModel)?.state, 'present');
  }

  /** Lets time go by as the service does: a look every half minute. */
  async pass(durationMs: number): Promise<void> {
    const endMs = this.clock.nowMs() + durationMs;
    while (this.clock.nowMs() < endMs) {
      this.clock.advance(minuteMs / 2);
      this.core.engine.tick();
      const dueMs = this.core.desk.outbox.nextDueMs();
      const isDue = dueMs !== undefined && dueMs <= this.clock.nowMs();
      if (isDue || this.#runner?.isRecovered === false) await this.#runner?.run();
    }
  }
}

test('a mail server that is down for a day: the mail waits, a restart included, and arrives once', async (t) => {
  const outage = await Outage.open(t);
  await outage.receiver.close();
  outage.seeDevice();
  await outage.pass(12 * hourMs);
  assert.equal(outage.mail?.state, 'planned');
  assert.deepEqual(outage.failing, ['mail']);
  await outage.closeProcess();
  await outage.openProcess();
  assert.deepEqual(outage.failing, [], 'a process knows only its own failures');
  await outage.pass(12 * hourMs);
  assert.equal(outage.mail?.state, 'planned');
  assert.deepEqual(outage.failing, ['mail']);
  // Half a minute, doubling up to an hour: some thirty attempts in a day, not thousands.
  assert.ok(outage.mail.attempts > 20 && outage.mail.attempts < 40, String(outage.mail.attempts));

  await outage.receiver.open();
  await outage.pass(hourMs + minuteMs);
  assert.equal(outage.mail?.state, 'done');
  assert.deepEqual(outage.failing, []);
  await outage.closeProcess();
  await outage.openProcess();
  await outage.pass(3 * dayMs);
  assert.equal(outage.receiver.mails.length, 1);
  assert.deepEqual(outage.receiver.mails[0]?.to, ['customer@example.net']);
  assert.equal(outage.outcomes.filter((status) => status === 'done').length, 1);
});

test('down for longer than rates.give_up: given up, said so, and sent when a person says so', async (t) => {
  const outage = await Outage.open(t, '[rates]\ngive_up = "12h"\n[remind]\non = false\n');
  await outage.receiver.close();
  outage.seeDevice();
  await outage.pass(13 * hourMs);
  assert.equal(outage.mail?.state, 'failed');
  await outage.receiver.open();
  await outage.pass(2 * dayMs);
  assert.equal(outage.receiver.mails.length, 0, 'not by itself: it is old news');
  const [mail] = outage.core.desk.outbox.list();
  assert.match(mail?.detail ?? '', /given up after \d+ attempts/);
  resendAction(outage.core, mail?.id ?? '');
  await outage.pass(minuteMs);
  assert.deepEqual([outage.mail?.state, outage.receiver.mails.length], ['done', 1]);
});

test('a customer who opts out, or is forgotten, during the outage gets nothing afterwards', async (t) => {
  for (const end of ['opt-out', 'forget'] as const) {
    const outage = await Outage.open(t);
    await outage.receiver.close();
    outage.seeDevice();
    await outage.pass(2 * hourMs);
    if (end === 'forget') await forgetHome(outage.core, 'household-1');
    else outage.core.desk.outbox.optOut('household-1', undefined, true, outage.clock.nowMs());
    await outage.receiver.open();
    await outage.pass(6 * hourMs);
    assert.equal(outage.receiver.mails.length, 0, end);
    assert.equal(outage.mail?.state, end === 'forget' ? undefined : 'cancelled');
  }
});
