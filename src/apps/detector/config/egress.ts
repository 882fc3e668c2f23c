/**
 * What leaves the machine that a detector runs on, by its config: every receiver, and what it is told. `--check` shows
 * the list, docs/privacy.md explains it, and a test holds a whole run to it. Nothing else may leave.
 */
import { rungs, type Rung } from '#action';
import { formatDuration, writeHostPort } from '#service';
import type { DetectorConfig } from './detector-config.ts';

export type EgressKind = 'mail' | 'webhook' | 'syslog' | 'metrics' | 'program';

export type Egress = {
  readonly kind: EgressKind;
  /** Name in the config; empty where there is one only. */
  readonly name: string;
  /** `smtps://host:port`, `https://host`, `udp://host:port`; of a program its path. No secrets. */
  readonly target: string;
  /** What is told, as the end of a sentence. */
  readonly what: string;
  /** Others on the way cannot read it. */
  readonly isEncrypted: boolean;
};

/** All that leaves. With `dry_run` only metrics do. */
export function listEgress(config: DetectorConfig): Egress[] {
  const { mail, webhooks, syslogs, metrics, ladder } = config;
  const found: Egress[] = [];
  const isTold = ladder.notify.isOn || ladder.remind.isOn;
  if (mail !== undefined && isTold) {
    found.push({
      kind: 'mail', name: '', target: mail.server, isEncrypted: mail.requireTls || mail.server.startsWith('smtps:'),
      what: 'mails to the address of a home: what was seen, how sure, what to do',
    });
  }
  for (const { name, url, rungs: told, homeName } of webhooks) {
    found.push({
      kind: 'webhook', name, target: hideUrl(url), isEncrypted: url.startsWith('https:'),
      what: describeTold(told, homeName, config),
    });
  }
  for (const { name, transport, address, port, rungs: told, homeName } of syslogs) {
    found.push({
      kind: 'syslog', name, target: `${transport}://${writeHostPort(address, port)}`, isEncrypted: transport === 'tls',
      what: describeTold(told, homeName, config),
    });
  }
  const program = ladder.verify.isOn ? ladder.verify.command?.[0] : undefined;
  if (program !== undefined) {
    found.push({
      kind: 'program', name: '', target: program, isEncrypted: true,
      what: `a home with its addresses, the device model and the evidence, on this machine; it has ${
        formatDuration(ladder.verify.timeoutMs)} to answer`,
    });
  }
  if (config.block !== undefined && ladder.mitigate.isOn) {
    found.push({
      kind: 'program', name: '', target: config.block.nft, isEncrypted: true,
      what: 'the address of a home and what is blocked of it, on this machine',
    });
  }
  if (metrics !== undefined) {
    found.push({
      kind: 'metrics', name: '', target: `http://${writeHostPort(metrics.address, metrics.port)}`,
      isEncrypted: isLoopback(metrics.address), what: 'counts to whoever asks; no home',
    });
  }
  return found;
}

/** Rungs on which something happens. */
export function rungsThatAreOn({ ladder }: DetectorConfig): Rung[] {
  const isOn: Readonly<Record<Rung, boolean>> = {
    observe: true, verify: ladder.verify.isOn, notify: ladder.notify.isOn, remind: ladder.remind.isOn,
    mitigate: ladder.mitigate.isOn,
  };
  return rungs.filter((rung) => isOn[rung]);
}

function describeTold(told: readonly Rung[], homeName: boolean, config: DetectorConfig): string {
  const happening = told.filter((rung) => rungsThatAreOn(config).includes(rung));
  if (happening.length === 0) return 'nothing: none of its rungs is on';
  return `${happening.join(', ')}; homes by ${homeName ? 'their names' : 'pseudonym'}`;
}

/** A URL without what may be a secret in it: only where it leads. */
export function hideUrl(url: string): string {
  const { origin, pathname, search } = new URL(url);
  return pathname === '/' && search === '' ? origin : `${origin}/…`;
}

/** Does only this machine reach it? */
export function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}
