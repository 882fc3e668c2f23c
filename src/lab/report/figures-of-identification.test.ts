/** Figures of identifications: every host and device model is drawn and said in words, and nothing of nobody. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeIdentifiedHome, type Numbering } from '../../../test/support/identified-homes.ts';
import type { DeviceTrace } from '../baseline/device-trace.ts';
import { gatherIncrements } from '../baseline/ipid-increments.ts';
import { learnSignature } from '../baseline/ipid-slope.ts';
import { composeSheet, type Panel } from './draw-panel.ts';
import { drawIdentifications, drawIncrements, type IdentifiedHost } from './figures-of-identification.ts';

const traceOf = (numbering: Numbering, seed: number): DeviceTrace => makeIdentifiedHome([{ numbering, seed }]);
const linux: Numbering = { kind: 'linux', ticksPerSecond: 250 };

function hostOf(label: string, trace: DeviceTrace): IdentifiedHost {
  const queries = [...trace.name.keys()].filter((i) => trace.name[i] !== 0);
  return {
    label, timeMs: Float64Array.from(queries, (i) => trace.timeMs[i] as number),
    ipId: Uint16Array.from(queries, (i) => trace.ipId[i] as number),
    slope: learnSignature([trace], { queriesOnly: true }).slope,
  };
}

const increments = (numbering: Numbering, seed: number): Float64Array =>
  gatherIncrements(traceOf(numbering, seed), { queriesOnly: true }).step;

test('steps of every device model are drawn and said, those that count first', () => {
  const figure = drawIncrements([
    { deviceModel: 'webcam.Test.<A>', step: increments(linux, 1) },
    { deviceModel: 'laptop.Test.B', step: increments({ kind: 'perDestination' }, 2) },
    { deviceModel: 'hub.Test.C', step: increments({ kind: 'zero' }, 3) },
    { deviceModel: 'plug.Test.Silent', step: new Float64Array(0) },
  ]);
  assert.ok(figure !== undefined);
  const { svg } = figure.panels[0] as Panel;
  assert.match(svg, /laptop\.Test\.B: median 1, nine in ten from 1 to 1, 100 % are 1, 0 % are 0, of \d+ steps/);
  assert.match(svg, /hub\.Test\.C: no step, 0 % are 1, 100 % are 0/);
  assert.match(svg, /always 0/);
  assert.match(svg, /webcam\.Test\.&lt;A&gt;/);
  assert.doesNotMatch(svg, /Silent|NaN|undefined|style=/);
  assert.ok(svg.indexOf('laptop.Test.B:') < svg.indexOf('webcam.Test.&lt;A&gt;:'));
  assert.equal(drawIncrements([]), undefined);
});

test('hosts that count and hosts that tick are drawn over time, each with its own mark', () => {
  const [counting, ticking, ...rest] = drawIdentifications({
    counting: [1, 2, 3, 4].map((seed) => hostOf(`phone ${seed}`, traceOf({ kind: 'perDestination' }, seed))),
    ticking: [hostOf('plug.Test.A', traceOf(linux, 5)),
      hostOf('webcam.Test.B', traceOf({ kind: 'linux', ticksPerSecond: 100 }, 6))],
  });
  assert.ok(counting !== undefined && ticking !== undefined);
  assert.equal(rest.length, 0);
  const [countingSvg, tickingSvg] = [counting, ticking].map(({ panels }) => (panels[0] as Panel).svg);
  assert.match(countingSvg as string, /phone 4: \d+ queries, 0\.1\d+ a second/);
  assert.match(tickingSvg as string, /plug\.Test\.A: \d+ queries, 1[1-4]\d a second/);
  assert.equal(new Set(tickingSvg?.match(/fill="var\(--s\d\)"/g)).size, 2);
  // Each of four hosts has hundreds of queries, and so many points at the most.
  assert.equal([...(countingSvg as string).matchAll(/, minute /g)].length, 1_600);
  assert.doesNotMatch(composeSheet(ticking, 'made'), /NaN|var\(/);
});

test('who is not there is not drawn', () => {
  assert.deepEqual(drawIdentifications({ counting: [], ticking: [] }), []);
  const nobody = { label: 'none', timeMs: new Float64Array(0), ipId: new Uint16Array(0) };
  assert.deepEqual(drawIdentifications({ counting: [nobody], ticking: [] }), []);
});
