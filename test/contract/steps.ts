import fc from 'fast-check';

export const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];
const channel = fc.constantFrom(...NAMES);
const most = fc.constantFrom('a', 'a', 'b', ...NAMES);
const ttlSeconds = fc.constantFrom(undefined, undefined, 2, 5);
const oneIn = (count: number) => fc.nat(count - 1).map((one) => one === 0);
const place = fc.oneof(fc.constantFrom('-1', 'now'), fc.nat());
const is = <Name extends string>(name: Name) => fc.constant(name);

/** What may be done to some channels. */
export const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: is('append'),
      channel: most,
      size: fc.integer({ min: 0, max: 3 }),
      closes: oneIn(25),
      createsNot: oneIn(6),
      order: fc.constantFrom(undefined, undefined, undefined, undefined, 'a', 'b', 'bb', 'c'),
      producer: fc.oneof(
        { weight: 2, arbitrary: fc.constant(undefined) },
        {
          weight: 3,
          arbitrary: fc.record({
            id: fc.constantFrom('p', 'q'),
            epoch: fc.constantFrom(0, 0, 0, 1),
            ahead: fc.constantFrom(-2, -1, -1, 0, 0, 0, 0, 0, 1),
          }),
        },
      ),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: is('create'),
      channel: fc.constantFrom('a', 'b', 'c'),
      ttlSeconds,
      size: fc.nat(2),
      closed: oneIn(8),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: is('fork'),
      channel,
      source: most,
      place,
      skip: fc.constantFrom(0, 0, 1, 2),
      again: oneIn(4),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: is('read'), channel, place, messages: fc.integer({ min: 1, max: 4 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: is('delete'), channel }) },
  { weight: 1, arbitrary: fc.record({ do: is('close'), channel }) },
  { weight: 2, arbitrary: fc.record({ do: is('stat'), channel }) },
  { weight: 1, arbitrary: fc.record({ do: is('sweep') }) },
  { weight: 3, arbitrary: fc.record({ do: is('wait'), ms: fc.constantFrom(0, 400, 1000, 2500) }) },
);
export type Step = typeof step extends fc.Arbitrary<infer Each> ? Each : never;
export type Of<Name extends Step['do']> = Extract<Step, { readonly do: Name }>;
