/**
 * Blocks what a plan names, for a time: one destination or port of one home, never the home. It always ends, since the
 * kernel ends it; and it never is about an allowed address, even if a plan should ask.
 */
import { isInPrefix, parsePrefix, type Prefix } from '#base';
import type { BlockOptions } from '../action-options.ts';
import type { Executor, Outcome, PlannedAction } from '../action.ts';
import type { ProgramRunner } from '../run-program.ts';
import { elementOf, type BlockElement } from './block-element.ts';
import { NftBlocks, type NftFailure } from './nft-blocks.ts';

export type BlockParts = {
  /** Now, on the timeline of the actions' times (which is not the wall clock). */
  readonly nowMs: () => number;
  /** Runs nft. */
  readonly runner?: ProgramRunner;
};

/** Pause before the next try where the limit of blocks is reached and nothing says when one ends. */
const fullPauseMs = 60_000;

/**
 * The executor of `block`. Done twice is the same as once: the end of a block is reckoned from the time at which it was
 * due, so that one repeated after a kill ends when the first would have.
 */
export function createBlockExecutor(options: BlockOptions, parts: BlockParts): Executor {
  return {
    kind: 'block', isIdempotent: true,
    execute: async (action, context) => {
      const element = soundElement(action, options);
      if (typeof element === 'string') return { status: 'failed', detail: element };
      const endMs = action.dueMs + options.durationMs;
      const remainingMs = Math.min(endMs - parts.nowMs(), options.durationMs);
      if (remainingMs < 1) return { status: 'failed', detail: 'its time was over before it could be applied' };
      const result = await new NftBlocks(options, context.signal, parts.runner)
        .apply(element, remainingMs, action.id);
      if ('failure' in result) return outcomeOf(result);
      const what = `${element.set.name} { ${element.key} }`;
      if ('fullForMs' in result) {
        return { status: 'retry', detail: `${options.blocksMax} blocks stand, which is the limit`,
          afterMs: Math.min(result.fullForMs, fullPauseMs) };
      }
      const howLong = result.applied === 'stands' ? 'already, as long or longer'
        : `for ${Math.floor(remainingMs / 1_000)} s`;
      return { status: 'done', detail: `${what} is blocked ${howLong}` };
    },
  };
}

function outcomeOf({ failure, isLasting }: NftFailure): Outcome {
  return { status: isLasting ? 'failed' : 'retry', detail: failure };
}

/** The element to write, or why there must be none. */
function soundElement({ block, isDryRun, reasons }: PlannedAction, { allow }: BlockOptions): BlockElement | string {
  if (isDryRun) return 'a dry run blocks nothing';
  if (block === undefined) return 'the action does not say what to block';
  // The planner never asks for it; a row of the outbox that somebody changed might.
  if (!reasons.some(({ code }) => code === 'indicator' || code === 'operator-order')) {
    return 'presence alone blocks nothing';
  }
  const element = elementOf(block);
  if (typeof element === 'string') return element;
  for (const own of [parsePrefix(block.homeAddress), element.destination]) {
    const allowed = own && allow.find((prefix) => isWithin(own, prefix));
    if (allowed !== undefined) {
      const text = own === element.destination ? block.destination : block.homeAddress;
      return `${text} is allowed and never blocked`;
    }
  }
  return element;
}

function isWithin(inner: Prefix, outer: Prefix): boolean {
  return outer.lengthBits <= inner.lengthBits && isInPrefix(Uint32Array.from(inner.words), 0, outer);
}
