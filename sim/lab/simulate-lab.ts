/**
 * The simulated lab: the paper's setting (Meidan et al. 2019, §6) with device models, units and days of one's choice,
 * as seen on the inner side of its router. One seed, one lab: the same options give the same frames, and a further
 * device at the end of the list does not disturb the others.
 */
import { assertInvariant, OperatorError, Random } from '#base';
import { seconds, type DeviceTruth } from '../device-world.ts';
import { createDeviceWorld, defaultStartMicroseconds, type SimulatedPacket } from '../home.ts';
import { WorldClock, type Process } from '../world-clock.ts';
import { fetchByHttp, startActivities, type Activity } from './activities.ts';
import { LabCalendar } from './calendar.ts';
import { changeFirmware, iotPlans, type DevicePlan } from './device-plans.ts';
import { hostPlans } from './host-plans.ts';
import { LeasePool, startOn, takeLease, type LeasedHost, type Unit, type UnitEvents } from './unit.ts';

/** All device models of the lab, IoT first. */
export const labDeviceModels: readonly string[] = [...iotPlans, ...hostPlans].map(({ profile }) => profile.deviceModel);

const plans = new Map([...iotPlans, ...hostPlans].map((plan) => [plan.profile.deviceModel, plan]));

export type FirmwareChange = {
  readonly deviceModel: string;
  /** Days after the beginning; its units follow within a few hours of the lab. */
  readonly day: number;
};

export type LabOptions = {
  /** Any integer; the low 32 bits count. */
  readonly seed: number;
  readonly days: number;
  /** Length of a day of the lab, in days: 0.1 makes days of 2.4 hours. 0.001 … 1. */
  readonly scale: number;
  /** One unit each, in this order; a device model may come several times. Default: `labUnits(2)`. */
  readonly units?: readonly string[];
  readonly firmwareChanges?: readonly FirmwareChange[];
};

export type LabDevice = DeviceTruth & { readonly kind: 'iot' | 'non-iot'; readonly events: Readonly<UnitEvents> };

/** Frames on the inner side in the order of their time, made as they are asked for, once. */
export type SimulatedLab = Iterable<SimulatedPacket> & {
  /** Counts what was made so far. */
  readonly devices: readonly LabDevice[];
  readonly startMicroseconds: number;
  readonly durationS: number;
};

/** Where a lab ends, in days of 24 hours: worlds that are longer are better made of several seeds. */
const realDaysMax = 40;
const rebootsPerDay = 0.25;
/** Last bytes of addresses that are given out after the first ones. */
const leaseRange = { low: 130, high: 250 };
const hostNumberFirst = 20;
/** First addresses lie before the range of later ones. */
const unitsMax = 100;
/** Longer than any unit is down. */
const downS = 120;
const firmwareImageBytes = 600_000;

/** The units of the paper's lab: each IoT device model so many times, each host once. */
export function labUnits(unitsPerModel: number): readonly string[] {
  const names = (all: readonly DevicePlan[]): string[] => all.map(({ profile }) => profile.deviceModel);
  return [...names(iotPlans).flatMap((name) => Array.from({ length: unitsPerModel }, () => name)), ...names(hostPlans)];
}

/**
 * A lab and its traffic.
 *
 * @throws OperatorError  a device model that the lab does not have, or a number out of range
 */
export function simulateLab(options: LabOptions): SimulatedLab {
  const { seed, days, scale, units: names = labUnits(2), firmwareChanges = [] } = options;
  checkOptions(options, names);
  const startMicroseconds = defaultStartMicroseconds;
  const clock = new WorldClock(startMicroseconds);
  const calendar = new LabCalendar(startMicroseconds, scale);
  const leases = new LeasePool(names.map((_, i) => hostNumberFirst + i), leaseRange);
  const made: SimulatedPacket[] = [];
  const devices = names.map((deviceModel, index) => {
    const plan = plans.get(deviceModel) as DevicePlan;
    const number = names.slice(0, index + 1).filter((other) => other === deviceModel).length;
    const random = new Random((seed + index * 0x9e3779b1) ^ 0x1ab);
    const unit = createUnit(plan, { name: `${deviceModel}-${number}`, index, random, clock, calendar, leases, made });
    const change = firmwareChanges.find((wanted) => wanted.deviceModel === deviceModel);
    startUnit(unit, plan, change);
    return Object.assign(unit.world.truth, { kind: plan.kind, events: unit.events });
  });
  const durationS = days * scale * 86_400;
  const endMicroseconds = startMicroseconds + Math.round(durationS * 1e6);
  let isStarted = false;
  return {
    devices, startMicroseconds, durationS,
    *[Symbol.iterator]() {
      assertInvariant(!isStarted, 'a simulated lab can be walked through once');
      isStarted = true;
      while (clock.step(endMicroseconds)) {
        for (let i = 0; i < made.length; i++) yield made[i] as SimulatedPacket;
        made.length = 0;
      }
    },
  };
}

