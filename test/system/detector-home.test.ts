/**
 * The detector in a home network with all real parts: two homes behind NATs of their own, an exporter on the provider's
 * machine, our detector beside it, an SMTP server, nft. The exporter is pmacctd's nfprobe, then our own probe with
 * names that need no payload. The home with the device is found and told by mail, what an indicator names is blocked
 * for its time and then released, and the other home gets nothing, though it calls at the same places.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { simpleParser } from 'mailparser';
import { systemClock } from '#base';
import { makeCertificate } from '../support/test-certificate.ts';
import {
  command, deviceModel, deviceRound, HomeRun, natlensProbe, nfprobe, otherRound, third, until, update,
  type HomeExporter, type Mail,
} from './detector-home-run.ts';
import { wanAddresses, type Exchange, type HomeLetter } from './detector-network.ts';
import { ended, whyNoNamespaces } from './real-nat.ts';
import { missing } from './shared-data.ts';

const skipOf = ({ name }: HomeExporter): string | false => missing({
  programs: ['ip', 'nft', 'openssl', '/usr/bin/python3', ...name === nfprobe.name ? ['pmacctd'] : []],
}) || whyNoNamespaces();

for (const exporter of [nfprobe, natlensProbe]) {
  test(`the home with the device is found, told and protected; the other one is left alone (${exporter.name})`,
    { skip: skipOf(exporter), timeout: 360_000 }, (context) => find(context, exporter));
}

async function find(context: TestContext, exporter: HomeExporter): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'natlens-detector-home-'));
  const run = new HomeRun(folder, exporter);
  context.after(async () => {
    for (const line of run.isDone ? [] : run.state()) context.diagnostic(line);
    await run.network.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const certificate = makeCertificate(folder);
  assert.ok(certificate !== undefined);
  await run.network.open();
  await run.train();
  await run.takeMails(certificate);
  const detector = await run.detect(certificate.certFile);

  // Home B has everything but the device, the botnet's servers included.
  const startMs = systemClock.nowMs();
  run.talk('B', [...otherRound, command, update], 60);
  run.talk('A', otherRound, 80);
  run.talk('A', deviceRound, 200);
  await until('a mail', 150_000, () => run.mails.length > 0);
  const mailMs = systemClock.nowMs() - startMs;
  const [mail] = run.mails as [Mail];
  assert.deepEqual([mail.from, mail.to], ['security@example.net', ['a@customers.example']]);
  const { subject, text, html } = await simpleParser(Buffer.from(mail.raw, 'base64'));
  for (const part of [text, html]) assert.match(String(part), /D-Link DCS-933L/, subject);
  assert.match(String(text), /Ms Rivera/);
  const found = run.explain('customer-a');
  assert.deepEqual(found.verdicts.map((verdict) => [verdict.deviceModel, verdict.state, verdict.episode]),
    [[deviceModel, 'present', 1]]);
  assert.deepEqual(run.blocked(), [], 'presence alone blocks nothing');

  // Now the device is called by its new masters.
  const gets = (letter: HomeLetter, exchange: Exchange): Promise<boolean> => run.gets(letter, exchange);
  for (const exchange of [command, update]) assert.ok(await gets('A', exchange), JSON.stringify(exchange));
  const key = `${wanAddresses.A} . ${third} . tcp . 23`;
  await until('a block', 30_000, () => run.blocked().includes(key));
  const blockedMs = systemClock.nowMs();
  assert.deepEqual(run.blocked(), [key], 'what is allowed, and what the other home does, is not blocked');
  assert.equal(await gets('A', command), false);
  assert.equal(await gets('A', update), true, 'an allowed address');
  assert.equal(await gets('A', { ...command, port: 443 }), true, 'another port');
  assert.equal(await gets('A', { ...command, protocol: 'udp' }), true, 'another protocol');
  assert.equal(await gets('B', command), true, 'the other home');

  await until('the end of the block', 75_000, () => run.blocked().length === 0);
  const lastedMs = systemClock.nowMs() - blockedMs;
  assert.equal(await gets('A', command), true, 'released');
  // Hits reach the detector seconds after the flow, and the block's time runs from its plan.
  assert.ok(lastedMs > 50_000 && lastedMs < 61_500, `the block was seen for ${lastedMs} ms`);

  await run.quiet();
  const other = run.explain('customer-b');
  assert.deepEqual(other.verdicts.filter(({ episode }) => episode > 0), []);
  assert.deepEqual(other.actions, []);
  assert.ok(other.evidence.every(({ score }) => score < 5), JSON.stringify(other.evidence));
  assert.equal(run.mails.length, 1, 'one mail for one thing');
  const status = run.status();
  context.diagnostic(JSON.stringify({ mailMs, lastedMs, flows: status.flows, evidence: found.evidence[0]?.score,
    other: other.evidence.map(({ score }) => score) }));
  assert.ok(status.flows.ofHomes > 500, JSON.stringify(status.flows));
  assert.equal(status.homes.known, 2, 'the other home was looked at, too');
  assert.deepEqual(status.health, []);
  detector.kill('SIGTERM');
  assert.equal(await ended(detector), 0, run.log.slice(-5).join('\n'));
  // No address and no name of a home in the log.
  const log = run.log.join('\n');
  for (const secret of [wanAddresses.A, wanAddresses.B, third, 'customer-a', 'customers.example', 'Rivera']) {
    assert.ok(!log.includes(secret), `${secret} is in the log`);
  }
  run.isDone = true;
}
