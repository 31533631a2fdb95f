import type { Command } from '../../protocol/commands.js';
import { MAX_COMMANDS_A_TURN, MAX_COMMANDS_IN_FLIGHT } from '../limits.js';
import { Ration } from './turns.js';

/** A command that came in, with the text of its data. */
export interface Job {
  readonly command: Command;
  readonly dataText: string;
}

/** Lets the next command of the same channel begin before this one is answered. */
export type Release = () => void;

interface Owner {
  /** Carries out a command. Answers for its own faults and never rejects. */
  run(job: Job, release: Release): Promise<void>;
  /** True where answers find room. */
  readonly hasRoom: boolean;
  /** The inbox has become full, or no longer is. */
  regulate(): void;
  /** Of this turn of the event loop. */
  readonly turn: number;
  /** Runs at the end of this turn of the event loop. */
  defer(run: () => void): void;
}

/**
 * The commands of one session that wait or are under way. They begin in the order they came in; those of one
 * channel take their turns, so that an unsubscribe finds its subscribe done and publishes keep their order.
 * Those of different channels don't wait for each other. After a turn's worth of them other sessions come first,
 * however fast the store answers.
 */
export class Inbox {
  readonly #owner: Owner;
  readonly #waiting: Job[] = [];
  /** By channel, while a command of it is under way: those that stand in line behind it. */
  readonly #lanes = new Map<string, Job[]>();
  #inFlight = 0;
  readonly #ration = new Ration(MAX_COMMANDS_A_TURN);
  /** Answers that may be long are made one at a time, each when there is room: they can't pile up. */
  #isAnsweringLong = false;

  constructor(owner: Owner) {
    this.#owner = owner;
  }

  /** True where the next command would have to wait. */
  get isFull(): boolean {
    return this.#inFlight >= MAX_COMMANDS_IN_FLIGHT || this.#ration.isUsedUp;
  }

  add(job: Job): void {
    this.#waiting.push(job);
    this.pump();
  }

  /** Begins what may begin. */
  pump(): void {
    while (!this.isFull && this.#owner.hasRoom) {
      const job = this.#waiting[0];
      if (job === undefined || (this.#isAnsweringLong && isLong(job.command))) break;
      this.#waiting.shift();
      if (this.#ration.take(this.#owner.turn)) this.#owner.defer(() => this.#nextTurn());
      this.#begin(job);
    }
    this.#owner.regulate();
  }

  /** Forgets what has not begun. */
  clear(): void {
    this.#waiting.length = 0;
  }

  #nextTurn(): void {
    this.#ration.renew();
    this.pump();
  }

  #begin(job: Job): void {
    this.#inFlight++;
    if (isLong(job.command)) this.#isAnsweringLong = true;
    const lane = 'channel' in job.command ? job.command.channel : '';
    const line = this.#lanes.get(lane);
    if (line !== undefined) {
      line.push(job);
      return;
    }
    this.#lanes.set(lane, []);
    void this.#run(job, lane);
  }

  async #run(job: Job, lane: string): Promise<void> {
    let isReleased = false;
    const release = () => {
      if (isReleased) return;
      isReleased = true;
      this.#next(lane);
    };
    await this.#owner.run(job, release);
    release();
    if (isLong(job.command)) this.#isAnsweringLong = false;
    this.#inFlight--;
    this.pump();
  }

  #next(lane: string): void {
    const job = this.#lanes.get(lane)?.shift();
    if (job === undefined) this.#lanes.delete(lane);
    else void this.#run(job, lane);
  }
}

function isLong(command: Command): boolean {
  if (command.type === 'subscribe') return command.presence;
  return command.type === 'history' || command.type === 'presence';
}
