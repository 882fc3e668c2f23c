/**
 * A classifier with an isolation forest as a model in ONNX (onnx.proto of IR version 8, operator sets ai.onnx 15 and
 * ai.onnx.ml 3), for runtimes that are not ours. In: float32 rows of the one-hot form. Out: anomaly scores, float32.
 * The leaves of a tree ensemble hold path lengths, whose sum then goes through 2^(−sum / usual length).
 *
 * Differences from our own scores: path lengths are added as float32, which moves a score by less than 1e-6; and the
 * rule about new categories of stable features is not in the model, as the one-hot form cannot tell a new category from
 * none.
 */
import { oneHotColumnCount } from '#feature';
import { averagePathLength, leafColumn, percentileMax, type Classifier, type FittedForest } from '#score';
import { ProtobufWriter } from './protobuf.ts';

const irVersion = 8;
const operatorSets = [['', 15], ['ai.onnx.ml', 3]] as const;

/** Fields of onnx.proto's messages. */
const model = { irVersion: 1, producerName: 2, graph: 7, operatorSet: 8, metadata: 14 } as const;
const graph = { node: 1, name: 2, initializer: 5, input: 11, output: 12 } as const;
const node = { input: 1, output: 2, name: 3, operator: 4, attribute: 5, domain: 7 } as const;
const attribute = { name: 1, int: 3, text: 4, floats: 7, ints: 8, texts: 9, type: 20 } as const;
const tensor = { dims: 1, dataType: 2, name: 8, rawData: 9 } as const;
const attributeType = { int: 2, text: 3, floats: 6, ints: 7, texts: 8 } as const;
const elementFloat = 1;

/** Trees as ai.onnx.ml's TreeEnsembleRegressor takes them: one list for each property. */
type Ensemble = {
  readonly treeIds: number[];
  readonly nodeIds: number[];
  readonly columns: number[];
  readonly modes: string[];
  readonly values: number[];
  readonly trueIds: number[];
  readonly falseIds: number[];
  readonly leafTrees: number[];
  readonly leafNodes: number[];
  readonly leafLengths: number[];
};

/**
 * The model's bytes; always the same for the same classifier.
 *
 * @returns one sentence when the classifier is not a forest, which alone ONNX has operators for
 */
export function exportOnnx(classifier: Classifier): Uint8Array<ArrayBuffer> | string {
  const { detector, deviceModel } = classifier;
  if (detector.algorithm !== 'isolation-forest') {
    return `ONNX can hold an isolation forest; this classifier is of ${detector.algorithm}.`;
  }
  const forest = detector as FittedForest;
  const writer = new ProtobufWriter().uint(model.irVersion, irVersion).text(model.producerName, 'natlens');
  writer.message(model.graph, (out) => writeGraph(out, forest, deviceModel));
  for (const [domain, version] of operatorSets) {
    writer.message(model.operatorSet, (set) => set.text(1, domain).uint(2, version));
  }
  for (const [key, value] of describe(classifier)) {
    writer.message(model.metadata, (entry) => entry.text(1, key).text(2, value));
  }
  return writer.bytes();
}

function describe({ deviceModel, encoder, thresholds, stableFeatures }: Classifier): [string, string][] {
  const percentiles = Array.from({ length: percentileMax + 1 }, (_, p): [string, string] =>
    [`threshold.p${p}`, String(thresholds.byPercentile[p])]);
  return [
    ['deviceModel', deviceModel], ['catalog', `${encoder.catalog} ${encoder.catalogVersion}`],
    ['stableFeatures', stableFeatures.join(' ')], ['threshold.default', String(thresholds.default)], ...percentiles,
  ];
}

function writeGraph(out: ProtobufWriter, forest: FittedForest, name: string): void {
  const trees = forest.treeStart.length - 1;
  const usual = trees * averagePathLength(forest.maxSamples);
  out.message(graph.node, (ensemble) => writeEnsemble(ensemble, forest));
  // Trees of one row have no usual length: every path is 0 then, and every score 2^-1 (scikit-learn 1.2.1).
  if (usual === 0) {
    writeNode(out, 'Mul', ['pathSum', 'zero'], 'nothing');
    writeNode(out, 'Sub', ['nothing', 'one'], 'exponent');
  } else writeNode(out, 'Div', ['pathSum', 'usualSum'], 'exponent');
  writeNode(out, 'Pow', ['two', 'exponent'], 'anomalyScore');
  out.text(graph.name, name);
  for (const [constant, value] of [['two', 2], ['one', 1], ['zero', 0], ['usualSum', -usual || -1]] as const) {
    out.message(graph.initializer, (tensorOut) => {
      const raw = new Uint8Array(4);
      new DataView(raw.buffer).setFloat32(0, value, true);
      tensorOut.uints(tensor.dims, []).uint(tensor.dataType, elementFloat).text(tensor.name, constant)
        .raw(tensor.rawData, raw);
    });
  }
  out.message(graph.input, (input) => writeValue(input, 'rows', oneHotColumnCount(forest.layout)));
  out.message(graph.output, (output) => writeValue(output, 'anomalyScore', 1));
}

