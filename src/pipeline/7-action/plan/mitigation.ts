/**
 * What to block, and why: from indicator hits and operators' orders to targets, one for each thing that is blocked.
 * Presence leads to none; nor does anything on the allow list, and a target always has a destination or a port.
 */
import { parsePrefix, type Prefix } from '#base';
import type { Verdict } from '#verdict';
import type { BlockTarget, Reason, WithheldCode } from '../action.ts';
import { elementOf } from '../block/block-element.ts';
import type { PlanInput } from './plan-input.ts';
import { timeText } from './time-text.ts';

export type Cause = { readonly reason: Reason; readonly timeMs: number };

/** One thing to block, with all that speaks for it; latest cause first. */
export type Mitigation = {
  /** The same for the same target however it was written. */
  readonly targetText: string;
  readonly target: BlockTarget;
  readonly causes: readonly Cause[];
};

export type RefusedTarget = { readonly code: WithheldCode; readonly detail: string; readonly isOrdered: boolean };

/** What speaks for blocking in a home, about one device model. Causes older than a block lasts are none any more. */
export function findMitigations(input: PlanInput, verdict: Verdict): {
  readonly mitigations: readonly Mitigation[]; readonly refused: readonly RefusedTarget[];
} {
  const { block } = input.channels;
  if (block === undefined) return { mitigations: [], refused: [] };
  const mitigations = new Map<string, { target: BlockTarget; causes: Cause[] }>();
  const refused: RefusedTarget[] = [];
  const isFresh = (timeMs: number): boolean => input.nowMs - timeMs <= block.durationMs;
  const consider = (target: BlockTarget, cause: Cause): void => {
    const isOrdered = cause.reason.code === 'operator-order';
    const refusal = refusalOf(target, block.allow);
    if (refusal !== undefined) {
      refused.push({ ...refusal, isOrdered });
      return;
    }
    const text = targetText(target);
    const found = mitigations.get(text);
    if (found === undefined) mitigations.set(text, { target, causes: [cause] });
    else found.causes.push(cause);
  };
  for (const { targets, cause } of causesOf(input, verdict)) {
    if (isFresh(cause.timeMs)) for (const target of targets) consider(target, cause);
  }
  return {
    mitigations: [...mitigations].sort(([a], [b]) => (a < b ? -1 : 1)).map(([text, { target, causes }]) => ({
      targetText: text, target, causes: causes.sort((a, b) => b.timeMs - a.timeMs || compareTexts(a, b)),
    })),
    refused,
  };
}

function compareTexts(a: Cause, b: Cause): number {
  if (a.reason.text === b.reason.text) return 0;
  return a.reason.text < b.reason.text ? -1 : 1;
}

function* causesOf(input: PlanInput, { home, deviceModel }: Verdict): Generator<{
  readonly targets: readonly BlockTarget[]; readonly cause: Cause;
}> {
  const { reasons } = input.ladder.mitigate;
  for (const order of reasons.includes('operator-order') ? input.orders : []) {
    if (order.home !== home || order.deviceModel !== deviceModel) continue;
    const text = `ordered ${timeText(order.givenMs)}: ${order.note}`;
    yield { targets: [order.target], cause: { reason: { code: 'operator-order', text }, timeMs: order.givenMs } };
  }
  for (const hit of reasons.includes('indicator') ? input.hits : []) {
    const concerns = hit.deviceModels.length === 0 || hit.deviceModels.includes(deviceModel);
    if (hit.home !== home || !concerns) continue;
    const indicator = input.indicators.find(({ name }) => name === hit.indicator);
    const text = `${hit.indicator}: ${hit.destination} ${hit.protocol}/${hit.port} ${timeText(hit.flowMs)}`;
    // An indicator of a port alone is hit by a scan's every destination: its block is of the port, and one.
    const isOfPort = indicator !== undefined && indicator.destination === undefined;
    const isOfDestination = indicator !== undefined && indicator.port === undefined;
    const isAllowed = isOfPort && isOnList(hit.destination, input.channels.block?.allow ?? []);
    yield {
      targets: addressesOf(input, home, hit.homeAddress).map((homeAddress) => ({
        homeAddress, protocol: hit.protocol,
        destination: isOfPort && !isAllowed ? undefined : hit.destination,
        port: isOfDestination && !isOfPort ? undefined : hit.port,
      })),
      cause: { reason: { code: 'indicator', text }, timeMs: hit.flowMs },
    };
  }
}

/** The exporter may see other addresses than the blocking machine does: contacts say which that one sees. */
function addressesOf(input: PlanInput, home: string, homeAddress: string): readonly string[] {
  const known = input.contacts.get(home)?.addresses ?? [];
  if (known.length === 0 || known.includes(homeAddress)) return [homeAddress];
  const isOfIPv6 = homeAddress.includes(':');
  const sameFamily = known.filter((address) => address.includes(':') === isOfIPv6);
  return sameFamily.length === 0 ? [homeAddress] : sameFamily;
}

/** Canonical text of a target, or why it cannot be blocked. */
export function targetText(target: BlockTarget): string {
  const element = elementOf(target);
  return typeof element === 'string' ? element : `${element.set.name} ${element.key}`;
}

/** Why a target must not be blocked, or undefined. @param allow  read only */
export function refusalOf(target: BlockTarget, allow: readonly Prefix[]):
{ readonly code: WithheldCode; readonly detail: string } | undefined {
  const element = elementOf(target);
  if (typeof element === 'string') return { code: 'not-configured', detail: element };
  for (const text of [target.homeAddress, target.destination]) {
    if (text === undefined || !isOnList(text, allow)) continue;
    return { code: 'allow-listed', detail: `${text} is never blocked` };
  }
  return undefined;
}

/** Does an address or prefix share any address with the list? */
function isOnList(text: string, allow: readonly Prefix[]): boolean {
  const prefix = parsePrefix(text);
  return prefix === undefined || allow.some((allowed) => overlap(prefix, allowed));
}

function overlap(a: Prefix, b: Prefix): boolean {
  let bits = Math.min(a.lengthBits, b.lengthBits);
  for (let i = 0; bits > 0; i++, bits -= 32) {
    const mask = bits >= 32 ? 0xffff_ffff : (0xffff_ffff << (32 - bits)) >>> 0;
    if ((((a.words[i] as number) ^ (b.words[i] as number)) & mask) !== 0) return false;
  }
  return true;
}
