import t from 'tap';
import { Revocations } from '../../src/core/session/revocations.js';
import { identityOf } from '../support/core.js';

const FOREVER = Number.POSITIVE_INFINITY;

t.test('revocation / of a token id → that token and no other', async (t) => {
  const revocations = new Revocations();
  revocations.add({ tokenId: 't1' }, 1000, FOREVER);
  t.ok(revocations.has(identityOf('ann', { user: 'u1', tokenId: 't1', issuedAt: 5000 }), 2000));
  t.notOk(revocations.has(identityOf('ann', { user: 'u1', tokenId: 't2' }), 2000));
  t.notOk(revocations.has(identityOf('ann', { user: 't1' }), 2000), 'a user of that name');
});

t.test('revocation / of a user → what was issued until then, and what does not say when', async (t) => {
  const revocations = new Revocations();
  revocations.add({ user: 'u1' }, 1000, FOREVER);
  const issued = (issuedAt?: number, user = 'u1') =>
    revocations.has(identityOf('ann', { user, ...(issuedAt !== undefined && { issuedAt }) }), 2000);
  t.same([issued(999), issued(1000), issued(1001), issued(undefined)], [true, true, false, true]);
  t.notOk(issued(0, 'u2'));
  t.notOk(revocations.has(identityOf('guest'), 2000), 'nobody is no user');
});

t.test('revocation / its time is over → forgotten; said again → the longer time holds', async (t) => {
  const revocations = new Revocations();
  const ann = identityOf('ann', { user: 'u1', tokenId: 't1' });
  revocations.add({ tokenId: 't1' }, 0, 1000);
  t.ok(revocations.has(ann, 999));
  t.notOk(revocations.has(ann, 1000));
  revocations.add({ tokenId: 't1' }, 0, 3000);
  revocations.add({ tokenId: 't1' }, 0, 2000);
  t.ok(revocations.has(ann, 2500));
});

t.test('revocation / said of the same by several, in any order → the later times hold', async (t) => {
  const revocations = new Revocations();
  t.ok(revocations.add({ user: 'u1' }, 2000, 5000));
  t.ok(revocations.add({ user: 'u1' }, 1000, 9000), 'it lasts longer');
  t.notOk(revocations.add({ user: 'u1' }, 1500, 9000), 'nothing new');
  t.ok(revocations.has(identityOf('ann', { user: 'u1', issuedAt: 2000 }), 8999));
  t.same([...revocations.inForce(8999)], [{ revocation: { user: 'u1' }, at: 2000, until: 9000 }]);
  t.same([...revocations.inForce(9000)], []);
});

t.test('revocation / more than are remembered → too_many, and none is forgotten', async (t) => {
  const revocations = new Revocations();
  for (let each = 0; each < 100_000; each++)
    revocations.add({ tokenId: `t${each}` }, 0, each === 7 ? 10 : FOREVER);
  t.throws(() => revocations.add({ user: 'u1' }, 5, FOREVER), { code: 'too_many' });
  t.doesNotThrow(() => revocations.add({ tokenId: 't1' }, 5, FOREVER), 'one that is known takes no room');
  revocations.add({ user: 'u1' }, 10, FOREVER);
  t.equal(revocations.size, 100_000, 'one whose time was over made room');
  t.ok(revocations.has(identityOf('ann', { user: 'u1' }), 11));
});
