/**
 * Packets of a device as terms: the names of servers that it asked for, cut into windows to learn from, or as tokens of
 * sliding windows to decide on.
 */
import type { DeviceTrace, TraceTexts } from './device-trace.ts';
import { serverNameOf } from './name-kinds.ts';
import { cutWindows, placeTexts, type TermCounts } from './name-windows.ts';

/** The texts of a data set as terms, worked out once for all of its traces. */
export type TraceTerms = {
  /** [code of a name]: as `serverNameOf` gives it; empty for what is no server's. */
  readonly names: readonly string[];
};

export function listTraceTerms({ names }: Pick<TraceTexts, 'names'>): TraceTerms {
  return { names: names.map(serverNameOf) };
}

/** Windows of names; packets that ask for nothing make windows, too. */
export function cutNames({ timeMs, name }: DeviceTrace, { names }: TraceTerms, windowMs: number): TermCounts[] {
  return cutWindows({ timeMs, code: name }, names, windowMs);
}

/** Packets that show a term of a rule or profile, ascending in time. */
export type TermTokens = { readonly timeMs: Float64Array; readonly token: Uint32Array };

const noPlace = 0xffff_ffff;

/**
 * Packets that ask for one of a rule's names.
 *
 * @param ofRule  names as `serverNameOf` gives them; a token is the place in it
 */
export function listNameTokens(
  { timeMs, name }: DeviceTrace, { names }: TraceTerms, ofRule: readonly string[],
): TermTokens {
  const placeOfCode = placeTexts(ofRule, names, noPlace);
  const shown = [...name.keys()].filter((i) => placeOfCode[name[i] as number] !== noPlace);
  return {
    timeMs: Float64Array.from(shown, (i) => timeMs[i] as number),
    token: Uint32Array.from(shown, (i) => placeOfCode[name[i] as number] as number),
  };
}