/** A matrix of float32 with any number of rows. */
function writeValue(out: ProtobufWriter, name: string, columns: number): void {
  out.text(1, name).message(2, (type) => type.message(1, (tensorType) => tensorType.uint(1, elementFloat)
    .message(2, (shape) => shape
      .message(1, (dimension) => dimension.text(2, 'rowCount'))
      .message(1, (dimension) => dimension.uint(1, columns)))));
}

function writeNode(out: ProtobufWriter, operator: string, inputs: readonly string[], output: string): void {
  out.message(graph.node, (nodeOut) => {
    for (const input of inputs) nodeOut.text(node.input, input);
    nodeOut.text(node.output, output).text(node.name, output).text(node.operator, operator);
  });
}

function writeEnsemble(out: ProtobufWriter, forest: FittedForest): void {
  const trees = listNodes(forest);
  out.text(node.input, 'rows').text(node.output, 'pathSum').text(node.name, 'forest')
    .text(node.operator, 'TreeEnsembleRegressor');
  const ints = (name: string, values: readonly number[]): void => void out.message(node.attribute, (entry) =>
    entry.text(attribute.name, name).uints(attribute.ints, values).uint(attribute.type, attributeType.ints));
  const floats = (name: string, values: readonly number[]): void => void out.message(node.attribute, (entry) =>
    entry.text(attribute.name, name).floats(attribute.floats, values).uint(attribute.type, attributeType.floats));
  const text = (name: string, value: string): void => void out.message(node.attribute, (entry) =>
    entry.text(attribute.name, name).text(attribute.text, value).uint(attribute.type, attributeType.text));
  out.message(node.attribute, (entry) =>
    entry.text(attribute.name, 'n_targets').uint(attribute.int, 1).uint(attribute.type, attributeType.int));
  text('aggregate_function', 'SUM');
  text('post_transform', 'NONE');
  ints('nodes_treeids', trees.treeIds);
  ints('nodes_nodeids', trees.nodeIds);
  ints('nodes_featureids', trees.columns);
  ints('nodes_truenodeids', trees.trueIds);
  ints('nodes_falsenodeids', trees.falseIds);
  floats('nodes_values', trees.values);
  out.message(node.attribute, (entry) => {
    entry.text(attribute.name, 'nodes_modes');
    for (const mode of trees.modes) entry.text(attribute.texts, mode);
    entry.uint(attribute.type, attributeType.texts);
  });
  ints('target_treeids', trees.leafTrees);
  ints('target_nodeids', trees.leafNodes);
  ints('target_ids', trees.leafNodes.map(() => 0));
  floats('target_weights', trees.leafLengths);
  out.text(node.domain, 'ai.onnx.ml');
}

/** Nodes of all trees, numbered anew in each; a leaf's weight is the length of the path that ends there. */
function listNodes({ treeStart, column, threshold, right, samples }: FittedForest): Ensemble {
  const out: Ensemble = {
    treeIds: [], nodeIds: [], columns: [], modes: [], values: [], trueIds: [], falseIds: [],
    leafTrees: [], leafNodes: [], leafLengths: [],
  };
  const depths = new Uint16Array(column.length);
  for (let tree = 0; tree + 1 < treeStart.length; tree++) {
    const first = treeStart[tree] as number;
    const end = treeStart[tree + 1] as number;
    for (let at = first; at < end; at++) {
      const isLeaf = column[at] === leafColumn;
      const rightChild = right[at] as number;
      out.treeIds.push(tree);
      out.nodeIds.push(at - first);
      out.modes.push(isLeaf ? 'LEAF' : 'BRANCH_LEQ');
      out.columns.push(isLeaf ? 0 : column[at] as number);
      out.values.push(isLeaf ? 0 : threshold[at] as number);
      out.trueIds.push(isLeaf ? 0 : at + 1 - first);
      out.falseIds.push(isLeaf ? 0 : rightChild - first);
      const depth = depths[at] as number;
      if (isLeaf) {
        out.leafTrees.push(tree);
        out.leafNodes.push(at - first);
        out.leafLengths.push(depth + averagePathLength(samples[at] as number));
      } else {
        depths[at + 1] = depth + 1;
        depths[rightChild] = depth + 1;
      }
    }
  }
  return out;
}
