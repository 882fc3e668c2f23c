/**
 * Scores the one-hot rows of a folder with onnxruntime-node. Arguments: folder, rows, columns, seconds. Prints JSON.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';

const [folder, rowsText, columnsText, secondsText] = process.argv.slice(2);
const [rows, columns, seconds] = [rowsText, columnsText, secondsText].map(Number);
const bytes = readFileSync(join(folder, 'rows.f32'));
const matrix = new Float32Array(bytes.buffer, bytes.byteOffset, rows * columns);
const session = await InferenceSession.create(join(folder, 'classifier.onnx'),
  { intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: 'sequential' });
const cpuSeconds = () => {
  const used = process.cpuUsage();
  return (used.user + used.system) / 1e6;
};
const feeds = { [session.inputNames[0]]: new Tensor('float32', matrix, [rows, columns]) };
let output;
for (const until = cpuSeconds() + seconds / 4; cpuSeconds() < until;) output = await session.run(feeds);
const start = cpuSeconds();
let turns = 0;
for (; cpuSeconds() < start + seconds; turns++) output = await session.run(feeds);
const turn = (cpuSeconds() - start) / turns;
const scores = output[session.outputNames[0]].data;
let sum = 0;
for (const score of scores) sum += Number(score);
process.stdout.write(`${JSON.stringify({ rowsPerSecond: rows / turn, mean: sum / rows })}\n`);
