/**
 * A template compiled to a plan: which field goes to which column, and how it is read. Plain data that a reader
 * interprets; nothing here becomes code. Where several fields could fill a column, the first of its list does.
 */
import { type ColumnName, findColumn, reverseEnterprise } from '../schema.ts';
import type { ExportVersion } from './export-types.ts';
import { hasTwoWayCounters } from './quirks.ts';
import { type Template, type TemplateField, variableLength } from './template.ts';
import { ntopEnterprise } from './vendor-elements.ts';

/** Values of a run that are no columns, but make them afterwards. */
export type ScratchName =
  | 'durationMs' | 'observedMs' | 'systemInitMs' | 'sampler' | 'interval' | 'packets' | 'space'
  | 'icmpType4' | 'icmpCode4' | 'icmpType6' | 'icmpCode6' | 'biflowDirection' | 'sourceIPv4' | 'destinationIPv4';

export type StepKind =
  | 'u8' | 'u16' | 'u32' | 'f64' | 'ipv4' | 'ipv6' | 'mac' | 'uptime' | 'delta' | 'microseconds' | 'nanoseconds'
  | 'name' | 'application';

export type PlanStep = {
  readonly kind: StepKind;
  readonly target: ColumnName | ScratchName;
  readonly fieldIndex: number;
  /** In records of fixed length. */
  readonly offset: number;
  /** In records of fixed length, else `variableLength`. */
  readonly lengthBytes: number;
  /** What one unit is in units of the column. */
  readonly scale: number;
};

export type FieldPlan = {
  readonly steps: readonly PlanStep[];
  /** The template has an address: its records are flows. */
  readonly isFlow: boolean;
  readonly addresses: 'ipv4' | 'ipv6' | 'both';
  readonly targets: ReadonlySet<ColumnName | ScratchName>;
  /** Columns that every row sets. */
  readonly always: ReadonlySet<ColumnName>;
  /** Any column may be set in some rows and not in others. */
  readonly isIrregular: boolean;
  /** Start and end both have fields. */
  readonly hasTimes: boolean;
  /** Records say at which interval packets were sampled. */
  readonly tellsInterval: boolean;
  /** A time is an uptime, so needs a clock. */
  readonly needsUptime: boolean;
};

type Source = {
  readonly enterprise: number;
  readonly elementId: number;
  readonly kind: StepKind;
  readonly scale: number;
  readonly when?: 'two-way' | 'one-way';
};

const iana = (kind: StepKind, ...ids: number[]): Source[] =>
  ids.map((elementId) => ({ enterprise: 0, elementId, kind, scale: 1 }));
const scaled = (elementId: number, scale: number): Source => ({ enterprise: 0, elementId, kind: 'f64', scale });
const reverse = (kind: StepKind, ...ids: number[]): Source[] =>
  ids.map((elementId) => ({ enterprise: reverseEnterprise, elementId, kind, scale: 1 }));
const ntop = (kind: StepKind, ...ids: number[]): Source[] =>
  ids.map((elementId) => ({ enterprise: ntopEnterprise, elementId, kind, scale: 1 }));
const when = (direction: 'two-way' | 'one-way', sources: Source[]): Source[] =>
  sources.map((source) => ({ ...source, when: direction }));

/** Finest clock first, as Unix times are; uptime last but seconds. */
const timeSources = (ms: number, us: number, ns: number, uptime: number, delta: number, s: number): Source[] => [
  ...iana('f64', ms), ...iana('microseconds', us), ...iana('nanoseconds', ns), ...iana('uptime', uptime),
  ...iana('delta', delta), scaled(s, 1000),
];

/** What fills a column, in order of preference. */
const routes: readonly (readonly [ColumnName | ScratchName, readonly Source[]])[] = [
  ['flowStartMilliseconds', timeSources(152, 154, 156, 22, 158, 150)],
  ['flowEndMilliseconds', timeSources(153, 155, 157, 21, 159, 151)],
  ['durationMs', [...iana('f64', 161), scaled(162, 1 / 1000)]],
  ['observedMs', [...iana('f64', 323), ...iana('microseconds', 324), ...iana('nanoseconds', 325), scaled(322, 1000)]],
  ['systemInitMs', iana('f64', 160)],
  ['sourceAddress', iana('ipv6', 27, 170)],
  ['destinationAddress', iana('ipv6', 28, 169)],
  ['sourceIPv4', iana('ipv4', 8, 44)],
  ['destinationIPv4', iana('ipv4', 12, 45)],
  ['sourceTransportPort', iana('u16', 7, 180, 182)],
  ['destinationTransportPort', iana('u16', 11, 181, 183)],
  ['protocolIdentifier', iana('u8', 4)],
  ['ipClassOfService', iana('u8', 5)],
  ['reverseIpClassOfService', [...reverse('u8', 5), ...when('two-way', iana('u8', 55))]],
  ['initiatorOctets', [...iana('f64', 231, 1, 85), ...when('one-way', iana('f64', 23, 171))]],
  ['initiatorPackets', [...iana('f64', 298, 2, 86), ...when('one-way', iana('f64', 24, 172))]],
  ['responderOctets', [...iana('f64', 232), ...reverse('f64', 1, 85), ...when('two-way', iana('f64', 23))]],
  ['responderPackets', [...iana('f64', 299), ...reverse('f64', 2, 86), ...when('two-way', iana('f64', 24))]],
  // ntop's 78 and 79 are the flags of client and server; its 6 is the union of both.
  ['tcpControlBits', [...ntop('u16', 78), ...iana('u16', 6)]],
  ['reverseTcpControlBits', [...reverse('u16', 6), ...ntop('u16', 79)]],
  ['icmpTypeCodeIPv4', iana('u16', 32)],
  ['icmpTypeCodeIPv6', iana('u16', 139)],
  ['icmpType4', iana('f64', 176)],
  ['icmpCode4', iana('f64', 177)],
  ['icmpType6', iana('f64', 178)],
  ['icmpCode6', iana('f64', 179)],
  ['flowEndReason', iana('u8', 136)],
  ['originalFlowsPresent', iana('u32', 375)],
  ['ingressInterface', iana('u32', 10, 252)],
  ['egressInterface', iana('u32', 14, 253)],
  ['vlanId', iana('u16', 58, 243)],
  ['sourceMacAddress', iana('mac', 56, 81)],
  ['destinationMacAddress', iana('mac', 80, 57)],
  ['biflowDirection', iana('f64', 239)],
  ['sampler', iana('f64', 48, 302)],
  ['interval', iana('f64', 34, 50)],
  ['packets', iana('f64', 305)],
  ['space', iana('f64', 306)],
  ['applicationName', [
    ...ntop('name', 119), ...iana('name', 96), ...iana('application', 95),
  ]],
];

