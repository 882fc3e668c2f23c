/** Confusers are found, in order, with what they share and without what they do not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEncodedRows, createEncoderOf, createFeatureMatrix, findCatalog, readFeatures, type Catalog } from
  '#feature';
import { fitEncoder } from '#feature/fit';
import { createDictionaries, type FlowBatch } from '#flow';
import { batchOf, makeFlows, type MadeFlow } from '../../../test/support/labelled-flows.ts';
import { findConfusers } from './confusers.ts';

const paper = findCatalog('paper') as Catalog;
const dictionaries = createDictionaries();
const flowsOf = (count: number, seed: number, more: Partial<MadeFlow> = {}): FlowBatch =>
  batchOf(makeFlows(count, seed, more), dictionaries);

function trainOn(batch: FlowBatch): Pick<Parameters<typeof findConfusers>[0], 'encoder' | 'training'> {
  const matrix = createFeatureMatrix(paper, batch.rowCount);
  readFeatures(batch, matrix);
  const encoder = createEncoderOf(paper, fitEncoder(paper, [matrix]));
  const training = createEncodedRows(encoder.layout, batch.rowCount);
  encoder.encode(matrix, training);
  return { encoder, training };
}

/** Accepts the first so many flows. */
const unitOf = (deviceModel: string, batch: FlowBatch, accepted: number) => ({
  deviceModel, batches: [batch],
  isAccepted: Uint8Array.from({ length: batch.rowCount }, (_, i) => (i < accepted ? 1 : 0)),
});

const own = trainOn(flowsOf(500, 1, { port: 8_883, name: 'MQTT.Cloud' }));

test('shares are those of all flows of a device model, and small ones are left out', () => {
  const units = [
    unitOf('plug.A.1', flowsOf(100, 2), 30), unitOf('plug.A.1', flowsOf(100, 3), 0),
    unitOf('hub.B.1', flowsOf(100, 4), 90), unitOf('lamp.C.1', flowsOf(200, 5), 1), unitOf('tv.D.1', flowsOf(50, 6), 0),
  ];
  assert.deepEqual(findConfusers({ ...own, units }).map(({ deviceModel, share }) => [deviceModel, share]),
    [['hub.B.1', 0.9], ['plug.A.1', 0.15]]);
});

test('reasons name what accepted flows share, most telling first, and nothing else', () => {
  // Same name and port as M's flows, but larger than any of them.
  const sibling = unitOf('hub.B.1', flowsOf(100, 7, { port: 8_883, name: 'MQTT.Cloud', octets: 90_000 }), 100);
  // Makes the layer-7 name rarer than the protocol, which all share.
  const stranger = unitOf('tv.D.1', flowsOf(300, 8, { port: 443, name: 'TLS.Video' }), 0);
  const [confuser] = findConfusers({ ...own, units: [sibling, stranger] });
  const reasons = confuser?.because ?? [];
  assert.equal(confuser?.share, 1);
  assert.ok(reasons.some((reason) => reason.endsWith('MQTT.Cloud 100 %')), reasons.join('; '));
  assert.ok(reasons.every((reason) => !/octets|bytes/i.test(reason.split(' ')[0] as string)), reasons.join('; '));
  const place = (pattern: RegExp): number => reasons.findIndex((reason) => pattern.test(reason));
  assert.ok(place(/MQTT/) < (place(/^protocol/i) + 1 || Infinity), reasons.join('; '));
});

test('ranges of numbers are told in their own units', () => {
  const same = unitOf('hub.B.1', flowsOf(100, 9, { port: 8_883, name: 'MQTT.Cloud', octets: 700 }), 100);
  const other = unitOf('tv.D.1', flowsOf(900, 10, { port: 8_883, name: 'MQTT.Cloud', octets: 50_000 }), 0);
  const [confuser] = findConfusers({ ...own, units: [same, other] });
  assert.ok(confuser?.because.some((reason) => reason.endsWith(' 700')), confuser?.because.join('; '));
});
