/**
 * What is allowed and yet worth a second look: everybody may send, a network reads along, a rung that nobody hears of.
 * Sentences for `--check` and for the log at the start. Pure.
 */
import { formatDuration, writeHostPort } from '#service';
import type { DetectorConfig } from './detector-config.ts';
import { isLoopback, listEgress, rungsThatAreOn } from './egress.ts';

/** Sentences, the weightiest first. */
export function listWarnings(config: DetectorConfig): string[] {
  return [...warnOfActions(config), ...warnOfInput(config), ...warnOfReceivers(config), ...warnOfHomes(config)];
}

function* warnOfActions({ dryRun, block, ladder, mail, webhooks, syslogs, indicators, homes }: DetectorConfig):
  Generator<string> {
  const { mitigate, notify, remind, verify } = ladder;
  if (!dryRun && mitigate.isOn && block !== undefined) {
    yield 'dry_run is off and [block] is on: traffic of customers will be blocked.';
  }
  if (block !== undefined && mitigate.isOn && block.allow.length === 0) {
    yield "block.allow is empty: emergency services, your own and makers' update servers could be blocked.";
  }
  if (block !== undefined && !mitigate.isOn) yield '[block] is there, but mitigate.on is false: nothing is blocked.';
  if (mitigate.isOn && mitigate.reasons.includes('indicator') && indicators.length === 0) {
    yield 'mitigate.reasons has "indicator", but no [[indicator]] is listed.';
  }
  if (mitigate.isOn && block !== undefined && homes.list.every(({ addresses }) => addresses.length === 0)) {
    yield 'No [[home]] has addresses: the machine that blocks cannot be told whose traffic is meant.';
  }
  const isHeard = mail !== undefined || webhooks.length > 0 || syslogs.length > 0;
  if (notify.isOn && !isHeard) yield 'There is no [mail], [[webhook]] or [[syslog]]: nobody will be told of anything.';
  if (remind.isOn && !notify.isOn) yield 'remind.on is true, but notify.on is false: there is nothing to remind of.';
  if (!verify.isOn && (verify.command !== undefined || verify.classifierFolder !== undefined)) {
    yield 'verify says whom to ask, but verify.on is false: nobody is asked.';
  }
  if (verify.isOn && verify.onFailure === 'go-on') {
    yield 'verify.on_failure is "go-on": a verification that fails is as good as one that confirms.';
  }
}

function* warnOfInput({ input, verdict, classifiers, evidence }: DetectorConfig): Generator<string> {
  if (input.listen.length === 0) yield 'input.listen is empty: only --replay brings flows.';
  const open = input.listen.filter(({ address }) => !isLoopback(address));
  if (input.exporters.length === 0 && open.length > 0) {
    yield 'input.exporters is empty: whoever reaches the ports can make up flows. Name your exporters.';
  }
  if (!input.pair) yield 'input.pair is false: exporters must send both directions in one record.';
  if (input.activeTimeoutMs + evidence.bucketMs > evidence.windowMs) {
    yield `evidence.window is ${formatDuration(evidence.windowMs)}, hardly longer than the exporter's active timeout` +
      ': a long flow may have no company in it.';
  }
  if (verdict.policy === 'single-flow') {
    yield 'verdict.policy is "single-flow", for comparison only: one mistaken flow in thousands makes a verdict.';
  }
  if (verdict.policy === 'distinct-tokens') {
    yield 'verdict.policy is "distinct-tokens": how often a verdict is wrong is not known, and calibrations are not asked.';
  }
  if (classifiers.allowUnfit) yield 'classifiers.allow_unfit is true: classifiers that say they are unfit decide.';
}

function* warnOfReceivers(config: DetectorConfig): Generator<string> {
  const { mail, webhooks, syslogs, metrics } = config;
  for (const { kind, name, target, isEncrypted } of listEgress(config)) {
    if (isEncrypted) continue;
    const who = name === '' ? kind : `${kind} ${name}`;
    yield kind === 'metrics'
      ? `metrics.listen is ${target.slice('http://'.length)}: other machines can ask it, and nothing is encrypted.`
      : `${who} goes to ${target} without TLS: others on the way can read it.`;
  }
  if (mail !== undefined && mail.dkim === undefined) {
    yield 'There is no [mail.dkim]: unless your mail server signs, customers cannot verify that a mail is yours.';
  }
  if (mail !== undefined && mail.helpPhone === undefined && mail.helpUrl === undefined) {
    yield 'mail.help_phone and mail.help_url are missing: customers have no way to ask whether a mail is genuine.';
  }
  const on = rungsThatAreOn(config);
  const receivers = [...webhooks.map((one) => ({ ...one, kind: 'webhook' })),
    ...syslogs.map((one) => ({ ...one, kind: 'syslog' }))];
  for (const { kind, name, rungs, homeName } of receivers) {
    if (!rungs.some((rung) => on.includes(rung))) yield `${kind} ${name} is told of no rung that is on.`;
    if (homeName) yield `${kind} ${name} is told the names of homes instead of pseudonyms.`;
  }
  if (metrics?.port === 0) yield `metrics.listen is ${writeHostPort(metrics.address, 0)}: the port is any free one.`;
}

function* warnOfHomes({ homes, mail, ladder }: DetectorConfig): Generator<string> {
  if (homes.map === 'address' && homes.inside.length === 0) {
    yield 'homes.inside is empty: outside a NAT, whoever calls at a home from the Internet may pass for one.';
  }
  const mailed = homes.list.filter((home) => home.mail !== undefined).length;
  if (mail !== undefined && ladder.notify.isOn && mailed === 0) {
    yield 'No [[home]] has a mail address: no mail will be sent.';
  }
}
