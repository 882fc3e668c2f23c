/** Tables of `natlens lab homes`: methods, device models, promises, base rates, groups. */
import { looseFpr } from '../homes/count-looks.ts';
import type { HomesReport, HomesResult } from '../homes/homes-report.ts';
import {
  breakName, countOf, escapeText, formatCount, formatNumber, formatNumberShare, formatShare, formatTable, unknownText,
} from './markup.ts';

const minutesOf = (results: readonly HomesResult[]): number[] =>
  [...new Set(results.map(({ windowMinutes }) => windowMinutes))].sort((a, b) => a - b);

function sayMinutes(minutes: number): string {
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${minutes} min`;
}

function meanOf(results: readonly HomesResult[], read: (result: HomesResult) => number): number {
  return results.reduce((sum, result) => sum + read(result), 0) / results.length;
}

/** Means over device models. */
export function formatMethods({ methods, results, overall, settings }: HomesReport): string {
  const minutes = minutesOf(results);
  const rows = methods.map(({ name }) => {
    const ofMethod = results.filter(({ method }) => method === name);
    const at = (time: number): HomesResult[] => ofMethod.filter(({ windowMinutes }) => windowMinutes === time);
    const day = at(minutes.at(-1) ?? 0);
    const worst = day.reduce((most, result) => Math.max(most, result.measuredFpr), 0);
    const all = overall.find(({ method }) => method === name);
    return [escapeText(name), formatPromise(day[0]), formatShare(all?.measuredFpr ?? Number.NaN),
      formatNumberShare(all?.fprUpper95 ?? Number.NaN), formatShare(worst), formatCount(all?.nullHomes),
      ...minutes.map((time) => formatShare(meanOf(at(time), ({ tpr }) => tpr))),
      ...minutes.map((time) => formatShare(meanOf(at(time), ({ tprAtFixedFpr }) => tprAtFixedFpr)))];
  });
  return formatTable({
    caption: `FPR: all device models together. TPR: means over them, as each method decides; then with the score that ` +
      `${formatShare(settings.fixedFpr)} of the null home-days reach.`,
    headings: ['method', 'promised FPR<small>a home-day</small>', 'FPR<small>all</small>',
      'FPR<small>95 % bound</small>', 'FPR<small>worst</small>', 'null home-days',
      ...minutes.map((time) => `TPR<small>${sayMinutes(time)}</small>`),
      ...minutes.map((time) => `TPR<small>${sayMinutes(time)}, FPR ${formatShare(settings.fixedFpr)}</small>`)],
    rows,
  });
}

function formatPromise(result: HomesResult | undefined): string {
  const promised = result?.promisedFpr ?? undefined;
  return promised === undefined ? unknownText : formatNumberShare(promised);
}

/** The device model that each of our methods does worst on. */
export function nameWorst({ methods, results }: HomesReport): string {
  const items = methods.map(({ name }) => {
    const hour = results.filter(({ method, windowMinutes }) => method === name && windowMinutes === 60);
    const [missed] = hour.toSorted((a, b) => a.tpr - b.tpr);
    const [alarmed] = hour.toSorted((a, b) => b.measuredFpr - a.measuredFpr);
    if (missed === undefined || alarmed === undefined) return '';
    return `<li><strong>${escapeText(name)}</strong>: found least within an hour: ${breakName(missed.deviceModel)} ` +
      `(TPR ${formatShare(missed.tpr)}); most false alarms: ${alarmed.measuredFpr === 0 ? 'none'
        : `${breakName(alarmed.deviceModel)} (FPR ${formatShare(alarmed.measuredFpr)})`}</li>`;
  });
  return `<p>The worst device model of each method:</p>\n<ul>\n${items.join('\n')}\n</ul>`;
}

/** Every device model of every method. */
export function formatModels({ methods, results, deviceModels }: HomesReport): string {
  const minutes = minutesOf(results);
  return methods.map(({ name, meaning }) => {
    const ofMethod = results.filter(({ method }) => method === name);
    const rows = deviceModels.map(({ deviceModel, flowsPerHour }) => {
      const ofModel = ofMethod.filter((result) => result.deviceModel === deviceModel);
      const [first] = ofModel;
      return [breakName(deviceModel), formatNumber(flowsPerHour), first === undefined ? unknownText
        : formatShare(first.measuredFpr), first === undefined ? unknownText : formatShare(first.fprUpper95),
      formatCount(first?.nullHomes), ...minutes.map((time) =>
        formatShare(ofModel.find(({ windowMinutes }) => windowMinutes === time)?.tpr ?? Number.NaN)),
      formatCount(first?.positiveHomes), escapeText(first?.verdict ?? unknownText)];
    });
    const isOpen = name.startsWith('evidence') ? ' open' : '';
    return `<details${isOpen}><summary>${escapeText(name)}</summary>\n${formatTable({
      caption: escapeText(meaning),
      headings: ['device model', 'flows<small>an hour</small>', 'FPR', 'FPR<small>95 % bound</small>', 'null home-days',
        ...minutes.map((time) => `TPR<small>${sayMinutes(time)}</small>`), 'homes with it', 'says'],
      rows, textColumns: [6 + minutes.length],
    })}\n</details>`;
  }).join('\n');
}

/** Is what was promised kept? */
export function formatPromises({ results, library, settings }: HomesReport): string {
  const promised = results.filter(({ promisedFpr, windowMinutes }) => promisedFpr !== null && windowMinutes === 60);
  const rows = promised.map((result) => [
    breakName(result.deviceModel), escapeText(result.method), formatNumberShare(result.promisedFpr ?? Number.NaN),
    formatShare(result.measuredFpr), `${result.seedsWithinPromise} of ${result.seeds}`,
    escapeText(Object.entries(result.unfit).map(([reason, seeds]) => `${reason}: ${countOf(seeds, 'seed')}`)
      .join('; ') || unknownText),
  ]);
  const limit = 3 * settings.falseAlarmsPerMonth / 30;
  const halves = library.filter(({ libraryShare }) => libraryShare < settings.libraryShare).map((point) => {
    const kept = point.measuredFpr <= limit ? 'stays within three times what is promised'
      : 'exceeds three times what is promised';
    return `<li>${escapeText(point.method)} with ${formatNumber(point.libraryUnits)} units: FPR ` +
      `${formatShare(point.measuredFpr)} (at most ${formatShare(point.fprUpper95)}), which ${kept}; it abstains in ` +
      `${formatShare(point.abstains)} of the trials.</li>`;
  });
  return `${formatTable({
    caption: 'Seeds within the promise: those whose false alarms would be no surprise (one in twenty) if it were kept ' +
      'just so. Why it would say nothing, with the number of seeds.',
    headings: ['device model', 'method', 'promised FPR<small>a home-day</small>', 'measured FPR', 'seeds within',
      'says nothing'],
    rows, textColumns: [1, 5],
  })}\n<p>With a part of the library:</p>\n<ul>\n${halves.join('\n')}\n</ul>`;
}

/** Do more looks raise the false alarms? */
export function formatLooks({ looks }: HomesReport): string {
  const rows = [...Map.groupBy(looks, ({ method, calibratedOn, promisedFpr }) =>
    JSON.stringify([method, calibratedOn, promisedFpr])).values()].flatMap((points) => {
    const [often, seldom] = points.toSorted((a, b) => a.lookMinutes - b.lookMinutes);
    if (often === undefined || seldom === undefined) return [];
    return [[escapeText(often.method), escapeText(often.calibratedOn), formatNumberShare(often.promisedFpr),
      formatNumberShare(seldom.measuredFpr), formatNumberShare(often.measuredFpr), formatNumberShare(often.fprUpper95),
      formatCount(often.nullHomes)]];
  });
  return formatTable({
    caption: 'Share of the null home-days that are found with a look at the end of every hour, and with one at the ' +
      'end of every minute. A threshold of home-days is that of the strongest window of a day, however many looks ' +
      'there are. For contrast one of single windows: it promises for one look, and a day has many. Promises of ' +
      `${formatShare(looseFpr)} are there so that there is something to count: homes of the same units set their ` +
      'thresholds.',
    headings: ['method', 'threshold of', 'promised', 'FPR<small>looks every hour</small>',
      'FPR<small>every minute</small>', '95 % bound<small>every minute</small>', 'null home-days'],
    rows, textColumns: [1],
  });
}

export function formatBaseRates({ baseRates }: HomesReport): string {
  const rows = baseRates.map(({ method, ownership, rightAlarms, falseAlarms, falseAlarmsUpper }) => {
    const all = rightAlarms + falseAlarms;
    return [escapeText(method), formatShare(ownership), formatCount(rightAlarms), formatCount(falseAlarms),
      formatCount(falseAlarmsUpper), all > 0 ? formatShare(rightAlarms / all) : unknownText];
  });
  return formatTable({
    caption: 'Alarms of the first day among a million homes, for one device model, by the share of homes that own it: ' +
      'means over device models.',
    headings: ['method', 'ownership', 'right alarms', 'false alarms', 'false alarms<small>95 % bound</small>',
      'alarms that are right'],
    rows,
  });
}

/** Device models that are named together, in how many seeds. */
export function formatGroups({ trials, results, settings }: HomesReport): string {
  const rows = [...Map.groupBy(trials.filter(({ libraryShare }) => libraryShare === settings.libraryShare)
    .flatMap(({ deviceModel, methods }) => methods.map((outcome) => ({ deviceModel, ...outcome }))),
  ({ deviceModel, method }) => `${method}\n${deviceModel}`).values()].flatMap((seeds) => {
    const [first] = seeds;
    if (first === undefined || seeds.every(({ group }) => group.length === 0)) return [];
    const names = [...new Set(seeds.flatMap(({ group }) => group))].filter((name) => name !== first.deviceModel).sort();
    const homes = seeds.reduce((sum, { groupHomes }) => sum + groupHomes, 0);
    const found = seeds.reduce((sum, { groupFound }) => sum + groupFound, 0);
    const common = results.find(({ method, deviceModel }) =>
      method === first.method && deviceModel === first.deviceModel);
    const seedsWith = (name: string): number => seeds.filter(({ group }) => group.includes(name)).length;
    return [[breakName(first.deviceModel), escapeText(first.method), names.map((name) =>
      `${breakName(name)} (${seedsWith(name)} of ${countOf(seeds.length, 'seed')})`).join('<br>'),
    escapeText(common?.verdict ?? unknownText), formatCount(homes), formatCount(found)]];
  });
  if (rows.length === 0) return '<p>Every device model is told from all others that were known.</p>';
  return formatTable({
    caption: 'Device models that are not told apart: a verdict names all of them. Homes with another of the group are no ' +
      'null homes; in how many of them it is found.',
    headings: ['device model', 'method', 'together with', 'says', 'homes with another', 'found in'],
    rows, textColumns: [1, 2, 3],
  });
}
