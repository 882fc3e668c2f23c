/**
 * A made-up graph of device models and names in the shape of a lab's: makers with a few device models each, names that
 * one alone asks for, a maker's own, third parties', and those of people's sites. No number in it was measured.
 */
import { Random } from '#base';
import type { NameKind } from '../../src/lab/baseline/name-kinds.ts';
import type { GraphInput } from '../../src/lab/report/graph-data.ts';

export type GraphSampleOptions = {
  readonly models?: number;
  readonly names?: number;
  readonly seed?: number;
};

const types = ['webcam', 'socket', 'light', 'hub', 'speaker', 'lock', 'thermostat', 'doorbell', 'vacuum', 'tv'];
const makers = ['Example', 'Sample_Works', 'Bright', 'Nordlys', 'Acme_Home', 'Quokka', 'Zephyr', 'Pine_Labs'];
const hosts = ['api', 'mqtt-eu', 'time', 'ota', 'p2p-relay', 'logs', 'device-registration.eu-west-1', 'stun', 'push'];

/** A graph, the same for the same options; every name is asked for, every device model asks. */
export function makeGraphSample({ models: modelCount = 30, names: nameCount = 400, seed = 9 }: GraphSampleOptions = {}):
GraphInput {
  const random = new Random(seed);
  const models = Array.from({ length: modelCount }, (_, i) => ({
    name: `${types[i % types.length]}.${makers[i % makers.length]}.${['SP', 'DCS', 'HS', 'IPC'][i % 4]}_${100 + 7 * i}`,
  }));
  const names: { name: string; kind: NameKind; isShared: boolean }[] = [];
  const asks: { model: string; name: string; queries: number }[] = [];
  const add = (name: string, kind: NameKind, asking: readonly number[], isShared: boolean): void => {
    if (names.length >= nameCount) return;
    names.push({ name, kind, isShared });
    for (const model of asking) {
      asks.push({ model: models[model]?.name ?? '', name, queries: 1 + Math.floor(random.exponential(200)) });
    }
  };
  for (let i = 0; names.length < nameCount; i++) {
    const model = i < modelCount ? i : Math.floor(modelCount * random.uniform() ** 1.6);
    const maker = makers[model % makers.length]?.toLowerCase().replace('_', '-');
    const siblings = models.flatMap((_, other) => other % makers.length === model % makers.length ? [other] : []);
    const many = models.flatMap((_, other) => random.chance(0.05 + 0.3 * random.uniform() ** 4) ? [other] : []);
    const draw = random.uniform();
    const host = `${random.pick(hosts)}${i}`;
    // Four device models of the sample have no name of their own.
    if (draw < 0.45 && model % 8 !== 3) add(`${host}.${maker}-iot.example.com`, 'device-facing', [model], false);
    else if (draw < 0.6) add(`${host}.${maker}.example.net`, 'device-facing', siblings, siblings.length > 1);
    else if (draw < 0.85) {
      add(`${host}.pool-cdn.example.org`, 'third-party', many.length > 0 ? many : [model], random.chance(0.5));
    } else {
      add(`www.site-${i}.example`, 'human-facing', many.length > 1 && random.chance(0.6) ? many : [model], true);
    }
  }
  return { dataset: { name: 'sample graph', isSimulated: true }, models, names, asks };
}
