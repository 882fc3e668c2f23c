/**
 * What an operator asks and orders about homes: explain, forget, opt-out, block, release, resend. The same code behind
 * the control socket of a running detector and, where none runs, over the state alone.
 */
import { formatAddress, isMapped, OperatorError, parseAddress, parsePrefix } from '#base';
import {
  NftBlocks, normaliseReference, referenceOf, type AuditRow, type BlockTarget, type ListedAction, type Withheld,
} from '#action';
import type { Evidence } from '#evidence';
import type { Verdict } from '#verdict';
import type { ActionDesk } from './action-desk.ts';
import type { DetectorConfig } from './config/detector-config.ts';
import { describeReason, type HomeReason } from './describe-reason.ts';
import type { DetectorEngine } from './engine.ts';
import type { StateStore } from './state-store.ts';
import type { SteadyClock } from './steady-clock.ts';

/** What there is of a detector, running or not. */
export type DetectorCore = {
  readonly config: DetectorConfig;
  readonly store: StateStore;
  readonly steady: SteadyClock;
  readonly engine: DetectorEngine;
  readonly desk: ActionDesk;
};

/** All times are of the wall clock. */
export type HomeExplanation = {
  readonly home: string;
  readonly pseudonym: string;
  /** Does the config name it? */
  readonly isListed: boolean;
  readonly isOptedOut: boolean;
  /**
   * What there is to say of device models, in words: of those with a verdict or evidence, and of those that nothing can
   * be said of since their classifier is unfit.
   */
  readonly reasons: readonly HomeReason[];
  /** Device models that are looked for and of which nothing was seen. */
  readonly unseen: readonly string[];
  readonly verdicts: readonly Verdict[];
  /** Evidence of the window that ends with the home's latest flow, by classifier. */
  readonly evidence: readonly Evidence[];
  readonly actions: readonly (ListedAction & {
    /** What a mail quotes, for the help line. */
    readonly reference: string;
  })[];
  readonly withheld: readonly Withheld[];
  readonly audit: readonly AuditRow[];
};

export type BlockOrder = {
  readonly home: string;
  readonly deviceModel: string;
  readonly destination?: string | undefined;
  readonly protocol: 'tcp' | 'udp';
  readonly port?: number | undefined;
  readonly note: string;
};

const auditShown = 100;
const resentForMs = 86_400_000;

/**
 * The home that somebody means by its name, its pseudonym or the reference of one of its mails.
 *
 * @throws OperatorError  there is none of that name
 */
export function findHome({ config, store, engine, desk }: DetectorCore, asked: string): string {
  const names = new Set([
    ...config.homes.list.map(({ home }) => home), ...engine.evidence.homes(),
    ...[...engine.book.all()].map(({ home }) => home), ...desk.outbox.list().map(({ home }) => home),
    ...desk.outbox.optOuts().map(({ home }) => home),
  ]);
  if (names.has(asked)) return asked;
  for (const name of names) if (store.pseudonyms.ofHome(name) === asked) return name;
  const reference = normaliseReference(asked);
  const action = desk.outbox.list().find(({ id }) => referenceOf(id) === reference);
  if (action !== undefined) return action.home;
  throw new OperatorError('bad-option', `Nothing is known of a home '${asked}': give its name, its pseudonym of the ` +
    'log (h-…), or the reference of a mail.');
}

export function explainHome(core: DetectorCore, asked: string): HomeExplanation {
  const { store, steady, engine, desk } = core;
  const home = findHome(core, asked);
  const toWall = (timeMs: number): number => steady.toWall(timeMs);
  const entry = engine.mapper.entryOf(home);
  const verdicts = engine.book.ofHome(home).map((verdict) => ({
    ...verdict, sinceMs: toWall(verdict.sinceMs), firstFlowMs: toWall(verdict.firstFlowMs),
    supportedMs: toWall(verdict.supportedMs), evidence: moveEvidence(verdict.evidence, toWall),
  }));
  const evidence = engine.classifiers.flatMap(({ classifier, digest }) => {
    const found = engine.evidence.evidenceOf({ home, deviceModel: classifier.deviceModel, classifier: digest });
    const moved = moveEvidence(found, toWall);
    return moved === undefined ? [] : [moved];
  });
  return {
    home, pseudonym: store.pseudonyms.ofHome(home), isListed: entry !== undefined,
    isOptedOut: (entry?.optedOut ?? false) ||
      desk.outbox.optOuts().some((out) => out.home === home && out.deviceModel === undefined),
    ...describeModels(core, verdicts, evidence), verdicts, evidence,
    actions: desk.outbox.list(home).map((action) => ({
      ...action, reference: referenceOf(action.id), plannedMs: toWall(action.plannedMs), dueMs: toWall(action.dueMs),
      nextMs: toWall(action.nextMs), expiresMs: toWall(action.expiresMs),
      finishedMs: action.finishedMs === undefined ? undefined : toWall(action.finishedMs),
    })),
    withheld: desk.withheldOf(home),
    audit: desk.outbox.audit(home, auditShown).map((row) => ({ ...row, atMs: toWall(row.atMs) })),
  };
}

