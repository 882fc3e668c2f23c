/**
 * Blocks in the kernel, through the program `nft`: put one in, list them, take those of a home out. What fails is told
 * in a sentence that says who must act; a transaction of nft happens as a whole or not at all.
 */
import { assertInvariant, formatAddress, limits, parseAddress } from '#base';
import type { BlockOptions } from '../action-options.ts';
import { oneLine, runProgram, type ProgramRunner } from '../run-program.ts';
import type { BlockElement, StandingBlock } from './block-element.ts';
import { blockScript, noTable, readTable, releaseScript, type BlockTable } from './nft-script.ts';

/** Why nft did not do it. */
export type NftFailure = {
  readonly failure: string;
  /** It will not work until a person has changed something. */
  readonly isLasting: boolean;
  /** What it was about was not there: the table, or an element that has just ended. */
  readonly isAbsent?: boolean;
};

export type ApplyResult =
  | { readonly applied: 'new' | 'extended' | 'stands' }
  /** The limit of blocks is reached; the first one ends after this. */
  | { readonly fullForMs: number }
  | NftFailure;

/** nft answers within milliseconds; another program may hold the kernel's lock for a while. */
const nftTimeoutMs = 10_000;
/** An element may end between the look at it and its removal: then all is looked at anew. */
const attemptsMax = 3;
/** nft lists whole seconds: an end is only known so well. */
const listedGrainMs = 1_000;
const complaintCharactersMax = 200;
/** Set elements with concatenated keys, timeouts and JSON (nftables 0.9.4); `auto-merge` and `comment` are older. */
const oldest = 'nftables 0.9.4 and Linux 5.6';

export class NftBlocks {
  readonly #options: BlockOptions;
  readonly #signal: AbortSignal | undefined;
  readonly #runner: ProgramRunner;

  /** @param signal  ends a running nft when the detector stops */
  constructor(options: BlockOptions, signal?: AbortSignal, runner: ProgramRunner = runProgram) {
    // The name is written into scripts; the config has looked at it, and a second look costs nothing.
    assertInvariant(/^[A-Za-z][\w-]{0,63}$/.test(options.table), `"${options.table}" is no name of a table`);
    this.#options = options;
    this.#signal = signal;
    this.#runner = runner;
  }

