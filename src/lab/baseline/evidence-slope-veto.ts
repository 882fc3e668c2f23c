/**
 * Ours with a veto by packets, which Meidan et al. 2019 leave as future work (7.4): a flow that shows a token counts
 * only if the identifications of packets to its destination are not another kernel's than the device model's. What such
 * a veto is worth is measured at its best: here packets are known by device, where behind a NAT those of several hosts
 * to one destination are mixed.
 */
import { noToken } from '#evidence';
import type { LabUnit } from '../evaluate/lab-flows.ts';
import {
  learnServiceClasses, packetsByDestination, serviceOf, type PacketChoice, type ServiceClasses,
} from './destination-packets.ts';
import { fitTokens, learnOnce, listTokens, matchFlows, sumOfWeights } from './evidence.ts';
import type { LearnContext, VetoMethod } from './home-method.ts';
import { matchSignature } from './ipid-slope.ts';
import type { WorldTraces } from './world-traces.ts';

type VetoForm = Pick<VetoMethod, 'name' | 'meaning' | 'privacy'> & { readonly choice: PacketChoice };

export const evidenceSlopeVeto: VetoMethod = createMethod({
  name: 'evidence-slope-veto', choice: 'all',
  meaning: 'Evidence of flows whose packets to their destination do not come from another kernel than the device ' +
    'model\'s.',
  privacy: 'As evidence; and every packet is looked at, so that devices can be counted and followed.',
});

export const evidenceFirstVeto: VetoMethod = createMethod({
  name: 'evidence-first-veto', choice: 'first-of-flow',
  meaning: 'The same by the first packet of each flow alone, whose identification a flow record could carry.',
  privacy: 'As evidence; and one number a flow, by which devices can be counted and followed.',
});

function createMethod({ name, meaning, privacy, choice }: VetoForm): VetoMethod {
  return {
    name, meaning, privacy, source: 'natlens, after Meidan et al. 2019', sees: 'packet headers', namesGroups: true,
    isOurs: true, isCalibrated: true,
    learn: (context, windows, traces) => {
      const { fingerprint, accept } = learnOnce(context);
      const shown = listTokens(context.world, (batch) => matchFlows(fingerprint, batch, accept));
      const classes = learnClasses(context, traces, choice, shown);
      const tokensOf = (unit: LabUnit): Uint32Array =>
        dropVetoed(unit, traces, { choice, classes, tokens: shown(unit) });
      return fitTokens(context, sumOfWeights(fingerprint), windows, tokensOf);
    },
  };
}

function learnClasses(
  { ownUnits }: LearnContext, traces: WorldTraces, choice: PacketChoice, shown: (unit: LabUnit) => Uint32Array,
): ServiceClasses {
  return learnServiceClasses(ownUnits.map((unit) => {
    const tokens = shown(unit);
    return {
      unit, packets: packetsByDestination(traces.traceOf(unit, 'whole'), unit, choice),
      isShown: (row) => tokens[row] !== noToken,
    };
  }));
}

type Veto = { readonly choice: PacketChoice; readonly classes: ServiceClasses; readonly tokens: Uint32Array };

/** [row]: token, or `noToken` also where packets are another kernel's. */
function dropVetoed(unit: LabUnit, traces: WorldTraces, { choice, classes, tokens }: Veto): Uint32Array {
  const kept = tokens.slice();
  for (const [row, token] of tokens.entries()) {
    const idClass = token === noToken ? undefined : classes.get(serviceOf(unit, row));
    if (idClass === undefined) continue;
    const weights = packetsByDestination(traces.traceOf(unit, 'whole'), unit, choice).weightsOf(row);
    if (weights !== undefined && matchSignature({ idClass }, weights).outcome === 'vetoed') kept[row] = noToken;
  }
  return kept;
}
