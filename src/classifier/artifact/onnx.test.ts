/**
 * The exported model, read back by a reader of the wire format of its own and run by hand: its trees give our scores.
 * What onnxruntime makes of it is asked in test/system.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TrainingFlows, fitClassifier, type TrainedClassifier } from '#classifier/train';
import { expandOneHot, findCatalog, needsOf, oneHotColumnCount, type Catalog, type FlowNeeds } from '#feature';
import type { AlgorithmName } from '#score';
import { batchOf, madeByNatlens, makeFlows } from '../../../test/support/labelled-flows.ts';
import { exportOnnx } from './onnx.ts';
import { ProtobufWriter } from './protobuf.ts';

function train(algorithm: AlgorithmName): TrainedClassifier {
  const training = new TrainingFlows(findCatalog('natlens') as Catalog, { deviceModel: undefined });
  training.add(batchOf(makeFlows(300, 5)));
  return fitClassifier(training.split(), {
    deviceModel: 'webcam.Test.One', needs: needsOf(madeByNatlens) as FlowNeeds, algorithm, seed: 3,
    natlensVersion: '0.0.0',
  });
}

type Field = { readonly number: number; readonly value: number | Uint8Array };

/** Fields of a message, in order. */
function readFields(bytes: Uint8Array): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++] as number;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    if (tag % 8 === 0) fields.push({ number, value: varint() });
    else {
      assert.equal(tag % 8, 2, 'only varints and things with a length');
      const length = varint();
      fields.push({ number, value: bytes.subarray(at, at + length) });
      at += length;
    }
  }
  assert.equal(at, bytes.length);
  return fields;
}

const all = (fields: readonly Field[], number: number): Uint8Array[] =>
  fields.filter((field) => field.number === number).map(({ value }) => value as Uint8Array);
const textOf = (fields: readonly Field[], number: number): string => new TextDecoder().decode(all(fields, number)[0]);

function varintsIn(bytes: Uint8Array): number[] {
  const values: number[] = [];
  let value = 0;
  let scale = 1;
  for (const byte of bytes) {
    value += (byte & 127) * scale;
    scale *= 128;
    if (byte >= 128) continue;
    values.push(value);
    [value, scale] = [0, 1];
  }
  return values;
}

function floatsIn(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(i * 4, true));
}

test('the model is the forest', () => {
  const { classifier, validation } = train('isolation-forest');
  const bytes = exportOnnx(classifier);
  assert.ok(typeof bytes !== 'string');
  assert.deepEqual(exportOnnx(classifier), bytes);
  const graph = readFields(all(readFields(bytes), 7)[0] as Uint8Array);
  const nodes = all(graph, 1).map(readFields);
  assert.deepEqual(nodes.map((node) => textOf(node, 4)), ['TreeEnsembleRegressor', 'Div', 'Pow']);
  const attributes = new Map(all(nodes[0] as Field[], 5).map(readFields).map((field) => [textOf(field, 1), field]));
  const ints = (name: string): number[] => varintsIn(all(attributes.get(name) ?? [], 8)[0] as Uint8Array);
  const floats = (name: string): number[] => floatsIn(all(attributes.get(name) ?? [], 7)[0] as Uint8Array);
  const modes = all(attributes.get('nodes_modes') ?? [], 9).map((mode) => new TextDecoder().decode(mode));
  const [trees, ids, columns, values] =
    [ints('nodes_treeids'), ints('nodes_nodeids'), ints('nodes_featureids'), floats('nodes_values')];
  const [trues, falses] = [ints('nodes_truenodeids'), ints('nodes_falsenodeids')];
  assert.ok([ids, columns, values, trues, falses, modes].every(({ length }) => length === trees.length));
  const weights = new Map(floats('target_weights').map((weight, i) =>
    [`${ints('target_treeids')[i]} ${ints('target_nodeids')[i]}`, weight]));
  const nodeAt = new Map(trees.map((tree, i) => [`${tree} ${ids[i]}`, i]));
  const initializers = new Map(all(graph, 5).map(readFields).map((field) =>
    [textOf(field, 8), floatsIn(all(field, 9)[0] as Uint8Array)[0] as number]));
  const width = oneHotColumnCount(validation.rows.layout);
  const matrix = new Float32Array(validation.rows.rowCount * width);
  expandOneHot(validation.rows, matrix);
  for (let row = 0; row < validation.rows.rowCount; row++) {
    let sum = 0;
    for (let tree = 0; tree < 100; tree++) {
      let at = 0;
      for (;;) {
        const node = nodeAt.get(`${tree} ${at}`) as number;
        if (modes[node] === 'LEAF') break;
        assert.equal(modes[node], 'BRANCH_LEQ');
        const value = matrix[row * width + (columns[node] as number)] as number;
        at = (value <= (values[node] as number) ? trues[node] : falses[node]) as number;
      }
      sum = Math.fround(sum + (weights.get(`${tree} ${at}`) as number));
    }
    const score = 2 ** (sum / (initializers.get('usualSum') as number));
    assert.ok(Math.abs(score - (validation.scores[row] as number)) < 1e-6, `row ${row}`);
  }
});

test('other algorithms are refused with a sentence', () => {
  const { classifier } = train('local-outlier-factor');
  assert.match(exportOnnx(classifier) as string, /isolation forest.*local-outlier-factor/);
});

test('numbers, texts and lists on the wire', () => {
  const bytes = new ProtobufWriter().uint(1, 0).uint(2, 300).text(15, 'é').uints(16, [1, 128, 2 ** 40]).bytes();
  // 300 and the tag of field 16 are the examples of the encoding's own description.
  assert.deepEqual([...bytes.subarray(0, 5)], [0x08, 0, 0x10, 0xac, 0x02]);
  const fields = readFields(bytes);
  assert.deepEqual(fields.map(({ number }) => number), [1, 2, 15, 16]);
  assert.equal(textOf(fields, 15), 'é');
  assert.deepEqual(varintsIn(fields[3]?.value as Uint8Array), [1, 128, 2 ** 40]);
});