/** Lengths that a kind can be read at; addresses and times cannot be shortened (RFC 7011 §6.2). */
function isReadable(kind: StepKind, lengthBytes: number): boolean {
  if (kind === 'name' || kind === 'application' || lengthBytes === variableLength) return true;
  if (kind === 'ipv4') return lengthBytes === 4;
  if (kind === 'ipv6') return lengthBytes === 16;
  if (kind === 'mac') return lengthBytes === 6;
  if (kind === 'microseconds' || kind === 'nanoseconds') return lengthBytes === 8;
  return lengthBytes >= 1 && lengthBytes <= 8;
}

/** True when a field of a record, whose length is known by now, can be read as its step wants. */
export function isStepReadable(step: PlanStep, lengthBytes: number): boolean {
  return isReadable(step.kind, lengthBytes);
}

/** The plan of a template. */
export function planFields(version: ExportVersion, template: Template): FieldPlan {
  const direction = hasTwoWayCounters(version, template) ? 'two-way' : 'one-way';
  const steps: PlanStep[] = [];
  for (const [target, sources] of routes) {
    const step = planStep(target, sources, template, direction);
    if (step !== undefined) steps.push(step);
  }
  const targets = new Set(steps.map(({ target }) => target));
  const hasIPv4 = targets.has('sourceIPv4') || targets.has('destinationIPv4');
  const hasIPv6 = targets.has('sourceAddress') || targets.has('destinationAddress');
  return {
    steps, targets, isFlow: hasIPv4 || hasIPv6,
    addresses: hasIPv4 && hasIPv6 ? 'both' : hasIPv6 ? 'ipv6' : 'ipv4',
    hasTimes: targets.has('flowStartMilliseconds') && targets.has('flowEndMilliseconds'),
    tellsInterval: targets.has('interval'),
    needsUptime: steps.some(({ kind }) => kind === 'uptime'),
    ...describeColumns(targets, template.isFixed),
  };
}

/** What `finishRows` sets besides the fields. */
const alwaysFinished: readonly ColumnName[] = [
  'flowStartMilliseconds', 'flowEndMilliseconds', 'ipVersion', 'exporterAddress', 'observationDomainId',
];

const addressTargets = ['sourceIPv4', 'destinationIPv4', 'sourceAddress', 'destinationAddress'] as const;

function describeColumns(targets: FieldPlan['targets'], isFixed: boolean): Pick<FieldPlan, 'always' | 'isIrregular'> {
  // A field of variable length may be empty in one record; a turned record swaps columns that have no field; of two
  // families of addresses a record has one.
  const families = addressTargets.filter((target) => targets.has(target)).length;
  const isMixed = families < 4 && [0, 2].every((first) => addressTargets.slice(first, first + 2).some(
    (target) => targets.has(target)));
  if (!isFixed || isMixed || targets.has('biflowDirection')) return { always: new Set(), isIrregular: true };
  const always = new Set<ColumnName>(alwaysFinished);
  for (const target of targets) {
    const column = findColumn(target);
    if (column !== undefined) always.add(column.name as ColumnName);
  }
  if (targets.has('sourceIPv4') || targets.has('destinationIPv4')) {
    always.add('sourceAddress');
    always.add('destinationAddress');
  }
  return { always, isIrregular: false };
}

/**
 * Elements that come more than once follow the order in which the packet was treated (RFC 7011 §8): of addresses the
 * last are those of the packet that a tunnel carries; of all else the first counts.
 */
function isInnermost(kind: StepKind): boolean {
  return kind === 'ipv4' || kind === 'ipv6';
}

function planStep(target: ColumnName | ScratchName, sources: readonly Source[], template: Template,
  direction: 'two-way' | 'one-way'): PlanStep | undefined {
  for (const source of sources) {
    if (source.when !== undefined && source.when !== direction) continue;
    let offset = 0;
    let found: PlanStep | undefined;
    for (let i = 0; i < template.fields.length; i++) {
      const field = template.fields[i] as TemplateField;
      if (!field.isScope && field.elementId === source.elementId && field.enterprise === source.enterprise &&
        isReadable(source.kind, field.lengthBytes)) {
        const { kind, scale } = source;
        found = { kind, target, fieldIndex: i, offset, lengthBytes: field.lengthBytes, scale };
        if (!isInnermost(kind)) break;
      }
      offset += field.lengthBytes;
    }
    if (found !== undefined) return found;
  }
  return undefined;
}
