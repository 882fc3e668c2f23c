/**
 * Scripts for `nft -f -` and what `nft -j list` says. A script holds the whole definition of the table each time, in
 * one transaction, so that it does not matter what was there before. Elements expire in the kernel, whatever becomes of
 * us.
 */
import { formatAddress, isMapped, type Prefix } from '#base';
import type { BlockOptions } from '../action-options.ts';
import {
  parseSetName, readElement, rulesOf, typeOf, usualSets, type BlockElement, type BlockSet, type StandingBlock,
} from './block-element.ts';

/** What stands now. */
export type BlockTable = {
  /** False: the table is not there, so nothing is blocked. */
  readonly exists: boolean;
  readonly sets: readonly BlockSet[];
  readonly blocks: readonly StandingBlock[];
  /** Elements of our sets that could not be read; they count as blocks. */
  readonly unreadCount: number;
};

export const noTable: BlockTable = { exists: false, sets: [], blocks: [], unreadCount: 0 };

/** Before the rules of others (0), which may accept without looking further. */
const chainPriority = -10;
/** Digits of an action's id that an element carries, to be found in the audit. */
const actionDigits = 16;

export type NewBlock = {
  readonly element: BlockElement;
  readonly remainingMs: number;
  /** Id of the action. */
  readonly action: string;
  /** The element stands already, with another end. */
  readonly isReplaced: boolean;
};

/**
 * The table, its chains and sets, the allowed addresses as the options have them, the rules, and one block.
 *
 * Outward packets are looked at in one chain and inward ones in another: an allowed address is one of the outside, and
 * whatever a home's own address is, its blocks hold.
 */
export function blockScript(options: BlockOptions, present: BlockTable, block: NewBlock): string {
  const { table } = options;
  const sets = new Map([...usualSets, ...present.sets, block.element.set].map((set) => [set.name, set]));
  const rules = [...sets.values()].map(rulesOf);
  return [
    `add table inet ${table}`,
    `add chain inet ${table} forward { type filter hook forward priority ${chainPriority}; policy accept; }`,
    `add chain inet ${table} outward`,
    `add chain inet ${table} inward`,
    ...['forward', 'outward', 'inward'].map((chain) => `flush chain inet ${table} ${chain}`),
    ...([4, 6] as const).flatMap((ipVersion) => allowLines(table, ipVersion, options.allow)),
    ...[...sets.values()].map((set) => `add set inet ${table} ${set.name} { type ${typeOf(set)}; flags timeout; }`),
    `add rule inet ${table} forward jump outward`,
    `add rule inet ${table} forward jump inward`,
    `add rule inet ${table} outward ip daddr @allow4 return`,
    `add rule inet ${table} outward ip6 daddr @allow6 return`,
    `add rule inet ${table} inward ip saddr @allow4 return`,
    `add rule inet ${table} inward ip6 saddr @allow6 return`,
    ...rules.map(([outward]) => `add rule inet ${table} outward ${outward}`),
    ...rules.map(([, inward]) => `add rule inet ${table} inward ${inward}`),
    ...block.isReplaced ? [deleteLine(table, block.element)] : [],
    `add element inet ${table} ${block.element.set.name} { ${block.element.key} ` +
      `timeout ${Math.floor(block.remainingMs)}ms comment "natlens ${block.action.slice(0, actionDigits)}" }`,
    '',
  ].join('\n');
}

function allowLines(table: string, ipVersion: 4 | 6, allow: readonly Prefix[]): string[] {
  const name = `allow${ipVersion}`;
  const texts = allow.filter((prefix) => isMapped(Uint32Array.from(prefix.words), 0) === (ipVersion === 4))
    .map((prefix) => prefixText(prefix, ipVersion));
  return [
    `add set inet ${table} ${name} { type ipv${ipVersion}_addr; flags interval; auto-merge; }`,
    `flush set inet ${table} ${name}`,
    ...texts.length === 0 ? [] : [`add element inet ${table} ${name} { ${texts.join(', ')} }`],
  ];
}

function prefixText({ words, lengthBits }: Prefix, ipVersion: 4 | 6): string {
  return `${formatAddress(Uint32Array.from(words), 0)}/${ipVersion === 4 ? lengthBits - 96 : lengthBits}`;
}

/** Takes blocks away again. */
export function releaseScript(table: string, blocks: readonly StandingBlock[]): string {
  return blocks.map(({ element }) => `${deleteLine(table, element)}\n`).join('');
}

function deleteLine(table: string, { set, key }: BlockElement): string {
  return `delete element inet ${table} ${set.name} { ${key} }`;
}

/**
 * What stands, from the output of `nft -j list table inet NAME`.
 *
 * @returns a sentence when it is no such output
 */
export function readTable(output: string): BlockTable | string {
  const listed = parseObjects(output);
  if (listed === undefined) return 'what nft lists is not the JSON that it should be';
  const sets: BlockSet[] = [];
  const blocks: StandingBlock[] = [];
  let unreadCount = 0;
  let exists = false;
  for (const object of listed) {
    if (isRecord(object.table)) exists = true;
    if (!isRecord(object.set) || typeof object.set.name !== 'string') continue;
    const set = parseSetName(object.set.name);
    if (set === undefined) continue;
    sets.push(set);
    for (const listedElement of Array.isArray(object.set.elem) ? object.set.elem as unknown[] : []) {
      const block = readListed(set, listedElement);
      if (block === undefined) unreadCount++;
      else blocks.push(block);
    }
  }
  return { exists, sets, blocks, unreadCount };
}

function readListed(set: BlockSet, listed: unknown): StandingBlock | undefined {
  if (!isRecord(listed) || !isRecord(listed.elem)) return undefined;
  const { val, expires, comment } = listed.elem;
  if (!isRecord(val) || !Array.isArray(val.concat)) return undefined;
  return readElement(set, val.concat, { expires, comment });
}

function parseObjects(output: string): Record<string, unknown>[] | undefined {
  try {
    const all = JSON.parse(output) as unknown;
    if (!isRecord(all) || !Array.isArray(all.nftables)) return undefined;
    return (all.nftables as unknown[]).filter(isRecord);
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