/** Device models by name; of first-stage classifiers alone, since only these decide. */
function describeModels({ config, engine, steady }: DetectorCore, verdicts: readonly Verdict[],
  evidence: readonly Evidence[]): Pick<HomeExplanation, 'reasons' | 'unseen'> {
  const wallMs = steady.wallMs();
  const titles = new Map(config.deviceModels.map(({ deviceModel, title }) => [deviceModel, title]));
  const deciding = engine.classifiers.filter(({ stage }) => stage === 1);
  const names = new Set([...verdicts, ...deciding.map(({ classifier }) => classifier)]
    .map(({ deviceModel }) => deviceModel));
  const reasons: HomeReason[] = [];
  const unseen: string[] = [];
  for (const deviceModel of [...names].sort()) {
    const verdict = verdicts.find((each) => each.deviceModel === deviceModel);
    const versions = deciding.filter(({ classifier }) => classifier.deviceModel === deviceModel);
    // The version that led to the verdict, else the latest that decides.
    const loaded = versions.find(({ digest }) => digest === verdict?.classifier) ??
      versions.findLast(({ digest }) => engine.decisions.decisionOf(digest, wallMs)?.decidesBy !== 'nothing') ??
      versions.at(-1);
    const latest = evidence.find(({ classifier }) => classifier === loaded?.digest);
    const decision = loaded === undefined ? undefined : engine.decisions.decisionOf(loaded.digest, wallMs);
    if (verdict === undefined && latest === undefined && decision?.decidesBy !== 'nothing') {
      unseen.push(deviceModel);
      continue;
    }
    reasons.push(describeReason({
      deviceModel, verdict, latest, decision, fingerprint: loaded?.fingerprint,
      presentScore: loaded === undefined ? undefined
        : engine.decisions.ruleAt(loaded.digest, wallMs).presentScoreOf(undefined),
      bucketMs: config.evidence.bucketMs,
      nameOf: (model) => (titles.has(model) ? `${titles.get(model)} (${model})` : model),
    }));
  }
  return { reasons, unseen };
}

function moveEvidence(evidence: Evidence | undefined, toWall: (timeMs: number) => number): Evidence | undefined {
  return evidence === undefined ? undefined
    : { ...evidence, windowStartMs: toWall(evidence.windowStartMs), windowEndMs: toWall(evidence.windowEndMs) };
}

export type ForgetReport = {
  readonly home: string;
  /** Blocks that were taken out of the firewall. */
  readonly released: number;
  /** What a person must do to be through; empty: nothing. */
  readonly remarks: readonly string[];
};

/**
 * Erases a home, and ends its blocks.
 *
 * @throws OperatorError     nothing is known of it
 * @throws EnvironmentError  `disk`: it is not erased
 */
export async function forgetHome(core: DetectorCore, asked: string): Promise<ForgetReport> {
  const { config, engine } = core;
  const home = findHome(core, asked);
  const remarks: string[] = [];
  const addresses = addressesOf(core, home);
  // First, so that no block that waits is made while others are taken out.
  const isOverwritten = engine.forget(home);
  const released = await release(core, addresses, remarks);
  if (!isOverwritten) {
    remarks.push('Remains of the home are still in the file of the state, which could not be written anew: another ' +
      'program uses it, or the disk is full. A running detector tries it again with every checkpoint.');
  }
  if (engine.mapper.entryOf(home) !== undefined) {
    remarks.push(`${config.file} names the home: remove its entry there, or its flows are evidence again.`);
  }
  return { home, released, remarks };
}

