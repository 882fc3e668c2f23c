/**
 * The calendar of a simulated lab: days that may be shorter than 24 hours, so that ten of them fit into a test, and how
 * active people are in their hours. Only what is bound to days is compressed; heartbeats and exchanges keep their pace.
 */
const microsecondsPerDay = 86_400e6;

/** How active people are at each full hour, 0 … 1; asleep from 1 to 6. Between hours it is interpolated. */
const weekday: readonly number[] = [
  0.15, 0.05, 0.02, 0.02, 0.02, 0.05, 0.3, 0.7, 0.6, 0.3, 0.25, 0.25,
  0.35, 0.3, 0.25, 0.3, 0.45, 0.65, 0.85, 1, 1, 0.95, 0.7, 0.35,
];
const weekend: readonly number[] = [
  0.35, 0.2, 0.08, 0.03, 0.02, 0.02, 0.05, 0.2, 0.45, 0.7, 0.8, 0.75,
  0.7, 0.65, 0.65, 0.7, 0.75, 0.8, 0.9, 1, 1, 0.95, 0.8, 0.55,
];

export class LabCalendar {
  readonly startMicroseconds: number;
  readonly dayMicroseconds: number;

  /**
   * @param startMicroseconds  midnight before a Monday
   * @param scale              length of a day of the lab, in days
   */
  constructor(startMicroseconds: number, scale: number) {
    this.startMicroseconds = startMicroseconds;
    this.dayMicroseconds = microsecondsPerDay * scale;
  }

  /** Days since the beginning, with their fraction. */
  dayOf(timeMicroseconds: number): number {
    return (timeMicroseconds - this.startMicroseconds) / this.dayMicroseconds;
  }

  /** Hour of the day, 0 … 24, with its fraction. */
  hourOf(timeMicroseconds: number): number {
    const day = this.dayOf(timeMicroseconds);
    return (day - Math.floor(day)) * 24;
  }

  isWeekend(timeMicroseconds: number): boolean {
    return Math.floor(this.dayOf(timeMicroseconds)) % 7 >= 5;
  }

  /** How active people are, 0 … 1. */
  activityAt(timeMicroseconds: number): number {
    const hours = this.isWeekend(timeMicroseconds) ? weekend : weekday;
    const hour = this.hourOf(timeMicroseconds);
    const before = hours[Math.floor(hour) % 24] as number;
    const after = hours[(Math.floor(hour) + 1) % 24] as number;
    return before + (after - before) * (hour - Math.floor(hour));
  }
}
