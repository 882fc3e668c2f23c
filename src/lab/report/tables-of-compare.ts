/** Tables of `natlens lab compare`: methods, device models by method, dedicated names, links, signatures, sights. */
import type { Sight } from '../baseline/home-method.ts';
import type { LinkRow, Linker, SignatureRow } from '../baseline/identification-study.ts';
import type { CompareReport, CompareRow } from '../compare/compare-report.ts';
import { heatSteps } from './compare-style.ts';
import {
  breakName, countOf, escapeText, formatCount, formatNumber, formatNumberShare, formatPercent, formatShare, formatTable,
  unknownText,
} from './markup.ts';

/** From the least to the most. */
export const sights: readonly Sight[] = ['flow records', 'names asked for', 'packet headers'];

/** What detectors of natlens run. */
export function findOurs({ methods, ours }: CompareReport): CompareRow | undefined {
  return methods.find(({ name }) => name === ours);
}

export function sayMinutes(minutes: number): string {
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${minutes} min`;
}

/** `0.42 ms`, `3.1 s`. */
export function sayDuration(milliseconds: number): string {
  if (!Number.isFinite(milliseconds)) return unknownText;
  if (milliseconds < 0.1) return `${formatNumber(milliseconds * 1_000)} µs`;
  if (milliseconds < 1_000) return `${formatNumber(milliseconds)} ms`;
  const seconds = milliseconds / 1_000;
  return seconds < 120 ? `${formatNumber(seconds)} s` : `${formatNumber(seconds / 60)} min`;
}

const shareOf = (share: number | null | undefined): string => formatShare(share ?? Number.NaN);

/** Every method in a row: the table that this page is about. */
export function formatMethodTable(report: CompareReport): string {
  const { methods, deviceModels, resultMinutes, settings } = report;
  const ours = findOurs(report);
  const fixed = formatShare(settings.fixedFpr);
  // An hour is what evidence is for, and a day is the most that there is.
  const found = resultMinutes.flatMap((minutes, i) => minutes === 60 || i === resultMinutes.length - 1 ? [i] : []);
  const rows = methods.map((row) => [
    `${breakName(row.name)}<small class="meaning">${escapeText(row.meaning)}</small>` +
      `<small>${escapeText(row.source)}</small>`,
    `${formatPercent(row.coverage)}<small>${row.covered.length} of ${deviceModels.length}</small>`,
    shareOf(row.measuredFpr) +
      (row.fprUpper95 === null ? '' : `<small>≤&nbsp;${formatNumberShare(row.fprUpper95)}</small>`),
    ...resultMinutes.map((_, i) => shareOf(row.tpr?.[i])),
    ...found.map((i) => `${shareOf(row.foundAtFixedFpr[i])}<small>${shareOf(row.foundAtZeroFpr[i])} at 0</small>`),
    formatCalibrated(row, found),
    row.medianMinutes === null ? unknownText : sayMinutes(row.medianMinutes),
    `${escapeText(row.sees)}<small>${escapeText(row.privacy)}</small>`, sayDuration(row.cpuMsPerHomeDay),
  ]);
  const sightColumn = 5 + resultMinutes.length + found.length;
  return `<div class="methods">${formatTable({
    caption: 'Coverage: device models that it can decide on at all. FPR of a home-day, below it the 95 % bound, and ' +
      'TPR and median time as it decides by itself, of device models that it covers. Coverage × TPR: of all device ' +
      `models looked for, with the score that ${fixed} of the null home-days reach; below it with one that none of ` +
      'them reaches; and with the one that homes that calibrate set for the promise, with the FPR that comes of it.',
    headings: ['method', 'coverage', 'FPR<small>a home-day</small>',
      ...resultMinutes.map((minutes) => `TPR<small>${sayMinutes(minutes)}</small>`),
      ...found.map((i) => `coverage × TPR<small>${sayMinutes(resultMinutes[i] ?? 0)}, FPR ${fixed}</small>`),
      'calibrated<small>coverage × TPR, FPR</small>', 'median time<small>to detect</small>',
      'must see<small>and what that tells of people</small>', 'CPU<small>a home-day</small>'],
    rows, textColumns: [sightColumn],
    rowClasses: methods.map(({ name }) => name === ours?.name ? 'ours' : ''),
  })}</div>`;
}

/** What is found within a day by the score that homes that calibrate set, and the false alarms of it. */
function formatCalibrated({ calibrated: { found, measuredFpr } }: CompareRow, times: readonly number[]): string {
  return `${shareOf(found[times.at(-1) ?? 0])}<small>FPR ${shareOf(measuredFpr)}</small>`;
}

/** Of a device model and method at equal FPR, after a day; undefined: the method cannot decide on it. */
export type HeatCell = { readonly method: string; readonly tpr: number | undefined };
export type HeatRow = { readonly deviceModel: string; readonly cells: readonly HeatCell[] };

/** Ours first, so that every other stands beside it. */
function orderForHeat(report: CompareReport): readonly CompareRow[] {
  const ours = findOurs(report);
  return ours === undefined ? report.methods : [ours, ...report.methods.filter((row) => row !== ours)];
}

export function listHeat(report: CompareReport): HeatRow[] {
  const { deviceModels, results, resultMinutes } = report;
  const lastMinutes = resultMinutes.at(-1);
  const methods = orderForHeat(report);
  const known = new Map(results.filter(({ windowMinutes }) => windowMinutes === lastMinutes)
    .map((result) => [JSON.stringify([result.method, result.deviceModel]), result.tprAtFixedFpr]));
  return deviceModels.map(({ deviceModel }) => ({
    deviceModel, cells: methods.map(({ name, covered }) => ({
      method: name, tpr: covered.includes(deviceModel) ? known.get(JSON.stringify([name, deviceModel])) : undefined,
    })),
  }));
}

export type Better = {
  readonly deviceModel: string;
  readonly own: number;
  readonly by: CompareRow;
  readonly tpr: number;
};

/** Shares nearer to each other than this are printed alike. */
const alike = 0.0005;

/** Device models that a method from elsewhere finds more of than ours does, and which one finds most. */
export function listBetter(report: CompareReport): Better[] {
  const ours = findOurs(report);
  if (ours === undefined) return [];
  const others = new Map(report.methods.flatMap((row) => row.isOurs === true ? [] : [[row.name, row]]));
  return listHeat(report).flatMap(({ deviceModel, cells }) => {
    const own = cells.find(({ method }) => method === ours.name)?.tpr ?? 0;
    const [best] = cells.flatMap(({ method, tpr = 0 }) => {
      const by = others.get(method);
      return by !== undefined && tpr >= own + alike ? [{ deviceModel, own, by, tpr }] : [];
    }).sort((a, b) => b.tpr - a.tpr);
    return best ?? [];
  });
}

/** Where another method does better than ours, in sentences. */
export function formatBetter(report: CompareReport): string {
  const ours = findOurs(report);
  if (ours === undefined) return '';
  const better = listBetter(report);
  const [count, name] = [countOf(report.deviceModels.length, 'device model'), escapeText(ours.name)];
  if (better.length === 0) {
    return `<p>There is none of ${count} that a method from elsewhere finds more of than ${name}.</p>`;
  }
  const items = better.map(({ deviceModel, own, by, tpr }) => `<li>${breakName(deviceModel)}: ${escapeText(by.name)} ` +
    `${formatShare(tpr)}, ${name} ${formatShare(own)}; it sees ${escapeText(by.sees)}.</li>`);
  return `<p>Of ${count}, there are ${formatCount(better.length)} that a method from elsewhere finds more of than ` +
    `${name}:</p>\n<ul>\n${items.join('\n')}\n</ul>`;
}

export function formatHeat(report: CompareReport): string {
  const { settings, resultMinutes } = report;
  const ours = findOurs(report);
  const rows = listHeat(report).map(({ deviceModel, cells }) => {
    const most = Math.max(...cells.map(({ tpr }) => tpr !== undefined && Number.isFinite(tpr) ? tpr : 0));
    return [breakName(deviceModel), ...cells.map(({ tpr }) => {
      if (tpr === undefined || !Number.isFinite(tpr)) return { html: unknownText, className: 'none' };
      const isBest = most > 0 && most - tpr < alike;
      return { html: formatShare(tpr), className: `h${Math.round(tpr * heatSteps)}${isBest ? ' best' : ''}` };
    })];
  });
  return `<div class="heats">${formatTable({
    caption: `TPR within ${sayMinutes(resultMinutes.at(-1) ?? 0)}, with the score that ${
      formatShare(settings.fixedFpr)} of a seed's null home-days reach. Underlined: the most of a device model. ` +
      'Hatched: the method cannot decide on it.',
    headings: ['device model', ...orderForHeat(report).map(({ name }) => `<span>${name === ours?.name
      ? `<em>${escapeText(name)}</em>` : escapeText(name)}</span>`)],
    rows,
  })}</div>
<p class="shades quiet">${Array.from({ length: heatSteps / 2 + 1 }, (_, i) =>
    `<span class="h${2 * i}">${(2 * i / heatSteps).toFixed(1)}</span>`).join('')}</p>`;
}

function breakHyphens(name: string): string {
  return breakName(name).replace(/-/g, '-<wbr>');
}

/** How many device models a rule of names can tell at all. */
export function formatNames({ names }: CompareReport): string {
  const all = names.deviceModels.length;
  const counts: [string, number][] = [['three or more', names.withThreeOrMore], ['two', names.withTwo],
    ['one', names.withOne], ['none', names.withNone]];
  const shares = formatTable({
    caption: `Of ${countOf(all, 'IoT device model')} of the data set, looked for or not.`,
    headings: ['dedicated names', 'device models', 'share'],
    rows: counts.map(([label, count]) => [label, formatCount(count), formatPercent(count / all)]),
  });
  const models = names.deviceModels.toSorted((a, b) => b.dedicated.length - a.dedicated.length ||
    (a.deviceModel < b.deviceModel ? -1 : 1));
  const table = formatTable({
    caption: 'Names of servers that units of the device model asked for; those that its maker runs for devices and ' +
      'that nothing else than IoT asked for; and those that no other device model asked for.',
    headings: ['device model', 'asked for', 'device-facing', 'dedicated', 'which'], textColumns: [4],
    rows: models.map(({ deviceModel, asked, deviceFacing, dedicated }) => [breakName(deviceModel), formatCount(asked),
      formatCount(deviceFacing), formatCount(dedicated.length), formatDedicated(dedicated)]),
  });
  return `${shares}\n<div class="names">${table}</div>`;
}

const namesShown = 4;

function formatDedicated(dedicated: readonly string[]): string {
  if (dedicated.length === 0) return unknownText;
  const more = dedicated.length - namesShown;
  return dedicated.slice(0, namesShown).map(breakName).join(', ') + (more > 0 ? ` and ${formatCount(more)} more` : '');
}

const linkerNames: Readonly<Record<Linker, string>> = { 'dns-chains': 'chains of queries', clocks: 'clocks' };

/** Kinds of counters in words. */
export function sayClass(idClass: LinkRow['hosts'] | null): string {
  if (idClass === null || idClass === 'unclear') return 'of no class';
  const [, kind, rate] = /^(ticks|clock)(\d+)$/.exec(idClass) ?? [];
  if (kind === 'ticks') return `random up to the ticks since the last packet, ${rate} a second (Linux)`;
  if (kind === 'clock') return `a clock of ${rate} ticks a second (Linux, connected sockets)`;
  const words: Readonly<Record<string, string>> = {
    all: 'all hosts', zero: 'always 0', counter: 'one more a packet, for each destination',
    busyCounter: 'one more a packet, wherever it goes', random: 'random', randomStep: 'a small random step a packet',
  };
  return words[idClass] ?? idClass;
}

/** How well packets behind one NAT are linked, and how many hosts are counted. */
export function formatLinks({ identification: { links, hostCounts, homes, homeHours } }: CompareReport): string {
  const rows = links.map((row) => [linkerNames[row.linker], escapeText(sayClass(row.hosts)), formatCount(row.units),
    formatCount(row.queries),
    ...[row.coverage, row.accuracy, row.purity, row.flowCoverage, row.flowAccuracy].map(shareOf)]);
  const counts = hostCounts.map(({ linker, homes: of, asking, countable, counted, absoluteError }) => [
    linkerNames[linker], formatCount(of), formatNumber(asking), formatNumber(countable), formatNumber(counted),
    formatNumber(absoluteError)]);
  return `${formatTable({
    caption: `Queries behind one NAT in ${countOf(homes, 'home')} of ${sayMinutes(homeHours * 60)}, by the counter ` +
      'that their hosts have. Coverage: share that is linked to any host. Accuracy: share of those whose host is ' +
      'theirs, one host a device. Purity: the same where a device may have several. Flows: by the query before them.',
    headings: ['linked by', 'identification of the hosts', 'units', 'queries', 'coverage', 'accuracy', 'purity',
      'flows<small>coverage</small>', 'flows<small>accuracy</small>'],
    rows, textColumns: [1],
  })}\n${formatTable({
    caption: 'Hosts in a home, means over homes: those that ask for names, those of them whose counter is one that ' +
      'the linker was made for, and those that it counts, which are so far from those that ask.',
    headings: ['linked by', 'homes', 'hosts that ask', 'countable', 'counted', 'absolute error'], rows: counts,
  })}`;
}

/** What a slope tells: device models by class of counter. */
export function formatSignatures({ identification: { signatures } }: CompareReport): string {
  const groups = [...Map.groupBy(signatures, ({ idClass }) => idClass)]
    .sort(([a, inA], [b, inB]) => Number(a === null) - Number(b === null) || inB.length - inA.length ||
      ((a ?? '') < (b ?? '') ? -1 : 1));
  const classed = signatures.filter(({ idClass }) => idClass !== null);
  const alone = groups.filter(([idClass, members]) => idClass !== null && members.length === 1).length;
  const sentence = `<p><strong>A slope identifies the kernel and not the device model.</strong> Of ${
    countOf(signatures.length, 'device model')} with packets, ${formatCount(classed.length)} show a class; ${
    formatCount(classed.length - alone)} of them share it with another, and ${
    alone === 0 ? 'none has' : alone === 1 ? 'one has' : `${formatCount(alone)} have`} it alone in this data set, ` +
    'which says nothing of devices outside it. So a slope may speak against a device model, and never for it.</p>';
  const byClass = formatTable({
    caption: 'Classes of counters, and the device models of each.',
    headings: ['identification', 'device models', 'slope<small>a second, lowest–highest</small>', 'which'],
    rows: groups.map(([idClass, members]) => [escapeText(sayClass(idClass)), formatCount(members.length),
      sayRange(members.flatMap(({ slope }) => slope ?? [])), members.map(({ deviceModel }) => breakName(deviceModel))
        .join(', ')]),
    textColumns: [3],
  });
  const detail = formatTable({
    caption: 'Median slope, identifications a second, of all pairs of queries to one resolver, or of packets to one ' +
      'destination where queries are too few, and its quartiles; share of the steps that are 1. As a veto: share of ' +
      'the hours that the signature takes for another kernel\'s, of its own units outside of training and of others.',
    headings: ['device model', 'identification', 'of', 'slope<small>a second</small>', 'steps of 1',
      'steps', 'vetoed<small>own hours</small>', 'vetoed<small>others</small>'],
    rows: signatures.map((row) => [breakName(row.deviceModel), escapeText(sayClass(row.idClass)), row.basis,
      formatSlope(row), formatPercent(row.nextShare ?? Number.NaN), formatCount(row.steps), shareOf(row.ownVetoed),
      shareOf(row.othersVetoed)]),
    textColumns: [1, 2],
  });
  return `${sentence}\n<div class="names">${byClass}</div>\n` +
    `<details><summary>Every device model</summary>\n${detail}\n</details>`;
}

function sayRange(values: readonly number[]): string {
  const finite = values.filter(Number.isFinite);
  if (finite.length === 0) return unknownText;
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  return low === high ? formatNumber(low) : `${formatNumber(low)}–${formatNumber(high)}`;
}

function formatSlope({ slope, slopeQuartiles }: SignatureRow): string {
  if (slope === null) return unknownText;
  return slopeQuartiles === null ? formatNumber(slope)
    : `${formatNumber(slope)}<small>${slopeQuartiles.map(formatNumber).join('–')}</small>`;
}

/** What methods must see, and what that tells of people, from the least to the most. */
export function formatSights({ methods }: CompareReport): string {
  const rows = sights.flatMap((sight) => [...Map.groupBy(methods.filter(({ sees }) => sees === sight),
    ({ privacy }) => privacy)].map(([privacy, of]) => [escapeText(sight), escapeText(privacy),
    of.map(({ name }) => breakHyphens(name)).join(', ')]));
  return `<div class="names">${formatTable({
    caption: 'What whoever runs a method must see of a home, and what that tells of the people in it beyond the ' +
      'verdict.',
    headings: ['must see', 'what it tells of people', 'methods'], rows, textColumns: [1, 2],
  })}</div>`;
}