/** Ends the blocks of a home. @throws OperatorError  nothing is known of it */
export async function releaseBlocks(core: DetectorCore, asked: string): Promise<ForgetReport> {
  const home = findHome(core, asked);
  const remarks: string[] = [];
  return { home, released: await release(core, addressesOf(core, home), remarks), remarks };
}

/** Of a home, as blocks may have them. */
function addressesOf({ desk, engine }: DetectorCore, home: string): string[] {
  return [...new Set([...engine.mapper.contactOf(home)?.addresses ?? [], ...desk.blockedAddresses(home)])];
}

async function release({ config }: DetectorCore, addresses: readonly string[], remarks: string[]): Promise<number> {
  if (config.block === undefined || addresses.length === 0) return 0;
  const result = await new NftBlocks(config.block).release(addresses);
  if ('released' in result) return result.released;
  remarks.push(`Its blocks may still stand: ${result.failure}`);
  return 0;
}

/** @param deviceModel  undefined: of everything */
export function setOptOut(core: DetectorCore, asked: string, deviceModel: string | undefined, isOut: boolean): string {
  const home = findHome(core, asked);
  core.desk.outbox.optOut(home, deviceModel, isOut, core.steady.nowMs());
  core.engine.planFor([home]);
  return home;
}

/**
 * Takes an order to block; the plan follows at once.
 *
 * @throws OperatorError  blocking is off, the target cannot be blocked, or the device model is not present
 */
export function orderBlock(core: DetectorCore, order: BlockOrder): {
  readonly home: string; readonly ids: readonly string[];
} {
  const { config, desk, engine, steady } = core;
  const home = findHome(core, order.home);
  const { mitigate } = config.ladder;
  if (config.block === undefined || !mitigate.isOn || !mitigate.reasons.includes('operator-order')) {
    throw new OperatorError('bad-option', 'Orders to block are off: give the config a [block] section, and ' +
      'mitigate.reasons that hold "operator-order".');
  }
  if (engine.book.find(home, order.deviceModel)?.state !== 'present') {
    throw new OperatorError('bad-option',
      `${order.deviceModel} is not present in this home: nothing is blocked for it.`);
  }
  if (order.destination !== undefined && parsePrefix(order.destination) === undefined) {
    throw new OperatorError('bad-option', `'${order.destination}' is no address or prefix.`);
  }
  const known = engine.mapper.contactOf(home)?.addresses ?? [];
  // Of a destination only the home's addresses of its family are blocked; of a port alone, all are.
  const addresses = known.map(canonical).filter((address) =>
    order.destination === undefined || isIPv4(address) === isIPv4(order.destination));
  if (known.length > 0 && addresses.length === 0) {
    throw new OperatorError('bad-option', `The config gives no address of this home that could talk to ${
      order.destination}: they are all of the other family.`);
  }
  if (addresses.length === 0) {
    throw new OperatorError('bad-option', 'The config gives no addresses of this home: without them nothing can be ' +
      'blocked by an order.');
  }
  const ids = addresses.map((address) => {
    const target: BlockTarget = {
      homeAddress: address, destination: order.destination, protocol: order.protocol, port: order.port,
    };
    return desk.outbox.order({
      home, deviceModel: order.deviceModel, target, note: order.note, givenMs: steady.nowMs(),
    });
  });
  engine.planFor([home]);
  return { home, ids };
}

function isIPv4(text: string): boolean {
  const prefix = parsePrefix(text);
  return prefix !== undefined && isMapped(Uint32Array.from(prefix.words), 0);
}

function canonical(address: string): string {
  const words = parseAddress(address);
  return words === undefined ? address : formatAddress(Uint32Array.from(words), 0);
}

/** Has an action of uncertain fate, or one that failed, tried again. @param asked  id, reference, or name of the log */
export function resendAction({ desk, steady, store }: DetectorCore, asked: string): string {
  const reference = normaliseReference(asked);
  const action = desk.outbox.list().find(({ id }) =>
    id === asked || referenceOf(id) === reference || store.pseudonyms.ofAction(id) === asked);
  if (action === undefined) throw new OperatorError('bad-option', `There is no action ${asked}.`);
  const nowMs = steady.nowMs();
  desk.outbox.resend(action.id, nowMs, nowMs + resentForMs);
  return action.id;
}