  /**
   * Puts a block in for as long, or lengthens the one that stands; one that lasts longer stays as it is.
   *
   * @param action  id of the action, for the element's comment
   */
  async apply(element: BlockElement, remainingMs: number, action: string): Promise<ApplyResult> {
    return this.#repeatedly(async () => {
      const present = await this.#look();
      if ('failure' in present) return present;
      const standing = present.blocks.find((block) =>
        block.element.set.name === element.set.name && block.element.key === element.key);
      if (standing !== undefined && remainingMs <= standing.remainingMs + listedGrainMs) return { applied: 'stands' };
      const count = present.blocks.length + present.unreadCount;
      if (standing === undefined && count >= this.#options.blocksMax) {
        return { fullForMs: Math.min(...present.blocks.map((block) => block.remainingMs + listedGrainMs)) };
      }
      const block = { element, remainingMs, action, isReplaced: standing !== undefined };
      const failed = await this.#script(blockScript(this.#options, present, block));
      return failed ?? { applied: standing === undefined ? 'new' : 'extended' };
    });
  }

  /** Blocks that stand, of all homes or of these addresses. */
  async list(homeAddresses?: readonly string[]): Promise<readonly StandingBlock[] | NftFailure> {
    const present = await this.#look();
    return 'failure' in present ? present : blocksOf(present.blocks, homeAddresses);
  }

  /** Ends all blocks of a home's addresses. */
  async release(homeAddresses: readonly string[]): Promise<{ readonly released: number } | NftFailure> {
    return this.#repeatedly(async () => {
      const present = await this.#look();
      if ('failure' in present) return present;
      const blocks = blocksOf(present.blocks, homeAddresses);
      if (blocks.length === 0) return { released: 0 };
      return await this.#script(releaseScript(this.#options.table, blocks)) ?? { released: blocks.length };
    });
  }

  async #repeatedly<R extends object>(attempt: () => Promise<R | NftFailure>): Promise<R | NftFailure> {
    for (let tries = 1; ; tries++) {
      const result = await attempt();
      if (!('failure' in result) || result.isAbsent !== true || tries === attemptsMax) return result;
    }
  }

  async #look(): Promise<BlockTable | NftFailure> {
    const listed = await this.#run(['-j', 'list', 'table', 'inet', this.#options.table], '');
    if (typeof listed !== 'string') return listed.isAbsent === true ? noTable : listed;
    const table = readTable(listed);
    return typeof table === 'string' ? { failure: table, isLasting: false } : table;
  }

  async #script(script: string): Promise<NftFailure | undefined> {
    const done = await this.#run(['-f', '-'], script);
    return typeof done === 'string' ? undefined : done;
  }

  /** Standard output, or what went wrong. */
  async #run(args: readonly string[], input: string): Promise<string | NftFailure> {
    const { nft } = this.#options;
    const ended = await this.#runner({
      program: nft, args, input, environment: {}, timeoutMs: nftTimeoutMs, signal: this.#signal,
      outputBytesMax: limits.nftOutputBytesMax,
    });
    if (ended.end === 'not-started') return explainStart(nft, ended.code);
    if (ended.end === 'timed-out') return { failure: `${nft} took longer than ${nftTimeoutMs} ms`, isLasting: false };
    if (ended.end === 'stopped') return { failure: 'the detector stops', isLasting: false };
    if (ended.end === 'killed') return { failure: `${nft} was ended by ${ended.signal}`, isLasting: false };
    if (ended.code === 0 && !ended.isCut) return ended.stdout;
    if (ended.code === 0) return { failure: `${nft} lists more than can be read`, isLasting: false };
    return explainComplaint(nft, ended.stderr || ended.stdout);
  }
}

function blocksOf(blocks: readonly StandingBlock[], homeAddresses: readonly string[] | undefined): StandingBlock[] {
  const wanted = homeAddresses && new Set(homeAddresses.map(canonical));
  return blocks.filter(({ homeAddress }) => wanted === undefined || wanted.has(canonical(homeAddress)));
}

function canonical(address: string): string {
  const words = parseAddress(address);
  return words === undefined ? address : formatAddress(Uint32Array.from(words), 0);
}

function explainStart(nft: string, code: string): NftFailure {
  if (code === 'ENOENT') {
    return { failure: `${nft} is not there: install nftables, or name the program in block.nft`, isLasting: true };
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return { failure: `${nft} may not be run by the detector's user (${code})`, isLasting: true };
  }
  return { failure: `${nft} does not start (${code})`, isLasting: false };
}

/** Who must act about what nft complains of (nftables 0.9 to 1.1, in the locale C). */
function explainComplaint(nft: string, stderr: string): NftFailure {
  const said = oneLine(stderr, complaintCharactersMax);
  if (/Operation not permitted|Permission denied/.test(stderr)) {
    return { isLasting: true, failure: `${nft} may not change the rules (${said}): give the detector CAP_NET_ADMIN, ` +
      'as the service unit says, or leave the table [block] out of the config' };
  }
  if (/JSON support not compiled-in/.test(stderr)) {
    return { isLasting: true, failure: `${nft} has no JSON: it needs an nftables built with it (${oldest} or newer)` };
  }
  if (/No such file or directory/.test(stderr)) {
    return { isAbsent: true, isLasting: false, failure: `what was to be changed is gone (${said})` };
  }
  if (/syntax error|unknown option|invalid option|unrecognized|not supported/i.test(stderr)) {
    return { isLasting: true, failure: `${nft} or the kernel is too old (${said}): it takes ${oldest} or newer` };
  }
  if (/File exists|datatype mismatch/.test(stderr)) {
    return { isLasting: true, failure: `the table holds what is not natlens's (${said}): name another in block.table` };
  }
  return { isLasting: false, failure: `${nft} failed: ${said || 'it does not say why'}` };
}