function checkOptions({ days, scale, firmwareChanges = [] }: LabOptions, names: readonly string[]): void {
  const complain = (text: string): never => {
    throw new OperatorError('bad-option', text);
  };
  if (!(scale >= 0.001 && scale <= 1)) complain('the scale of a lab is a number from 0.001 to 1');
  if (!(days > 0 && days * scale <= realDaysMax)) complain(`a lab has more than 0 and at most ${realDaysMax} days`);
  if (names.length === 0 || names.length > unitsMax) {
    complain(`a lab has from 1 to ${unitsMax} units`);
  }
  const changed = firmwareChanges.map(({ deviceModel }) => deviceModel);
  const unknown = [...names, ...changed].find((name) => !plans.has(name));
  if (unknown !== undefined) complain(`the lab has no ${unknown}; it has ${labDeviceModels.join(', ')}`);
  const host = changed.find((name) => plans.get(name)?.kind === 'non-iot');
  if (host !== undefined) complain(`${host} is no IoT device: firmware changes are of those`);
}

function createUnit(
  plan: DevicePlan,
  spec: { name: string; index: number; random: Random; clock: WorldClock; calendar: LabCalendar; leases: LeasePool;
    made: SimulatedPacket[] },
): Unit {
  const { name, clock, calendar, leases, made } = spec;
  const created = createDeviceWorld({
    ...spec, profile: plan.profile, servers: 'lab',
    emit: (frame) => {
      made.push({ timeMicroseconds: clock.nowMicroseconds, frame, deviceName: name });
    },
  });
  const host: LeasedHost = { ...created.device };
  const resolver = plan.resolver === undefined ? undefined : created.servers.find(plan.resolver)[0];
  const fromMs = Math.floor(clock.nowMicroseconds / 1000);
  return {
    world: { ...created, device: host, resolver }, host, calendar, leases,
    usage: Math.exp(created.random.normal(0, 0.25)),
    events: {
      reboots: 0, retryStorms: 0, videos: 0, firmwareChecks: 0, firmware: 1,
      leases: [{ fromMs, ipv4: created.truth.ipv4 }],
    },
    epoch: 0, isUp: true,
  };
}

/** Starts a unit. Hosts stay up; IoT devices are cut off now and then, and get new firmware on demand. */
function startUnit(unit: Unit, plan: DevicePlan, change: FirmwareChange | undefined): void {
  const { clock, random } = unit.world;
  startActivities(unit, plan.activities, plan.agent);
  if (plan.kind === 'non-iot') return;
  clock.start(rebootNowAndThen(unit, plan));
  if (change !== undefined) {
    const { dayMicroseconds } = unit.calendar;
    clock.start(updateFirmware(unit, plan), (change.day + random.uniform() * 0.15) * dayMicroseconds);
  }
}

function* rebootNowAndThen(unit: Unit, plan: DevicePlan): Process {
  for (;;) {
    yield unit.world.random.exponential(unit.calendar.dayMicroseconds / rebootsPerDay);
    yield* reboot(unit, plan);
  }
}

/** Everything ends; a while later the unit asks for an address and begins anew, with nothing remembered. */
function* reboot(unit: Unit, plan: DevicePlan): Process {
  const { world, events } = unit;
  const epoch = ++unit.epoch;
  unit.isUp = false;
  events.reboots++;
  yield seconds(world.random.integer(15, 70));
  // A firmware change may have come in between; it starts the unit itself.
  if (unit.epoch !== epoch) return;
  world.cachedUntil.clear();
  startOn(unit, begin(unit, plan));
}

function* begin(unit: Unit, plan: DevicePlan): Process {
  yield* takeLease(unit);
  unit.isUp = true;
  const activities: readonly Activity[] = unit.events.firmware === 1 ? plan.activities
    : changeFirmware(plan.activities);
  startActivities(unit, activities, plan.agent);
}

/** A download that is tried again when the unit was cut off meanwhile; then a restart with what it brought. */
function* updateFirmware(unit: Unit, plan: DevicePlan): Process {
  const check = plan.activities.find((activity) => activity.does === 'firmwareCheck');
  assertInvariant(check !== undefined, 'a device that gets new firmware looks for it');
  const image = { name: check.name, port: 80, requestBytes: [60, 90] as const,
    responseBytesMedian: firmwareImageBytes };
  for (let isDone = false; !isDone;) {
    while (!unit.isUp) yield seconds(downS);
    const { epoch } = unit;
    const download = fetchByHttp(unit, image, plan.agent);
    for (let step = download.next(); unit.epoch === epoch && !isDone; step = download.next()) {
      isDone = step.done === true;
      if (step.done !== true) yield step.value;
    }
  }
  unit.events.firmware = 2;
  yield* reboot(unit, plan);
}
